"""Rewards from a real sandbox: what earns one, what does not, and what has none."""

import asyncio
import pathlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from evaluator.grading.bench import Bench, Rules
from evaluator.problem import CallTask, Problem, StdioTask
from evaluator.prompt import Message
from sandbox.sandbox import Sandbox
from sandbox.settings import SandboxSettings
from trainer.dataset.problem import TrainingProblem
from trainer.dataset.rewarding import MOST_REWARDING, divided
from trainer.dataset.tasks import TrainingTask
from trainer.errors import RewardFailed
from trainer.reward import FORMAT, Grader, Reward
from trainer.rollout import Answer

DOUBLE = CallTask(function="double", tests=tuple(((n,), 2 * n) for n in (1, 5, 7)), seconds=1.0)
HIDDEN = replace(DOUBLE, tests=(((20,), 40), ((-3,), -6)))
ECHO = StdioTask(tests=tuple((f"{n}\n", f"{n}\n") for n in range(20)), seconds=2.0)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings(workers=2)) as opened:
        yield opened


def bench_of(sandbox: Sandbox, cache: pathlib.Path) -> Bench:
    return Bench(sandbox=sandbox, rules=Rules.STRICT, cache=cache)


@pytest.fixture
def grader(sandbox: Sandbox, tmp_path: pathlib.Path) -> Iterator[Grader]:
    with Grader(bench_of(sandbox, tmp_path)) as made:
        yield made


def asked(
    task: TrainingTask, *, head: str = "", holdout: TrainingTask | None = None
) -> TrainingProblem:
    return TrainingProblem(
        id="p",
        kind="p",
        source="test",
        licence="none",
        messages=(Message(role="user", content="?"),),
        answer_head=head,
        problem=Problem(id="p", statement="?", task=task),
        holdout=holdout,
    )


def answer(text: str) -> Answer:
    return Answer(token_ids=(), log_probs=(), policy_versions=(), text=text, is_cut=False)


def rewards(grader: Grader, problem: TrainingProblem, texts: Sequence[str]) -> list[Reward]:
    async def all_of_them() -> list[Reward]:
        return await asyncio.gather(*(grader.grade(problem, answer(text)) for text in texts))

    return asyncio.run(all_of_them())


def test_right_answer_earns_one_and_its_holdout_is_told(grader: Grader) -> None:
    problem = asked(DOUBLE, head="def double(n):", holdout=HIDDEN)
    honest, memorised, wrong = rewards(
        grader,
        problem,
        ["\n    return 2 * n", "\n    return {1: 2, 5: 10, 7: 14}[n]", "\n    return n + 1"],
    )
    assert (honest.score, honest.reason, honest.holdout) == (1.0, "pass", True)
    assert (memorised.score, memorised.reason, memorised.holdout) == (1.0, "pass", False)
    assert (wrong.score, wrong.holdout) == (0.0, None)


def test_holdout_of_whole_programs_is_told_apart(grader: Grader) -> None:
    problem = asked(
        replace(ECHO, tests=ECHO.tests[:2]), holdout=replace(ECHO, tests=ECHO.tests[2:4])
    )
    honest, memorised = rewards(
        grader,
        problem,
        [
            "```python\nprint(input())\n```",
            "```python\nn = input()\nassert n in '01'\nprint(n)\n```",
        ],
    )
    assert (honest.score, honest.holdout) == (1.0, True)
    assert (memorised.score, memorised.holdout) == (1.0, False)


@pytest.mark.parametrize(
    "cheat",
    [
        "\n    exit()",
        "\n    import os\n    os._exit(0)",
        "\n    class Any:\n        def __eq__(self, other): return True\n    return Any()",
        "\n    class Any(int):\n        def __eq__(self, other): return True\n    return Any(0)",
        "\n    import sys\n    sys.settrace(None)\n    raise SystemExit(0)",
        "\n    import builtins\n    builtins.all = lambda *_: True\n    return 0",
        "\n    while True: pass",
        "",
        "\n  retu",
    ],
)
def test_cheat_earns_nothing(grader: Grader, cheat: str) -> None:
    (found,) = rewards(grader, asked(DOUBLE, head="def double(n):"), [cheat])
    assert found.score == 0.0


