"""Codeforces: 408 problems of 57 contests of 2024, by contest, for a rating and a percentile.

Source: agentica-project/rllm (DeepCoder's set, after QwenLM/CodeElo). The tests are the samples of
the statement, 1.15 a problem: the published DeepCoder figures (1936, 95.3 %) were graded on the same
samples, with 8 answers a problem read as attempts and with the problem's tags in the prompt. A
program reads stdin; tokens are compared. Suite `codeforces` hides the tags, `codeforces-tags` shows
them as DeepCoder's prompt did. The rating is `evaluator.rating`'s; it needs standings that the
operator imports (`evaluator.standings`), and without them the solved share is all there is.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from evaluator.data import DataFolder, SourceFile
from evaluator.problem import Problem, StdioTask
from evaluator.prompt import Prompt, ask
from evaluator.rating import SAMPLES_ONLY
from evaluator.suite import Suite

_SITE = "https://github.com/agentica-project/rllm"
FILE = SourceFile(
    path="codeforces/codeforces_408.jsonl.gz",
    url=_SITE,
    sha256="515cc4beb93fc3fb0bd0cf5666aab42e4dd38d0ea3c0247bfdf07fface4a28f9",
    rows=408,
)
HISTOGRAM = SourceFile(
    path="codeforces/ratings_2024.json",
    url=_SITE,
    sha256="a390e79cd0bf0143fe82dd9681742438216fc31581530ce3f7f86e7796a207fe",
)
_TAGS = re.compile(r"\nTags:\n(\[[^\n]*\])\n")
_TIME = re.compile(r"Time Limit: (\d+) ms")
_MEMORY = re.compile(r"Memory Limit: (\d+) MB")
_EXTRA_SECONDS = 2.0
"""Contests' limits are for C++; Python's start and slower loops get this much more, three times the rest."""

STDIN_PROMPT = """\
You are an expert Python programmer. You will be given a question (problem specification) and will \
generate a correct Python program that matches the specification and passes all tests.

{statement}

Read the inputs from stdin, solve the problem and write the answer to stdout (do not directly test \
on the sample inputs). Enclose your code within delimiters as follows.
```python
# YOUR CODE HERE
```"""


def _load(folder: DataFolder) -> Sequence[Problem]:
    return [_problem(row) for row in folder.rows(FILE)]


def _problem(row: dict[str, Any]) -> Problem:
    text = row["problem"].strip("\n") + "\n"
    contest = str(row["contest_id"])
    time, memory = _TIME.search(text), _MEMORY.search(text)
    seconds = int(time[1]) / 1000 if time else 2.0
    tags = _TAGS.search(text)
    return Problem(
        id=row["problem_id"],
        statement=text,
        task=StdioTask(
            tests=tuple((test["input"], test["output"]) for test in row["tests"]),
            compare="tokens",
            seconds=_EXTRA_SECONDS + 3 * seconds,
            memory_mib=max(256, int(memory[1]) if memory else 256),
        ),
        group=contest,
        notes={
            "index": row["problem_id"].removeprefix(contest),
            "tags": tags[1] if tags else "",
        },
    )


def _prompt(problem: Problem, *, shows_tags: bool) -> Prompt:
    text = problem.statement if shows_tags else _TAGS.sub("\n", problem.statement)
    return ask(STDIN_PROMPT.format(statement=text.strip()))


def _suite(name: str, title: str, *, shows_tags: bool) -> Suite:
    return Suite(
        name=name,
        title=title,
        source=_SITE,
        licence="MIT (repository); statements (c) Codeforces and their authors",
        files=(FILE, HISTOGRAM),
        load=_load,
        prompt=partial(_prompt, shows_tags=shows_tags),
        official_extraction="rllm",
        default_samples=8,
        warning=SAMPLES_ONLY,
        notes={
            "rating": "published formula of CodeElo and rLLM; needs standings, see evaluator.standings",
            "published ratings": "DeepCoder-14B 1936 (95.3 %), R1-Distill-14B 1791 (92.7 %),"
            " o1-low 1991 (96.1 %), o3-mini-low 1918 (94.9 %), R1 1948 (95.4 %), o1-preview"
            " 1658 (88.5 %): 8 attempts a problem, tags shown, samples only",
        },
    )


CODEFORCES = _suite("codeforces", "Codeforces 2024, 57 contests, tags hidden", shows_tags=False)
CODEFORCES_TAGS = _suite(
    "codeforces-tags", "Codeforces 2024, 57 contests, tags shown", shows_tags=True
)
