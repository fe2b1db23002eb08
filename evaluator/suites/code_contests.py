"""CodeContests, test split: 165 contest problems with 11 tests each on average.

Source: agentica-project/rllm (MIT; data of DeepMind, CC BY 4.0). A program reads stdin; tokens are
compared, so a problem that accepts several answers is graded too hard: the data names no checkers.
40 problems have one test only, a sample of the statement.
"""

import re
from collections.abc import Sequence
from typing import Any

from evaluator.data import DataFolder, SourceFile
from evaluator.problem import Problem, StdioTask
from evaluator.prompt import Prompt, ask
from evaluator.suite import Suite
from evaluator.suites.codeforces import STDIN_PROMPT

FILE = SourceFile(
    path="code_contests/code_contests_test.jsonl.gz",
    url="https://github.com/agentica-project/rllm",
    sha256="644501fa77eb27565549c1e91c5b08262f1d67e4c8bed3f39e2d5e33fded1002",
    rows=165,
)
_TIME = re.compile(r"Time Limit: \{'seconds': (\d+), 'nanos': (\d+)\}")
_MEMORY = re.compile(r"Memory Limit: (\d+) Bytes")
_MIB = 1 << 20


def _load(folder: DataFolder) -> Sequence[Problem]:
    return [_problem(row) for row in folder.rows(FILE)]


def _problem(row: dict[str, Any]) -> Problem:
    text = row["problem"].strip("\n") + "\n"
    time, memory = _TIME.search(text), _MEMORY.search(text)
    seconds = int(time[1]) + int(time[2]) / 1e9 if time else 2.0
    mib = int(memory[1]) // _MIB if memory and int(memory[1]) else 256
    return Problem(
        id=row["problem_id"],
        statement=text,
        task=StdioTask(
            tests=tuple((test["input"], test["output"]) for test in row["tests"]),
            compare="tokens",
            seconds=2.0 + 3 * seconds,  # the limits are for C++
            memory_mib=max(256, mib),
        ),
    )


def _prompt(problem: Problem) -> Prompt:
    return ask(STDIN_PROMPT.format(statement=problem.statement.strip()))


CODE_CONTESTS = Suite(
    name="code-contests",
    title="CodeContests, test split",
    source="https://github.com/agentica-project/rllm",
    licence="MIT (repository); CodeContests data CC BY 4.0",
    files=(FILE,),
    load=_load,
    prompt=_prompt,
    official_extraction="rllm",
    published=(("DeepCoder-14B", 40.1, "AReaL's run"),),
    warning="problems with several right answers accept only the one in the data",
)
