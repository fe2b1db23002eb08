"""Private suites: what is right loads and is graded, and every fault is named with file, line and field."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import evaluator
from evaluator.data import DataFolder
from evaluator.errors import DataInvalid, DataMissing
from evaluator.grading.bench import Bench, Rules
from evaluator.judge import judge_code
from evaluator.judgement import Failure, Grade, Judgement
from evaluator.private import load_private
from evaluator.private_check import check, check_references
from evaluator.problem import CallTask, Problem, RepositoryTask, StdioTask
from sandbox.errors import IsolationUnavailable
from sandbox.sandbox import Sandbox
from sandbox.settings import SandboxSettings

EXAMPLE = Path(evaluator.__file__).parent / "private_example"
SUITE = "name: ours\n"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    try:
        opened = Sandbox(SandboxSettings(workers=2))
    except IsolationUnavailable as error:
        pytest.skip(f"no isolation here: {error}")
    with opened:
        yield opened


@pytest.fixture
def bench(sandbox: Sandbox, tmp_path: Path) -> Bench:
    return Bench(sandbox=sandbox, rules=Rules.STRICT, cache=tmp_path / "cache")


def written(
    folder: Path, problems: str, *, suite: str = SUITE, name: str = "problems.yaml"
) -> Path:
    (folder / "suite.yaml").write_text(suite)
    (folder / name).write_text(problems)
    return folder


def problems_of(folder: Path) -> dict[str, Problem]:
    return {problem.id: problem for problem in load_private(folder).load(DataFolder(folder))}


def faults(folder: Path) -> list[str]:
    return [str(finding).removeprefix(f"{folder}/") for finding in check(folder).findings]


def test_the_example_loads_and_each_of_its_references_passes(bench: Bench) -> None:
    problems = problems_of(EXAMPLE)
    assert len(problems) == 9
    found = list(check_references(list(problems.values()), EXAMPLE, bench))
    assert [str(finding) for _, finding in found if finding] == []


def test_asserts_of_plain_values_are_compared_outside_the_program() -> None:
    task = problems_of(EXAMPLE)["functions/median"].task
    assert isinstance(task, RepositoryTask)  # 2.5 is compared exactly, as the assert says
    slug = problems_of(EXAMPLE)["functions/slug"].task
    assert isinstance(slug, CallTask)
    assert slug.tests[0] == (("Hello, World!",), "hello-world")


def test_an_assert_that_compares_whole_numbers_becomes_a_call(tmp_path: Path) -> None:
    folder = written(tmp_path, "- {id: a, prompt: p, asserts: ['assert f([1], k=1) == 2']}\n")
    assert isinstance(problems_of(folder)["a"].task, RepositoryTask)
    folder = written(tmp_path, "- {id: a, prompt: p, asserts: ['assert f([1], 2) == [3]']}\n")
    assert problems_of(folder)["a"].task == CallTask(
        function="f", tests=((([1], 2), [3]),), seconds=10.0
    )


def test_limits_and_language_come_from_the_suite_unless_the_problem_says_otherwise(
    tmp_path: Path,
) -> None:
    suite = "name: ours\nlanguage: bash\nseconds: 3.0\ncompare: lines\n"
    problems = """\
