"""Data sets made of real files: what is kept, what is left out and why, and what is refused."""

import gzip
import json
import pathlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

import evaluator
from evaluator.completer import Sampling
from evaluator.data import DataFolder
from evaluator.grading.bench import Bench, Rules
from evaluator.http_completer import HttpCompleter
from evaluator.problem import CallTask, RepositoryTask, StdioTask
from sandbox.sandbox import Sandbox
from sandbox.settings import SandboxSettings
from trainer.dataset.build import Built, Choices, build, read_solutions
from trainer.dataset.folder import (
    DROPPED,
    MANIFEST,
    PROBLEMS,
    dataset_digest,
    load_dataset,
    read_manifest,
    write_dataset,
)
from trainer.dataset.solve_rate import read_solve_rates
from trainer.dataset.solve_rate_sampling import SolveRateSampler
from trainer.errors import DatasetInvalid

DATA = pathlib.Path(__file__).parents[3] / "shared" / "data"
ADD = "Read two whole numbers, each on a line of its own, and print what they give when added up."
SHOUT = "Given a list of short texts, return a list of the same texts in capital letters, in order."
MEAN = "Read whole numbers until the input ends, and print their mean without its fraction part."


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Sandbox(SandboxSettings(workers=2)) as sandbox:
        cache = tmp_path_factory.mktemp("cache")
        yield Bench(sandbox=sandbox, rules=Rules.STRICT, cache=cache)


def lines(path: pathlib.Path, rows: Sequence[Mapping[str, Any]]) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def taco(question: str, tests: Mapping[str, Any], *solutions: str) -> dict[str, Any]:
    return {
        "question": question,
        "input_output": json.dumps(tests),
        "solutions": json.dumps(solutions),
        "starter_code": "",
        "difficulty": "EASY",
    }


def sums(count: int = 6) -> dict[str, Any]:
    pairs = [(n, n * n) for n in range(count)]
    return {
        "inputs": [f"{a}\n{b}\n" for a, b in pairs],
        "outputs": [f"{a + b}\n" for a, b in pairs],
    }


def built(
    bench: Bench, data: pathlib.Path, *sources: str, sampler: Any = None, **choices: Any
) -> Built:
    return build(
        Choices(sources=sources, **choices),
        DataFolder(data, is_checked=False),
        bench,
        lambda *_: None,
        sampler,
    )


def why(found: Built) -> dict[str, str]:
    return {drop.id: drop.reason for drop in found.drops}


def test_every_problem_is_kept_or_left_out_for_one_reason(
    bench: Bench, tmp_path: pathlib.Path
) -> None:
    right = "a = int(input())\nprint(a + int(input()))"
    shouts = {
        "fn_name": "shout",
        "inputs": [[["ab", "c"] * n] for n in range(1, 7)],
        "outputs": [[["AB", "C"] * n] for n in range(1, 7)],
    }
    rows = [
        taco(ADD, sums(), "print(1)", right),
        taco(SHOUT, shouts, "def shout(xs):\n    return [x.upper() for x in xs]"),
        taco(MEAN, sums(), "print(0)", "raise SystemExit"),
        taco(ADD + " Yes.", sums(4), right),
        taco("Print the sum of all that is in the input.", sums()),
        taco(ADD.upper() + "!", sums(7), right),
        taco("Add " + ADD, sums(8), right),
        {"question": "No tests."},
    ]
    found = built(bench, tmp_path / "none", f"taco:{lines(tmp_path / 'taco.jsonl', rows)}")
    assert [one.id for one in found.problems] == ["taco/0", "taco/1"]
    assert why(found) == {
        "taco/2": "solutions_fail",
        "taco/3": "few_tests",
        "taco/4": "no_solution",
        "taco/5": "duplicate",
        "taco/6": "near_duplicate",
        "taco/7": "unsupported",
    }
    assert found.facts["counts"] == {"read": 8, "kept": 2, "dropped": 6}
    first, second = (one.problem for one in found.problems)
    assert isinstance(first.task, StdioTask)
    assert first.reference == right
    assert isinstance(second.task, CallTask)
    assert second.task.function == "shout"
    assert second.task.tests[0] == ((["ab", "c"],), ["AB", "C"]), "its results were in lists of one"


