"""HumanEval-Infilling: a gap of one line, of several, or anywhere, in a HumanEval solution.

Program = prefix + completion + suffix + test + check(entry_point), as HumanEval
(openai/human-eval-infilling). The gap goes to the server as a suffix request, rendered there in the
model's own markup. Official rules grade the completion as it is; ours first cut it where it begins
to write the suffix again, because endpoints differ in where they stop.
"""

from collections.abc import Sequence
from functools import partial

from evaluator.data import DataFolder, SourceFile
from evaluator.problem import CheckTask, Problem
from evaluator.prompt import Infill, Prompt
from evaluator.suite import Suite

_RAW = "https://raw.githubusercontent.com/openai/human-eval-infilling/master/data"
_DIGESTS = {
    "SingleLine": (
        "a4242374eaee92b08f2dfc7d80adaf51da2ed402b51a17ff5ed7a3d1dc7f4e50",
        "27a5076d0c5918593e47f421f74a588740caf85068df64da2ec1f0524740b7c5",
        1033,
    ),
    "MultiLine": (
        "b6b5fe80c32ad2c77779364ec53500a1e9a7260aee61f86158e14a73c3399ebc",
        "80253b806d6b86b141c7c683a8357bbaa8667b352c30475342fd9bf25c6b1f31",
        5815,
    ),
    "RandomSpan": (
        "f164062b83dbe2c6b5b548c9b6f588c77fb72cb006765324cff91f6e06fbd799",
        "650b4f5e825645a3b88b741a9c6f9593b2c65923a13bd6d0221ca4036f061b7a",
        1640,
    ),
    "RandomSpanLight": (
        "82b9d305e4d618a71eeccec0f523e3e2eec5a941de558902be2cb7b65857658e",
        "408aa855b95d5bde56f2f567f67270d372a3bc09f8cae2e9091873621e72318e",
        164,
    ),
}


def _file(kind: str) -> SourceFile:
    name = {"RandomSpanLight": "RandomSpanInfillingLight"}.get(kind, f"{kind}Infilling")
    digest, rows_digest, rows = _DIGESTS[kind]
    return SourceFile(
        path=f"humaneval_infilling/HumanEval-{name}.jsonl.gz",
        url="https://github.com/openai/human-eval-infilling",
        download=f"{_RAW}/HumanEval-{name}.jsonl.gz",
        sha256=digest,
        rows_sha256=rows_digest,
        rows=rows,
    )


def load(file: SourceFile, data: DataFolder) -> Sequence[Problem]:
    """The gaps of one file."""
    return [
        Problem(
            id=row["task_id"],
            statement=row["prompt"],
            task=CheckTask(
                entry_point=row["entry_point"],
                test=row["test"],
                reference=row["prompt"] + row["canonical_solution"] + row["suffix"],
            ),
            reference=row["prompt"] + row["canonical_solution"] + row["suffix"],
            notes={"prefix": row["prompt"], "suffix": row["suffix"]},
        )
        for row in data.rows(file)
    ]


def infill_prompt(problem: Problem) -> Prompt:
    """The gap between its two texts."""
    return Infill(prefix=str(problem.notes["prefix"]), suffix=str(problem.notes["suffix"]))


def _suite(name: str, title: str, kind: str) -> Suite:
    return Suite(
        name=f"humaneval-infilling-{name}",
        title=f"HumanEval-Infilling, {title}",
        source="https://github.com/openai/human-eval-infilling",
        licence="MIT",
        files=(_file(kind),),
        load=partial(load, _file(kind)),
        prompt=infill_prompt,
        extraction="infill",
        official_extraction="infill_raw",
    )


SINGLE = _suite("single", "one line", "SingleLine")
MULTI = _suite("multi", "several lines", "MultiLine")
SPAN = _suite("span", "a random span", "RandomSpan")
SPAN_LIGHT = _suite("span-light", "one random span a problem", "RandomSpanLight")