- {id: a, prompt: p, stdio: [{output: "1"}]}
- {id: b, prompt: p, language: py, seconds: 9.0, compare: exact, stdio: [{output: "1"}]}
"""
    found = problems_of(written(tmp_path, problems, suite=suite))
    first, second = found["a"].task, found["b"].task
    assert isinstance(first, StdioTask)
    assert isinstance(second, StdioTask)
    assert (first.language, first.seconds, first.compare) == ("bash", 3.0, "lines")
    assert (second.language, second.seconds, second.compare) == ("python", 9.0, "exact")


def test_wrong_answers_of_each_kind_fail(bench: Bench) -> None:
    problems = problems_of(EXAMPLE)
    wrong = {
        "functions/median": "```python\ndef median(numbers): return numbers[0]\n```",
        "functions/slug": "def slug(title): return title",
        "programs/sum": "print(6)",
        "projects/discount": "shop/prices.py\n```\ndef total(amount): return 90\n```",
        "answers/port": "80",
    }
    for name, answer in wrong.items():
        assert judge_code(problems[name], answer, bench).grade in (
            Grade.WRONG_ANSWER,
            Grade.PARTIAL,
        ), name


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        ("prompt: p\n  answer: x", "problems.yaml:1: id: it is missing"),
        ("id: a\n  answer: x", "problems.yaml:1: problem 'a', prompt: it is missing"),
        ("id: a\n  prompt: p", "exactly one of asserts, calls, stdio, answer, command: this has none"),
        ("id: a\n  prompt: p\n  answer: x\n  stdio: [{output: y}]", "this has stdio and answer"),
        ("id: a\n  prompt: p\n  answers: x", "problems.yaml:3: problem 'a', answers: there is no such"),
        ("id: a\n  prompt: p\n  language: cobol\n  answer: x", ":3: problem 'a', language: language 'cobol'"),
        ("id: a\n  prompt: p\n  seconds: fast\n  answer: x", ":3: problem 'a', seconds: "),
        ("id: a\n  prompt: p\n  stdio:\n    - input: x", ":4: problem 'a', stdio[0].output: it is missing"),
        ("id: a\n  prompt: p\n  stdio: []", ":3: problem 'a', stdio: "),
        ("id: a\n  prompt: p\n  stdio: [{output: 6}]", "stdio[0].output: Input should be a valid string; this is 6"),
        ("id: a\n  prompt: p\n  compare: roughly\n  stdio: [{output: y}]", ":3: problem 'a', compare: "),
        ("id: a\n  prompt: p\n  asserts: ['assert f(']", ":3: problem 'a', asserts[0]: this is no Python"),
        ("id: a\n  prompt: p\n  asserts: ['f(1)']", "asserts[0]: there is no assert in it"),
        ("id: a\n  prompt: p\n  language: go\n  asserts: ['assert f(1)']", "only Python has these"),
        ("id: a\n  prompt: p\n  date: 2024-02-31\n  answer: x", "date: 2024-02-31 is no day of the calendar"),
        ("id: a\n  prompt: p\n  command: 'true'", "editable is missing"),
        ("id: a\n  prompt: p\n  command: 'true'\n  editable: [x.py]", "either files or repository"),
        ("id: a\n  prompt: p\n  editable: [x.py]\n  answer: y", "editable belongs to a command"),
        ("id: a\n  prompt: p\n  command: 'true'\n  editable: [../x.py]\n  files: {}", "stay inside its folder"),
        ("id: a\n  prompt: p\n  command: codeloop-tests t.py\n  editable: [x.py]\n  files: {}", "no file t.py"),
        ("id: a\n  prompt: p\n  command: x\n  editable: [x]\n  repository: nowhere\n  revision: r", "there is no folder"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_file_line_and_field(
    tmp_path: Path, problem: str, expected: str
) -> None:
    found = faults(written(tmp_path, f"- {problem}\n"))
    assert any(expected in text for text in found), found


def test_all_faults_are_found_at_once(tmp_path: Path) -> None:
    problems = "- {id: a, prompt: p}\n- {id: b, answer: x}\n- {id: c, prompt: p, answer: x}\n"
    assert len(faults(written(tmp_path, problems))) == 2
    with pytest.raises(DataInvalid, match="and 1 more"):
        load_private(tmp_path)


def test_a_duplicate_id_names_both_places(tmp_path: Path) -> None:
    row = '{"id": "a", "prompt": "p", "answer": "x"}\n'
    folder = written(tmp_path, row + "\n" + row, name="problems.jsonl")
    assert faults(folder) == [
        "problems.jsonl:3: problem 'a', id: this id is taken by problems.jsonl, line 1: ids are unique"
    ]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("problems.jsonl", '{"id": "a",\n', "problems.jsonl, line 1 is no JSON"),
        ("problems.jsonl", "[1]\n", "problems.jsonl:1: it is a table of fields, this is a list"),
        ("problems.yaml", "- id: [\n", "problems.yaml is no YAML"),
        ("problems.yaml", "", "it is a table of fields, this is nothing"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, content: str, expected: str) -> None:
    found = faults(written(tmp_path, content, name=name))
    assert any(expected in text for text in found), found


def test_faults_of_the_suite_file_are_named_and_toml_is_read(tmp_path: Path) -> None:
    row = "- {id: a, prompt: p, answer: x}\n"
    assert any(
        "suite.yaml:2: speed: there is no such field" in text
        for text in faults(written(tmp_path, row, suite="name: ours\nspeed: 3\n"))
    )
    (tmp_path / "suite.yaml").unlink()
    (tmp_path / "suite.toml").write_text('name = "ours"\nseconds = 2.5\n')
    assert load_private(tmp_path).name == "ours"
    (tmp_path / "suite.toml").write_text('name = "ours"\ntries = 3\n')
    assert any("suite.toml:2: tries" in text for text in faults(tmp_path))


def test_a_folder_that_is_no_suite_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="codeloop eval new"):
        load_private(tmp_path)
    (tmp_path / "suite.yaml").write_text(SUITE)
    with pytest.raises(DataMissing, match="holds no problems"):
        load_private(tmp_path)


def test_a_reference_that_fails_and_a_project_with_nothing_to_solve_are_found(
    tmp_path: Path, bench: Bench
) -> None:
    problems = """\
