"""Tells a sandbox that failed at one program from one that runs nothing any more."""

from evaluator.grading.bench import Bench, python_program
from sandbox.errors import SandboxError
from trainer.errors import RewardFailed

_PROBE = python_program("print(1)\n")


def check_alive(bench: Bench, reason: str) -> None:
    """Raise RewardFailed unless a program that does nothing still runs.

    reason: what the sandbox failed at. One answer without a verdict is its group's loss; a sandbox
    that is gone is the whole run's.
    """
    try:
        is_alive = bench.sandbox.run(_PROBE).ok
    except (SandboxError, OSError, RuntimeError) as error:
        reason, is_alive = f"{type(error).__name__}: {error}", False
    if not is_alive:
        raise RewardFailed(
            f"the sandbox runs no program any more ({reason}): see codeloop sandbox probe, then go on"
            " from where this stopped"
        )
