"""The family of short functions: large, repeatable, split by kind, and not to be had by lazy answers."""

import asyncio
import pathlib
import re
from collections import Counter

import pytest

from evaluator.grading.bench import Bench, Rules
from evaluator.problem import CallTask
from sandbox.sandbox import Sandbox
from sandbox.settings import SandboxSettings
from trainer.dataset.problem import TrainingProblem
from trainer.dataset.short_functions import NUM_HOLDOUT, NUM_REWARDING, short_functions, split
from trainer.reward import Grader, Reward
from trainer.rollout import Answer

LAZY = (
    "return None",
    "return 0",
    "return []",
    "return False",
    "return True",
    "return ''",
    "exit()",
)


@pytest.fixture(scope="module")
def family() -> list[TrainingProblem]:
    return short_functions()


def calls(task: object) -> CallTask:
    assert isinstance(task, CallTask)
    return task


def graded(family: list[TrainingProblem], text: str, folder: pathlib.Path) -> list[Reward]:
    """text: the body of every function; empty for the references' own."""

    async def all_of_them(grader: Grader) -> list[Reward]:
        answers = [
            text or (one.problem.reference or "").removeprefix(one.answer_head) for one in family
        ]
        return await asyncio.gather(
            *(
                grader.grade(
                    one,
                    Answer(token_ids=(), log_probs=(), policy_versions=(), text=body, is_cut=False),
                )
                for one, body in zip(family, answers, strict=True)
            )
        )

    with Sandbox(SandboxSettings(workers=2)) as sandbox:
        bench = Bench(sandbox=sandbox, rules=Rules.STRICT, cache=folder)
        with Grader(bench) as grader:
            return asyncio.run(all_of_them(grader))


def test_equal_seeds_give_equal_problems(family: list[TrainingProblem]) -> None:
    again = short_functions(0, versions=1)
    first_versions = [one.as_row() for one in family if one.id.endswith("/0")]
    assert first_versions == [one.as_row() for one in again]


def test_family_is_large_and_has_every_problem_once(family: list[TrainingProblem]) -> None:
    assert len(family) >= 1000
    assert len({one.kind for one in family}) >= 500
    assert Counter(one.id for one in family).most_common(1)[0][1] == 1


def test_kinds_and_texts_of_the_two_parts_have_nothing_in_common(
    family: list[TrainingProblem],
) -> None:
    trained, held_out = split(family)
    assert len(trained) + len(held_out) == len(family)
    assert 0.2 < len(held_out) / len(family) < 0.3
    assert not {one.kind for one in trained} & {one.kind for one in held_out}

    def texts(problems: list[TrainingProblem]) -> set[tuple[str, str]]:
        # Constants do not make another text.
        return {
            (one.answer_head.partition("(")[2], re.sub(r"\d+|'.'", "#", one.problem.statement))
            for one in problems
        }

    assert not texts(trained) & texts(held_out)


def test_shown_tests_reward_and_holdout_tests_do_not(family: list[TrainingProblem]) -> None:
    for one in family:
        rewarding, holdout = calls(one.problem.task), calls(one.holdout)
        assert len(rewarding.tests) == NUM_REWARDING
        assert len(holdout.tests) == NUM_HOLDOUT
        given = {repr(arguments) for arguments, _ in rewarding.tests}
        assert not given & {repr(arguments) for arguments, _ in holdout.tests}
        shown = re.findall(r"^assert (.*)$", one.messages[0].content, re.MULTILINE)
        wanted = [
            f"{rewarding.function}({', '.join(map(repr, arguments))}) == {expected!r}"
            for arguments, expected in rewarding.tests[:2]
        ]
        assert shown == wanted
        assert one.messages[-1].content == "```python\n" + one.answer_head


def test_references_pass_and_lazy_answers_do_not(
    family: list[TrainingProblem], tmp_path: pathlib.Path
) -> None:
    some = family[::16]
    assert {(one.score, one.holdout) for one in graded(some, "", tmp_path)} == {(1.0, True)}
    for number, lazy in enumerate(LAZY):
        found = graded(family[number::64], f"\n    {lazy}", tmp_path)
        assert {one.score for one in found} == {0.0}, lazy
