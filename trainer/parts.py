"""What a run is put together from, and who is told what goes on in it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trainer.checkpoint import Checkpoints
from trainer.collect import Grades
from trainer.dataset.order import Order
from trainer.evaluation import Evaluation
from trainer.event_log import EventLog
from trainer.policy_thread import PolicyThread
from trainer.prompts import Prompts
from trainer.recipe import Recipe
from trainer.rollout import Sampler
from trainer.versions import Versions


class Watch:
    """Is told what goes on; a live table shows it. Everything may be left out."""

    def phase(self, name: str, iteration: int) -> None:
        """Begins now, or has just ended: loading, evaluating, sampling, group (one came), sampled,
        graded, training, step (one ended), publishing, published, saving, saved."""

    def row(self, row: Mapping[str, Any]) -> None:
        """Was written to the log."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The scheduler's parts. evaluation: None where nothing is held out."""

    recipe: Recipe
    sampler: Sampler
    learner: PolicyThread
    grader: Grades
    prompts: Prompts
    order: Order
    evaluation: Evaluation | None
    log: EventLog
    checkpoints: Checkpoints
    versions: Versions
    watch: Watch
    clock: Callable[[], float] = time.monotonic

    def write(self, row: Mapping[str, Any]) -> None:
        """To the log, and to whoever watches. Raises SaveFailed."""
        self.log.append(row)
        self.watch.row(row)
