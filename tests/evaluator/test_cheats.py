"""No program that only tries to be graded right passes a task of any kind, or leaves the score."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evaluator.errors import GraderUnavailable
from evaluator.grading.bench import Bench, Rules
from evaluator.grading.check import grade as grade_check
from evaluator.judge import judge_code
from evaluator.judgement import Grade, Judgement
from evaluator.problem import CallTask, CheckTask, FunctionTask, Problem, StdioTask, Task

CHEATS = sorted((Path(__file__).parent / "cheats").glob("*.py"))
SUMS = "def solve(numbers):\n    return [sum(numbers[:n]) for n in range(1, len(numbers) + 1)]\n"
CLOSE = (
    "def solve(numbers, threshold):\n    pairs = zip(sorted(numbers), sorted(numbers)[1:])\n"
    "    return any(b - a < threshold for a, b in pairs)\n"
)
ROOT = "def solve(xs):\n    return -xs[0] / xs[1]\n"
TASKS: dict[str, Task] = {
    "function": FunctionTask(
        entry_point="solve",
        reference=SUMS,
        base_inputs=(([1, 2, 3],), ([5, -5],), ([4, 4, 4],)),
        plus_inputs=(([7] * 3,), ([10**12, 1],)),
    ),
    "closeness": FunctionTask(
        entry_point="solve",
        reference=CLOSE,
        base_inputs=(([1.0, 2.0, 3.0], 0.5), ([1.0, 2.8, 3.0, 4.0], 0.3)),
        plus_inputs=(([1.0, 2.0, 5.9, 4.0, 5.0], 0.95), ([1.0, 2.0, 5.9, 4.0, 5.0], 0.8)),
    ),
    "floats": FunctionTask(
        entry_point="solve",
        reference=SUMS,
        base_inputs=(([0.1, 0.2, 0.3],), ([1.5, 2.5, 3.5],)),
        tolerance=1e-6,
    ),
    "root": FunctionTask(
        entry_point="solve",
        reference=ROOT,
        base_inputs=(([1.0, 2.0],), ([-6.0, 11.0],)),
        tolerance=1e-4,
        oracle="root",
    ),
    "set": FunctionTask(
        entry_point="solve",
        reference=SUMS,
        base_inputs=(([1, 2, 3],), ([9, 3, 5],)),
        oracle="same_set",
    ),
    "check": CheckTask(
        entry_point="solve",
        test="def check(candidate):\n    assert candidate([1, 2, 3]) == [1, 3, 6]\n"
        "    assert abs(candidate([0.5, 0.5])[1] - 1.0) < 1e-6\n"
        "    for end in range(candidate([4, 4])[-1]):\n        assert end < 8\n",
        reference=SUMS,
        seconds=0.5,
    ),
    "asserted": CheckTask(
        entry_point="solve",
        candidate="solve",
        test="assert solve([1, 2, 3]) == [1, 3, 6]\nassert solve(solve([1, 1])) == [1, 3]",
        reference=SUMS,
        seconds=0.5,
    ),
    "method": CheckTask(
        entry_point="Solution().solve",
        test="def check(candidate):\n    assert candidate(numbers=[1, 2, 3]) == [1, 3, 6]\n"
        "    assert candidate(numbers=[2, 2, 2]) == [2, 4, 6]\n",
        reference="class Solution:\n    def solve(self, numbers):\n"
        "        return [sum(numbers[:n]) for n in range(1, len(numbers) + 1)]\n",
        seconds=0.5,
    ),
    "stdio": StdioTask(
        tests=(("1 2 3\n", "[1, 3, 6]\n"), ("5 -5\n", "[5, 0]\n")), compare="numbers", seconds=0.5
    ),
    "call": CallTask(
        function="solve",
        tests=((([1, 2, 3],), [1, 3, 6]), (([0.5, 1.0],), [0.5, 1.5])),
        seconds=0.5,
    ),
}
IN_CLASS = (
    "\n\nclass Solution:\n    def solve(self, *arguments, **named):\n"
    "        return solve(*arguments, *named.values())\n"
)
AROUND = {
    "method": IN_CLASS,
    "call": IN_CLASS,
    "stdio": "\n\nimport sys\nprint(solve([int(word) for word in sys.stdin.read().split()]))\n",
}
COSTLY = {
    "doubling_result": ("call",),
    "endless_output": ("check", "stdio", "call"),
    "endless_range": ("floats", "check", "stdio", "call"),
    "huge_result": ("function", "check", "call"),
    "result_that_holds_itself": ("check", "call"),
    "late_thread": ("check", "asserted", "stdio", "call"),
}
"""Cheats that use up a limit: on these kinds only, whose limits are short."""


def judged(kind: str, source: str, bench: Bench) -> Judgement:
    problem = Problem(id=kind, statement="", task=TASKS[kind])
    return judge_code(problem, source + AROUND.get(kind, ""), bench)


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda path: path.stem)
def test_cheat_passes_no_kind_of_task_and_stays_in_the_score(
    cheat: Path, strict_bench: Bench
) -> None:
    kinds = COSTLY.get(cheat.stem, tuple(TASKS))
    source = cheat.read_text()
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda kind: judged(kind, source, strict_bench), kinds))
    grades = {kind: one.grade for kind, one in zip(kinds, found, strict=True)}
    assert not {kind for kind, grade in grades.items() if grade is Grade.PASS}, grades
    assert all(one.is_scored for one in found), [one.failure for one in found]


def test_there_are_cheats_of_many_kinds() -> None:
    assert len(CHEATS) >= 60


@pytest.mark.parametrize("kind", [kind for kind in TASKS if kind not in ("closeness", "root")])
def test_honest_program_passes_where_cheats_do_not(kind: str, strict_bench: Bench) -> None:
    assert judged(kind, SUMS, strict_bench).grade is Grade.PASS


def test_honest_programs_of_the_other_kinds_pass_too(strict_bench: Bench) -> None:
    assert judged("closeness", CLOSE, strict_bench).is_right
    assert judged("root", ROOT, strict_bench).is_right


def test_the_harnesses_own_rules_let_an_always_equal_object_pass(
    graders: Mapping[Rules, Bench],
) -> None:
    cheat = (Path(__file__).parent / "cheats" / "always_equal_object.py").read_text()
    for kind in ("function", "asserted", "call"):
        assert judged(kind, cheat, graders[Rules.OFFICIAL]).is_right, kind
        assert not judged(kind, cheat, graders[Rules.STRICT]).is_right, kind


def test_what_forges_the_harnesses_answer_ends_in_a_grade_under_their_rules(
    official_bench: Bench,
) -> None:
    forged = (
        "import gc, marshal, os, struct\nfor value in ((['x'], [], 'm'), ('pass', -5, '', ''), ...):\n"
        "    content = marshal.dumps(value, 2)\n    for fd in range(3, 64):\n        try:\n"
        "            os.write(fd, struct.pack('<cfI', b'r', 0.0, len(content)) + content)\n"
        "        except OSError:\n            pass\nos._exit(0)\n"
    )
    for kind in TASKS:
        assert judged(kind, forged, official_bench).is_scored, kind


def test_an_object_is_not_taken_for_the_references_by_its_types_name(strict_bench: Bench) -> None:
    reference = "class Match:\n    x = 1\n\ndef solve(n):\n    return [Match(), n]\n"
    cheat = "class Match:\n    pass\n\ndef solve(n):\n    return [Match(), n]\n"
    task = FunctionTask(entry_point="solve", reference=reference, base_inputs=((1,),))
    problem = Problem(id="p", statement="", task=task)
    assert judge_code(problem, cheat, strict_bench).grade is Grade.WRONG_ANSWER


@pytest.mark.parametrize(
    ("reference", "test"),
    [
        ("class R:\n    x = 1\n\ndef f(n):\n    return R()\n", "assert f(1).x == 1"),
        ("class R:\n    x = 1\n\ndef f(r):\n    return r.x\n", "assert f(R()) == 1"),
        ("def f(n):\n    return n\n", "assert True"),
        ("def f(n):\n    return n\n", "assert f(1) == 2"),
    ],
    ids=["gets an object", "gives an object", "calls nothing", "fails"],
)
def test_a_check_that_could_pass_anything_grades_nothing(
    reference: str, test: str, strict_bench: Bench
) -> None:
    task = CheckTask(entry_point="f", candidate="f", test=test, reference=reference)
    with pytest.raises(GraderUnavailable):
        grade_check(task, "class Opaque: pass\n\ndef f(n):\n    return Opaque()\n", strict_bench)


def test_a_call_that_ignores_its_timer_is_late_although_it_is_right(strict_bench: Bench) -> None:
    late = (
        "import signal, time\n\ndef solve(numbers):\n"
        "    for number in (signal.SIGPROF, signal.SIGALRM, signal.SIGXCPU):\n"
        "        signal.signal(number, signal.SIG_IGN)\n"
        "    while time.process_time() < 1.0:\n        pass\n"
        "    return [sum(numbers[:n]) for n in range(1, len(numbers) + 1)]\n"
    )
    assert judged("check", late, strict_bench).grade is Grade.CPU_TIME_OUT
    assert judged("call", late, strict_bench).grade is Grade.CPU_TIME_OUT
