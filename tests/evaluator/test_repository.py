"""Projects whose tests run beside an answer: honest answers pass, and cheats do not."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluator.data import DataFolder
from evaluator.edits import render_edits
from evaluator.grading.bench import Bench, Rules
from evaluator.grading.repository import TOKEN, grade
from evaluator.judge import judge_code
from evaluator.judgement import Grade
from evaluator.problem import Problem, RepositoryTask
from evaluator.suites.polyglot import FILE as POLYGLOT_FILE
from evaluator.suites.polyglot import POLYGLOT
from evaluator.suites.polyglot_projects import STUB_IS_RIGHT
from evaluator.suites.quixbugs import FILE as QUIXBUGS_FILE
from evaluator.suites.quixbugs import QUIXBUGS
from sandbox.errors import IsolationUnavailable, ToolchainMissing
from sandbox.sandbox import Sandbox
from sandbox.settings import SandboxSettings

DATA = Path(os.environ.get("CODELOOP_DATA", "../shared/data"))

TESTS = """\
import unittest

from clock import Clock, minutes


class MinutesTest(unittest.TestCase):
    def test_of_an_hour(self):
        self.assertEqual(minutes(1), 60)

    def test_of_a_day(self):
        self.assertEqual(minutes(24), 1440)

    def test_of_a_negative_hour(self):
        with self.assertRaises(ValueError):
            minutes(-1)


def test_clocks_of_one_time_are_equal():
    assert Clock(8) == Clock(8)
    assert not Clock(8) == Clock(9)


@unittest.skip("not yet")
class LaterTest(unittest.TestCase):
    def test_seconds(self):
        self.fail("skipped by us")
"""
RIGHT = """\
class Clock:
    def __init__(self, hour):
        self.hour = hour

    def __eq__(self, other):
        return isinstance(other, Clock) and self.hour == other.hour


def minutes(hours):
    if hours < 0:
        raise ValueError(hours)
    return 60 * hours