def test_rows_of_the_other_sets_are_understood(bench: Bench, tmp_path: pathlib.Path) -> None:
    call = "def add(a, b):\n    return a + b"
    method = "class Solution:\n    def add(self, a, b):\n        return a + b"
    cases = [{"type": "function_call", "fn_name": "add", "input": [n, 2], "output": n + 2}
             for n in range(5)]  # fmt: skip
    info = {"language": "python", "test_cases": cases}
    synthetic: list[Mapping[str, Any]] = [
        {"problem_id": "one", "prompt": ADD, "gold_standard_solution": f"```python\n{call}\n```",
         "verification_info": json.dumps(info), "metadata": "{}"},
        {"problem_id": "two", "problem_statement": SHOUT, "gold_standard_solution": call,
         "verification_info": str(info)},
        {"problem_id": "three", "prompt": MEAN, "gold_standard_solution": "fn main() {}",
         "verification_info": json.dumps(info | {"language": "rust"})},
    ]  # fmt: skip
    stdin = [{"input": f"{n}\n", "output": f"{n}\n", "testtype": "stdin"} for n in range(20)]
    named = [{"input": f"{n}\n2", "output": f"{n + 2}", "testtype": "functional",
              "metadata": {"func_name": "add"}} for n in range(20)]  # fmt: skip
    deepcoder: list[Mapping[str, Any]] = [
        {"problem": "Print the line that you read. " + MEAN, "tests": json.dumps(stdin),
         "solutions": ["print(input())"], "starter_code": None, "metadata": "{}"},
        {"problem": "Give back the sum of both arguments.", "tests": json.dumps(named),
         "solutions": [f"```python\n{method}\n```"],
         "starter_code": "class Solution:\n    def add(self, a: int, b: int) -> int:",
         "metadata": json.dumps({"func_name": "add"})},
    ]  # fmt: skip
    found = built(
        bench,
        tmp_path / "none",
        f"synthetic-1:{lines(tmp_path / 's.jsonl.gz', synthetic)}",
        f"deepcoder:{lines(tmp_path / 'd.jsonl', deepcoder)}",
    )
    assert [one.id for one in found.problems] == [
        "synthetic-1/one", "synthetic-1/two", "deepcoder/0", "deepcoder/1"
    ]  # fmt: skip
    assert why(found) == {"synthetic-1/three": "unsupported"}
    for one in found.problems[2:]:
        assert isinstance(one.problem.task, CallTask | StdioTask)
        assert len(one.problem.task.tests) == 20, "all tests of LiveCodeBench's problems reward"


def test_problems_of_an_evaluation_suite_are_left_out_under_other_words_too(
    bench: Bench, tmp_path: pathlib.Path
) -> None:
    suite = [{"task_id": "HumanEval/0", "prompt": ADD, "entry_point": "f", "test": "",
              "canonical_solution": ""}]  # fmt: skip
    lines(tmp_path / "data/humaneval/HumanEval.jsonl.gz", suite)
    solution = "a = int(input())\nprint(a + int(input()))"
    rows = [
        taco(ADD.lower() + " ", sums(), solution),
        taco(ADD.replace("print", "write"), sums(), solution),
        taco(MEAN, sums(), solution),
    ]
    found = built(bench, tmp_path / "data", f"taco:{lines(tmp_path / 'taco.jsonl', rows)}")
    assert why(found) == {"taco/0": "in_evaluation", "taco/1": "near_evaluation"}
    assert found.facts["evaluation_suites"]["humaneval"] == 1
    assert all("humaneval:HumanEval/0" in drop.detail for drop in found.drops)


def test_own_suite_with_a_repository_is_training_data(bench: Bench, tmp_path: pathlib.Path) -> None:
    own = pathlib.Path(evaluator.__file__).parent / "private_example"
    found = built(bench, tmp_path / "none", str(own), least_tests=1)
    tasks = {type(one.problem.task) for one in found.problems}
    assert RepositoryTask in tasks
    assert CallTask in tasks
    assert {one.source for one in found.problems} == {"my-suite"}
    assert {name: reason for name, reason in why(found).items() if "answers/" in name} == {
        "my-suite/answers/exit-code": "unsupported",
        "my-suite/answers/port": "unsupported",
    }


def test_build_made_again_runs_nothing_again(tmp_path: pathlib.Path) -> None:
    rows = [taco(ADD, sums(), "a = int(input())\nprint(a + int(input()))")]
    source = f"taco:{lines(tmp_path / 'taco.jsonl', rows)}"
    with Sandbox(SandboxSettings(workers=1)) as sandbox:
        bench = Bench(sandbox=sandbox, rules=Rules.STRICT, cache=tmp_path / "cache")
        first = built(bench, tmp_path / "none", source)
    again = built(bench, tmp_path / "none", source)  # its sandbox is closed
    assert again.problems == first.problems
    assert len(again.problems) == 1


def test_solutions_of_a_file_verify_what_has_none(bench: Bench, tmp_path: pathlib.Path) -> None:
    source = f"taco:{lines(tmp_path / 'taco.jsonl', [taco(ADD, sums())])}"
    known = read_solutions(
        lines(
            tmp_path / "solutions.jsonl",
            [{"id": "taco/0", "code": "a = int(input())\nprint(a + int(input()))"}],
        )
    )
    assert why(built(bench, tmp_path / "none", source)) == {"taco/0": "no_solution"}
    assert len(built(bench, tmp_path / "none", source, solutions=known).problems) == 1


def test_solve_rates_keep_what_is_neither_too_easy_nor_too_hard(
    bench: Bench, tmp_path: pathlib.Path
) -> None:
    solution = "a = int(input())\nprint(a + int(input()))"
    texts = (ADD, SHOUT, MEAN, "Nobody tried this one yet, so nothing speaks against it.")
    rows = [taco(text, sums(), solution) for text in texts]
    rates = [
        {"id": "taco/0", "passes": 0, "samples": 20},
        {"id": "taco/1", "passes": 20, "samples": 20},
        {"id": "taco/2", "solve_rate": 0.05},
    ]
    found = built(
        bench,
        tmp_path / "none",
        f"taco:{lines(tmp_path / 'taco.jsonl', rows)}",
        solve_rates=read_solve_rates(lines(tmp_path / "rates.jsonl", rates)),
    )
    assert why(found) == {"taco/0": "too_hard", "taco/1": "too_easy"}
    assert {one.id: one.solve_rate for one in found.problems} == {"taco/2": 0.05, "taco/3": None}
    assert found.facts["thresholds"]["least_solve_rate"] == 0.05