def test_answer_that_goes_on_after_its_fence_is_graded_up_to_it(grader: Grader) -> None:
    text = "\n    return 2 * n\n```\nThis doubles n.\n```python\nassert double(1) == 3"
    (found,) = rewards(grader, asked(DOUBLE, head="def double(n):"), [text])
    assert found.score == 1.0


def test_free_answer_needs_a_fenced_block_outside_its_reasoning(grader: Grader) -> None:
    program = "```python\ndef double(n):\n    return 2 * n\n```"
    right, bare, inside, last = rewards(
        grader,
        asked(DOUBLE),
        [
            f"<think>2 + 2?</think>\n{program}",
            "def double(n):\n    return 2 * n",
            f"<think>{program}</think> It doubles.",
            f"{program}\nBetter:\n```python\ndef double(n):\n    return n\n```",
        ],
    )
    assert right.score == 1.0
    assert (bare.score, bare.reason) == (0.0, FORMAT)
    assert (inside.score, inside.reason) == (0.0, FORMAT)
    assert last.score == 0.0, "the last block is the answer"


def test_longest_inputs_reward_and_keep_the_function_name(grader: Grader) -> None:
    tests = tuple(((list(range(n)),), n) for n in range(1, 41))
    rewarding, holdout = divided(CallTask(function="num_items", tests=tests, seconds=1.0))
    assert isinstance(rewarding, CallTask)
    assert isinstance(holdout, CallTask)
    assert len(rewarding.tests) == MOST_REWARDING
    assert min(expected for _, expected in rewarding.tests) == 40 - MOST_REWARDING + 1
    assert not {expected for _, expected in holdout.tests} & {n for _, n in rewarding.tests}
    (found,) = rewards(
        grader,
        asked(rewarding, holdout=holdout),
        ["```python\ndef num_items(xs):\n    return len(xs)\n```"],
    )
    assert (found.score, found.holdout) == (1.0, True)


def test_one_wrong_output_of_many_earns_nothing(grader: Grader) -> None:
    right, wrong = rewards(
        grader,
        asked(ECHO),
        [
            "```python\nprint(input())\n```",
            "```python\nn = input()\nprint('?' if n == '19' else n)\n```",
        ],
    )
    assert (right.score, wrong.score) == (1.0, 0.0)


def test_problem_without_tests_gives_no_reward(grader: Grader) -> None:
    (found,) = rewards(
        grader, asked(replace(DOUBLE, tests=()), head="def double(n):"), ["\n    return 2 * n"]
    )
    assert found.score is None
    assert "no tests" in found.reason


def test_same_answer_earns_the_same(grader: Grader) -> None:
    texts = ["\n    return 2 * n", "\n    return 3"] * 20
    found = rewards(grader, asked(DOUBLE, head="def double(n):"), texts)
    assert [one.score for one in found] == [1.0, 0.0] * 20


def test_answer_past_its_deadline_has_no_reward(sandbox: Sandbox, tmp_path: pathlib.Path) -> None:
    problem = asked(replace(DOUBLE, seconds=0.5), head="def double(n):")
    with Grader(bench_of(sandbox, tmp_path), deadline_seconds=0.05) as grader:
        (found,) = rewards(grader, problem, ["\n    while True: pass"])
    assert found.score is None
    assert "0.05 s" in found.reason


def test_sandbox_that_is_gone_is_an_error_and_no_zero(tmp_path: pathlib.Path) -> None:
    opened = Sandbox(SandboxSettings(workers=1))
    opened.close()
    with (
        Grader(bench_of(opened, tmp_path)) as grader,
        pytest.raises(RewardFailed, match="runs no program"),
    ):
        rewards(grader, asked(DOUBLE, head="def double(n):"), ["\n    return 2 * n"])


@pytest.mark.parametrize(
    "values",
    [[(1, [2, {3}]), {"a": (b"x", 1j)}, {1: None, (2,): frozenset({4})}, {"!": 1.5, "b": 0}]],
)
def test_values_of_tests_survive_json(values: Any) -> None:
    task = CallTask(function="f", tests=tuple(((value,), value) for value in values))
    problem = asked(task, holdout=ECHO)
    assert TrainingProblem.from_row(problem.as_row()).problem.task == task