"""
CHEATS = {
    "exits": "import os\nos._exit(0)\n",
    "exits in a call": RIGHT.replace("return 60 * hours", "import os; os._exit(0)"),
    "raises SystemExit": "raise SystemExit(0)\n",
    "is equal to everything": RIGHT.replace(
        "return 60 * hours",
        "return type('Any', (), {'__eq__': lambda *_: True, '__hash__': None})()",
    ),
    "is a number equal to everything": RIGHT.replace(
        "return 60 * hours", "return type('Any', (int,), {'__eq__': lambda *_: True})(1)"
    ),
    "patches unittest": "import unittest\nunittest.TestCase.assertEqual = lambda *_: None\n"
    + RIGHT.replace("60", "61"),
    "patches the result": "import unittest\nunittest.TestResult.addFailure = lambda *_: None\n"
    "unittest.TestCase.run = lambda *_: None\n" + RIGHT.replace("60", "61"),
    "skips": RIGHT.replace("return 60 * hours", "import unittest; raise unittest.SkipTest('x')"),
    "walks the stack": RIGHT.replace(
        "return 60 * hours",
        "import sys; return max(c for c in sys._getframe(1).f_code.co_consts if isinstance(c, int))",
    ),
    "walks the stack of an exception": RIGHT.replace(
        "return 60 * hours",
        "\n    try:\n        1 / 0\n    except ZeroDivisionError as error:\n"
        "        frame = error.__traceback__.tb_frame.f_back\n"
        "    return max(c for c in frame.f_code.co_consts if isinstance(c, int))",
    ),
    "inspects the stack": RIGHT.replace(
        "return 60 * hours",
        "import inspect; f = inspect.stack()[1].frame;"
        " return max(c for c in f.f_code.co_consts if isinstance(c, int))",
    ),
    "reads the tests": RIGHT.replace(
        "return 60 * hours",
        "return {1: 60, 24: 1440}[hours] if '1440' in open('clock_test.py').read() else 0",
    ),
    "prints a verdict": "print('\\n0 4 4')\nimport os\nos._exit(0)\n",
}


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
    return Bench(sandbox=sandbox, rules=Rules.STRICT, cache=tmp_path)


@pytest.fixture
def task() -> RepositoryTask:
    return RepositoryTask(
        language="python",
        files={"clock.py": "", "clock_test.py": TESTS},
        editable=("clock.py",),
        hidden=("clock_test.py",),
        command="codeloop-tests clock_test.py",
        seconds=5.0,
    )


def shell(command: str, **files: str) -> RepositoryTask:
    names = {name.replace("_", "."): text for name, text in files.items()}
    return RepositoryTask(
        language="bash", files=names, editable=("answer.sh",), command=command, seconds=5.0
    )


def test_a_right_answer_passes_and_its_tests_are_counted(
    task: RepositoryTask, bench: Bench
) -> None:
    judged = grade(task, render_edits({"clock.py": RIGHT}), bench)
    assert judged.grade is Grade.PASS, judged.failure
    assert (judged.num_passed, judged.num_tests) == (4, 4)


def test_a_wrong_answer_is_told_which_test_failed_and_how(
    task: RepositoryTask, bench: Bench
) -> None:
    judged = grade(task, render_edits({"clock.py": RIGHT.replace("< 0", "< -9")}), bench)
    assert judged.grade is Grade.PARTIAL
    assert (judged.num_passed, judged.num_tests) == (3, 4)
    assert judged.failure is not None
    assert "test_of_a_negative_hour" in judged.failure.message
    assert "ValueError not raised" in judged.failure.message


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_does_not_pass(name: str, task: RepositoryTask, bench: Bench) -> None:
    judged = grade(task, render_edits({"clock.py": CHEATS[name]}), bench)
    assert judged.grade not in (Grade.PASS, Grade.INFRASTRUCTURE), name


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def minutes(:\n", Grade.COMPILE_ERROR),
        ("def hours(): pass\n", Grade.RUNTIME_ERROR),
        ("while True: pass\n", Grade.CPU_TIME_OUT),
    ],
)
def test_how_an_answer_fails_is_told_apart(
    code: str, expected: Grade, task: RepositoryTask, bench: Bench
) -> None:
    judged = grade(task, render_edits({"clock.py": code}), bench)
    assert judged.grade is expected


def test_an_answer_without_edits_holds_no_code(task: RepositoryTask, bench: Bench) -> None:
    assert grade(task, "I would rather not.", bench).grade is Grade.NO_CODE


@pytest.mark.parametrize("path", ["clock_test.py", "conftest.py", "sitecustomize.py"])
def test_an_answer_may_not_bring_other_files(path: str, task: RepositoryTask, bench: Bench) -> None:
    judged = grade(task, render_edits({"clock.py": RIGHT, path: "import os\n"}), bench)
    assert judged.grade is Grade.WRONG_ANSWER
    assert judged.failure is not None
    assert f"{path} is not editable" in judged.failure.message


def test_a_shell_command_decides_by_its_exit_code(bench: Bench) -> None:
    task = shell('[ "$(bash answer.sh)" = 7 ]')
    assert grade(task, render_edits({"answer.sh": "echo 7"}), bench).is_right
    assert grade(task, render_edits({"answer.sh": "echo 8"}), bench).grade is Grade.WRONG_ANSWER


def test_a_command_may_say_that_nothing_was_compiled(bench: Bench) -> None:
    task = shell("bash -n answer.sh || exit 65")
    judged = grade(task, render_edits({"answer.sh": "if"}), bench)
    assert judged.grade is Grade.COMPILE_ERROR


def test_with_a_token_an_early_exit_does_not_pass(sandbox: Sandbox, tmp_path: Path) -> None:
    task = shell("bash check.sh", check_sh=f'. ./answer.sh\n[ "$seven" = 7 ] && echo {TOKEN}\n')
    early = render_edits({"answer.sh": "exit 0"})
    strict = Bench(sandbox=sandbox, rules=Rules.STRICT, cache=tmp_path)
    official = Bench(sandbox=sandbox, rules=Rules.OFFICIAL, cache=tmp_path)
    assert grade(task, render_edits({"answer.sh": "seven=7"}), strict).is_right
    assert grade(task, early, strict).grade is Grade.RUNTIME_ERROR
    assert grade(task, early, official).is_right


def test_an_answer_cannot_bring_the_token_itself(bench: Bench) -> None:
    task = shell("bash check.sh", check_sh=f". ./answer.sh\necho {TOKEN}\n")
    forged = render_edits({"answer.sh": f"echo {TOKEN}; exit 0"})
    assert grade(task, forged, bench).grade is Grade.RUNTIME_ERROR


def test_what_the_machine_lacks_is_said_before_any_answer_is_graded(bench: Bench) -> None:
    task = RepositoryTask(
        language="bash",
        files={},
        editable=("answer.sh",),
        command="true",
        requires=("/usr/share/java/nowhere.jar",),
    )
    with pytest.raises(ToolchainMissing, match=r"nowhere\.jar"):
        grade(task, render_edits({"answer.sh": ""}), bench)


def loaded(suite_file: str, problems: str) -> DataFolder:
    if not (DATA / suite_file).is_file():
        pytest.skip(f"{DATA / suite_file} is not here: {problems} need it; see CODELOOP_DATA")
    return DataFolder(DATA)


def as_it_is(problem: Problem) -> str:
    task = problem.task
    if not isinstance(task, RepositoryTask):
        return str(problem.notes["buggy"])
    return render_edits({path: task.files[path] for path in task.editable if path in task.files})


@pytest.mark.data
def test_every_mended_quixbugs_program_passes_and_every_buggy_one_fails(bench: Bench) -> None:
    problems = QUIXBUGS.load(loaded(QUIXBUGS_FILE.path, "QuixBugs"))
    assert len(problems) == 40
    for problem in problems:
        assert problem.reference is not None
        assert judge_code(problem, problem.reference, bench).is_right, problem.id
    for problem in problems:
        if problem.id in {"topological_ordering", "flatten", "gcd", "shortest_paths", "wrap"}:
            assert not judge_code(problem, as_it_is(problem), bench).is_right, problem.id


@pytest.mark.data
def test_every_python_exercise_passes_with_its_example_and_fails_as_it_is(bench: Bench) -> None:
    problems = POLYGLOT.load(loaded(POLYGLOT_FILE.path, "the exercises"))
    python = [problem for problem in problems if problem.language == "python"]
    assert len(python) == 34
    for problem in python:
        assert problem.reference is not None
        assert judge_code(problem, problem.reference, bench).is_right, problem.id
        assert not judge_code(problem, as_it_is(problem), bench).is_right, problem.id


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("javascript/affine-cipher", "node"),
        ("java/affine-cipher", "javac"),
        ("go/alphametics", "go"),
        ("rust/accumulate", "rustc"),
        ("cpp/all-your-base", "g++"),
    ],
)
def test_an_exercise_of_each_language_is_told_right_from_wrong(
    name: str, tool: str, bench: Bench
) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    problems = POLYGLOT.load(loaded(POLYGLOT_FILE.path, "the exercises"))
    (problem,) = (problem for problem in problems if problem.id == name)
    assert problem.reference is not None
    judged = judge_code(problem, problem.reference, bench)
    if judged.grade is Grade.INFRASTRUCTURE:
        pytest.skip(f"{judged.failure}")
    assert judged.is_right, judged.failure
    assert not judge_code(problem, as_it_is(problem), bench).is_right


@pytest.mark.data
def test_an_example_is_never_shown() -> None:
    problems = POLYGLOT.load(loaded(POLYGLOT_FILE.path, "the exercises"))
    for problem in problems:
        task = problem.task
        assert isinstance(task, RepositoryTask)
        assert not any(path.startswith(".meta") for path in task.files)
        asked = str(POLYGLOT.prompt(problem))
        right = problem.reference
        is_long = right is not None and len(right) > 400 and problem.id not in STUB_IS_RIGHT
        assert not (is_long and right is not None and repr(right[-200:])[1:-1] in asked), problem.id


@pytest.mark.data
def test_the_second_try_sees_what_the_tests_said(bench: Bench) -> None:
    problems = QUIXBUGS.load(loaded(QUIXBUGS_FILE.path, "QuixBugs"))
    (problem,) = (problem for problem in problems if problem.id == "flatten")
    judged = judge_code(problem, as_it_is(problem), bench)
    again = QUIXBUGS.second_prompt(problem, "my first answer", judged)
    assert again is not None
    assert "my first answer" in str(again)
    assert "test_0" in str(again)
    assert problem.reference is not None
    right = judge_code(problem, problem.reference, bench)
    assert QUIXBUGS.second_prompt(problem, problem.reference, right) is None