def test_solve_rates_are_sampled_from_an_endpoint(
    bench: Bench, tmp_path: pathlib.Path, endpoint: Any
) -> None:
    program = "```python\na = int(input())\nprint(a + int(input()))\n```"
    endpoint.reply = lambda number, body: endpoint.plain(program if body["seed"] % 2 else "No.")
    rows = [taco(ADD, sums(), "a = int(input())\nprint(a + int(input()))")]
    sampler = SolveRateSampler(
        completer=HttpCompleter(endpoint.url, model="tiny"),
        sampling=Sampling(temperature=0.6, max_tokens=64),
        num_samples=4,
    )
    source = f"taco:{lines(tmp_path / 'taco.jsonl', rows)}"
    found = built(bench, tmp_path / "none", source, sampler=sampler)
    assert [one.solve_rate for one in found.problems] == [0.5]


@pytest.fixture
def dataset(bench: Bench, tmp_path: pathlib.Path) -> pathlib.Path:
    found = built(bench, tmp_path / "none", "short-functions-held-out", limit=5)
    write_dataset(tmp_path / "set", found.problems, found.drops, found.facts)
    return tmp_path / "set"


def test_written_data_set_is_read_back_and_replaced_whole(
    dataset: pathlib.Path, bench: Bench, tmp_path: pathlib.Path
) -> None:
    found = built(bench, tmp_path / "none", "short-functions-held-out", limit=5)
    assert load_dataset(dataset) == found.problems
    digest = dataset_digest(dataset)
    assert read_manifest(dataset)["licences"] == {"Apache-2.0": 5}
    write_dataset(dataset, found.problems[:3], found.drops, found.facts)
    assert load_dataset(dataset) == found.problems[:3]
    assert dataset_digest(dataset) != digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set"]


@pytest.mark.parametrize("name", [PROBLEMS, DROPPED, MANIFEST])
def test_data_set_that_is_not_whole_is_refused(dataset: pathlib.Path, name: str) -> None:
    (dataset / name).unlink()
    with pytest.raises(DatasetInvalid, match=r"build"):
        load_dataset(dataset)


def test_data_set_with_a_changed_byte_or_a_later_schema_is_refused(dataset: pathlib.Path) -> None:
    copy = dataset.with_name("copy")
    shutil.copytree(dataset, copy)
    content = bytearray((copy / PROBLEMS).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / PROBLEMS).write_bytes(content)
    with pytest.raises(DatasetInvalid, match="SHA-256"):
        load_dataset(copy)
    manifest = json.loads((dataset / MANIFEST).read_text()) | {"schema": 99}
    (dataset / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(DatasetInvalid, match="schema 99"):
        load_dataset(dataset)


def test_folder_of_something_else_is_not_written_over(tmp_path: pathlib.Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("keep")
    with pytest.raises(DatasetInvalid, match="no data set"):
        write_dataset(tmp_path / "mine", [], [], {})
    assert (tmp_path / "mine/notes.txt").read_text() == "keep"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nothing", "is no source"),
        ("taco", "names no file"),
        ("taco:absent.jsonl", "is not there"),
    ],
)
def test_source_that_cannot_be_read_is_named(
    bench: Bench, tmp_path: pathlib.Path, source: str, said: str
) -> None:
    with pytest.raises(DatasetInvalid, match=said):
        built(bench, tmp_path, source)


def test_row_that_is_no_object_is_named_with_its_line(bench: Bench, tmp_path: pathlib.Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"question": ""}\n[1]\n')
    with pytest.raises(DatasetInvalid, match="row 2"):
        built(bench, tmp_path / "none", f"taco:{tmp_path / 'bad.jsonl'}")


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason=f"the training files are not here: {DATA}")
def test_training_files_give_verified_problems_outside_every_suite(
    bench: Bench, tmp_path: pathlib.Path
) -> None:
    for name in ("mbpp", "mbpp_plus", "leetcode_dataset", "exercism", "code_jam"):
        (tmp_path / name).symlink_to(DATA / name)
    found = build(
        Choices(sources=["mbpp", "leetcode", "exercism", "code-jam"], least_tests=3, limit=30),
        DataFolder(tmp_path),
        bench,
        lambda *_: None,
    )
    kept = found.facts["kept_by_source"]
    assert kept["mbpp"] > 10
    assert kept["leetcode"] > 10
    seen = why(found)
    # MBPP+ asks problems of MBPP's train split too.
    assert seen["mbpp/605"] == "near_evaluation" or seen["mbpp/606"] == "near_evaluation"
    assert found.facts["evaluation_suites"]["mbpp+"] == 378
