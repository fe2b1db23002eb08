"""Tells a sandbox that failed at one program from one that runs nothing any more."""

from evaluator.grading.bench import Bench
from evaluator.judge import judge_code
from evaluator.problem import Problem, StdioTask
from trainer.errors import RewardFailed

_PROBE = Problem(id="probe", statement="", task=StdioTask(tests=(("", "1\n"),)))


def check_alive(bench: Bench, reason: str) -> None:
    """Raise RewardFailed unless a program that does nothing still runs.

    reason: what the sandbox failed at. One answer without a verdict is its group's loss; a sandbox
    that is gone is the whole run's.
    """
    if not judge_code(_PROBE, "print(1)\n", bench).is_right:
        raise RewardFailed(
            f"the sandbox runs no program any more ({reason}): see codeloop sandbox probe, then go on"
            " from where this stopped"
        )
