"""The policy in a thread of its own: the event loop goes on while it learns, publishes and saves."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from trainer.checkpoint import Checkpoint, Checkpoints
from trainer.errors import LearnerFailed, SaveFailed
from trainer.importance import Correction
from trainer.lesson import Lesson
from trainer.own_thread import OwnThread
from trainer.packing import Sample
from trainer.policy import Policy, StepReport
from trainer.probe import probe_records, probes_of
from trainer.recipe import Recipe
from trainer.versions import Published, Versions


@dataclass(frozen=True, kw_only=True)
class Learned:
    """The steps of one iteration; none where nothing was to be learned."""

    reports: tuple[StepReport, ...]
    seconds: float


class PolicyThread:
    """Calls to the policy in turn, each with its deadline."""

    def __init__(self, policy: Policy, recipe: Recipe, versions: Versions) -> None:
        self._policy, self._recipe, self._versions = policy, recipe, versions
        self._thread = OwnThread("learner")
        self._is_changed = False
        self._probes: tuple[Sample, ...] = ()

    async def learn(self, lesson: Lesson, step_ended: Callable[[], None]) -> Learned:
        """One step a mini-batch. Raises StepInvalid, TooStale, LearnerFailed."""
        started = time.monotonic()
        seconds = self._recipe.pipeline.step_seconds
        mini_batches = lesson.mini_batches
        needs_proximal = self._recipe.objective.correction is not Correction.NONE
        if needs_proximal and len(mini_batches) > 1:
            with _step_deadline(seconds):
                async with asyncio.timeout(seconds):
                    mini_batches = await self._thread.call(self._with_proximal, mini_batches)
        reports = []
        for samples in mini_batches:
            with _step_deadline(seconds):
                async with asyncio.timeout(seconds):
                    reports.append(await self._thread.call(self._policy.step, samples))
            self._is_changed = self._is_changed or not reports[-1].is_skipped
            step_ended()
        self._probes = probes_of(lesson, self._recipe.publish.probes)
        return Learned(reports=tuple(reports), seconds=time.monotonic() - started)

    async def log_probs(self, samples: Sequence[Sample], temperature: float) -> list[list[float]]:
        """Of answers' tokens under the weights of now."""
        seconds = self._recipe.pipeline.step_seconds
        with _step_deadline(seconds):
            async with asyncio.timeout(seconds):
                return await self._thread.call(self._policy.log_probs, samples, temperature)

    async def publish(self, summary: Mapping[str, Any]) -> Published:
        """Write the weights of now as a version, or find them published. Raises SaveFailed."""
        seconds = self._recipe.pipeline.save_seconds
        with _save_deadline("publishing", seconds):
            async with asyncio.timeout(seconds):
                return await self._thread.call(self._publish, summary)

    async def save(
        self,
        checkpoints: Checkpoints,
        iteration: int,
        progress: Mapping[str, Any],
        version_folder: Path | None,
    ) -> int:
        """A checkpoint; its bytes. Raises SaveFailed."""

        def write() -> int:
            policy = {"policy": self._policy.state(), "torch_rng": torch.get_rng_state()}
            return checkpoints.save(
                iteration, policy=policy, progress=progress, version_folder=version_folder
            )

        seconds = self._recipe.pipeline.save_seconds
        with _save_deadline("saving", seconds):
            async with asyncio.timeout(seconds):
                return await self._thread.call(write)

    async def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint's weights."""

        def load() -> None:
            self._policy.load_state(checkpoint.policy["policy"])
            torch.set_rng_state(checkpoint.policy["torch_rng"])

        await self._thread.call(load)

    def close(self) -> None:
        self._thread.close()

    def _publish(self, summary: Mapping[str, Any]) -> Published:
        if self._is_changed and self._probes:
            found = self._policy.log_probs(self._probes, 1.0)
            summary = {**summary, "probes": probe_records(self._probes, found)}
        published = self._versions.publish(self._policy, summary, is_changed=self._is_changed)
        self._is_changed = False
        return published

    def _with_proximal(
        self, mini_batches: Sequence[Sequence[Sample]]
    ) -> tuple[tuple[Sample, ...], ...]:
        """The samples with the learner's log-probs before the first step, which corrections start from."""
        temperature = self._recipe.drawing.temperature
        return tuple(
            tuple(
                replace(sample, proximal_log_probs=row)
                for sample, row in zip(
                    samples, self._policy.log_probs(samples, temperature), strict=True
                )
            )
            for samples in mini_batches
        )


@contextlib.contextmanager
def _step_deadline(seconds: float) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise LearnerFailed(
            f"training: an optimiser step has not ended after {seconds:g} s: the learner is stuck or"
            " slow; look at it, or raise pipeline.step_seconds"
        ) from error


@contextlib.contextmanager
def _save_deadline(phase: str, seconds: float) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise SaveFailed(
            f"{phase}: not written after {seconds:g} s: the disk is stuck or slow and the last good one"
            " stands; look at the disk, or raise pipeline.save_seconds"
        ) from error