- {id: wrong, prompt: p, stdio: [{output: "1"}], reference: print(2)}
- {id: none, prompt: p, stdio: [{output: "1"}]}
- id: solved
  prompt: p
  files: {a.sh: "exit 0"}
  editable: [a.sh]
  command: bash a.sh
"""
    folder = written(tmp_path, problems)
    found = check_references(list(problems_of(folder).values()), folder, bench)
    messages = {problem.id: finding.message for problem, finding in found if finding}
    assert "the reference fails (wrong_answer)" in messages["wrong"]
    assert "there is none" in messages["none"]
    assert "nothing to solve" in messages["solved"]


def test_a_second_try_is_asked_for_only_where_the_suite_has_two() -> None:
    suite = load_private(EXAMPLE)
    problem = suite.load(DataFolder(EXAMPLE))[2]
    judged = Judgement(grade=Grade.WRONG_ANSWER, failure=Failure(message="AssertionError: 3 != 2"))
    assert "3 != 2" in str(suite.second_prompt(problem, "answer", judged))


def test_the_digest_of_a_private_suite_is_that_of_its_files(tmp_path: Path) -> None:
    folder = written(tmp_path, "- {id: a, prompt: p, answer: x}\n")
    before = DataFolder(Path("/nowhere")).digest(load_private(folder).files)
    written(tmp_path, "- {id: a, prompt: p, answer: y}\n")
    assert DataFolder(Path("/nowhere")).digest(load_private(folder).files) != before


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A package with a defect, then a commit that mends it and brings the test."""
    place = tmp_path / "shop"
    place.mkdir()

    def git(*words: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(
            ["git", "-C", str(place), *identity, *words], check=True, capture_output=True
        )

    git("init", "-q")
    (place / "logo.png").write_bytes(b"\x89PNG\xff")
    (place / "prices.py").write_text("def total(amount):\n    return amount\n")
    git("add", ".")
    git("commit", "-qm", "begin")
    (place / "prices.py").write_text("def total(amount):\n    return amount + 1\n")
    (place / "test_prices.py").write_text(
        "from prices import total\n\n\ndef test_total():\n    assert total(1) == 2\n"
    )
    git("add", ".")
    git("commit", "-qm", "mend")
    git("tag", "mended")
    return place


def test_a_commit_of_a_repository_becomes_a_problem(repository: Path, bench: Bench) -> None:
    suite = repository.parent / "suite"
    suite.mkdir()
    row = """\
- id: prices
  prompt: Totals are one too low.
  repository: ../shop
  fixed: mended
  tests: [test_prices.py]
  editable: [prices.py]
  command: codeloop-tests test_prices.py
"""
    problem = problems_of(written(suite, row))["prices"]
    assert isinstance(problem.task, RepositoryTask)
    assert set(problem.task.files) == {"prices.py", "test_prices.py"}
    assert "amount + 1" not in str(load_private(suite).prompt(problem))
    assert [finding for _, finding in check_references([problem], suite, bench)] == [None]


def test_a_revision_that_is_not_there_is_named(repository: Path) -> None:
    suite = repository.parent / "suite"
    suite.mkdir()
    row = "- {id: a, prompt: p, repository: ../shop, revision: --help, editable: [prices.py], command: x}\n"
    with pytest.raises(DataInvalid, match="git rev-parse failed"):
        load_private(written(suite, row))
