"""The scheduler: one producer of graded batches, one learner, and which version each batch is drawn from.

Batch b is drawn from the policy as it was after iteration b - 1 - lag, always exactly that one, however
fast either side is: lag 0 is synchronous, lag 1 one-off. So a run is the same however its threads fall,
and staleness is bounded by construction; the learner checks it token by token all the same.

    synchronous           draw b from version b - 1, grade as answers come, learn
    one_off               draw b from version b - 2 while b - 1 is learned; then grade; then draw b + 1
    one_off_interleaved   the same, graded as answers come, and b + 1 is begun with rewards still out

Every wait on sampler, sandbox, learner and disk has a deadline and tells its name. Whatever fails ends
the run with the error of what failed first; the last checkpoint stands.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from trainer.batch import Batch
from trainer.errors import AllGroupsDead
from trainer.hand_over import HandOver
from trainer.iteration import iteration_row, sample_texts
from trainer.lesson import Lesson, lesson_of
from trainer.parts import Parts
from trainer.parts import Watch as Watch
from trainer.policy_thread import Learned
from trainer.producer import Producer
from trainer.progress import Outcome, Progress
from trainer.versions import Published

OUT_OF_TIME = "minutes"
"""Why a run ended whose time was up; its last version is evaluated all the same."""


class Pipeline:
    """One run, or the rest of one.

    published: weights by the iteration after which they were published; those that the progress
    still needs.
    """

    def __init__(
        self, parts: Parts, progress: Progress, published: Mapping[int, Published]
    ) -> None:
        self._parts, self._progress = parts, progress
        self._recipe, self._watch = parts.recipe, parts.watch
        self._lag, self._last = parts.recipe.pipeline.lag, parts.recipe.limits.iterations
        self._hand_over = HandOver(published)
        self._producer = Producer(parts, progress, self._hand_over)
        self._stop_reason = ""
        self._row_seconds = parts.clock()

    def stop(self, reason: str) -> None:
        """End after the iteration under way, with a checkpoint."""
        self._stop_reason = self._stop_reason or reason

    async def run(self) -> str:
        """To the end of the recipe, or of its time; why it ended. Raises TrainerError."""
        try:
            async with asyncio.TaskGroup() as tasks:
                producing = tasks.create_task(self._producer.run(tasks))
                await self._learn()
                if self._stop_reason:
                    producing.cancel()
                    self._producer.leave()
            if self._stop_reason == OUT_OF_TIME:
                await self._producer.finish(self._progress.iteration)
        except BaseExceptionGroup as group:
            raise _first(group) from group
        return self._stop_reason or "done"

    async def _learn(self) -> None:
        started, saved = self._parts.clock(), self._progress.iteration
        every, minutes = self._recipe.checkpoint.every, self._recipe.limits.minutes
        while self._progress.iteration < self._last and not self._stop_reason:
            waited = self._parts.clock()
            batch = await self._producer.ready.get()
            await self._producer.grade(batch)
            published = await self._learn_batch(batch, self._parts.clock() - waited)
            is_due = batch.iteration % every == 0 or batch.iteration == self._last
            # Taken before the producer hears of the version: what it then draws is of the next one.
            row = self._snapshot(published) if is_due else None
            await self._hand_over.put(batch.iteration, published, num_kept=self._lag + 1)
            self._parts.versions.remove_old(self._hand_over.versions)
            if row is not None:
                await self._save(row, published)
                saved = batch.iteration
            if minutes is not None and self._parts.clock() - started > 60 * minutes:
                self.stop(OUT_OF_TIME)
        if saved < self._progress.iteration:
            await self._save(self._snapshot(published), published)

    async def _learn_batch(self, batch: Batch, idle_seconds: float) -> Published:
        """Learn, publish, and tell the log. Raises what learning and publishing do, AllGroupsDead."""
        number, stage = self._recipe.stage_at(batch.iteration)
        if number != self._progress.stage:
            shown = stage.model_dump(exclude={"iterations"})
            row = {"type": "stage", "iteration": batch.iteration, "stage": number}
            self._parts.write(row | shown)
            self._progress.stage = number
        lesson = lesson_of(batch, self._recipe, stage.mini_batches)
        self._watch.phase("training", batch.iteration)
        learned = await self._parts.learner.learn(
            lesson, lambda: self._watch.phase("step", batch.iteration)
        )
        self._note(batch, lesson)
        self._watch.phase("publishing", batch.iteration)
        began = self._parts.clock()
        published = await self._parts.learner.publish({"iteration": batch.iteration})
        times = {
            "learner_idle_seconds": idle_seconds,
            "publishing_seconds": self._parts.clock() - began,
        }
        self._watch.phase("published", batch.iteration)
        self._rows(batch, lesson, learned, number, times)
        self._refuse_all_dead()
        return published

    def _note(self, batch: Batch, lesson: Lesson) -> None:
        """The batch is learned: it is in flight no more."""
        progress = self._progress
        progress.iteration = batch.iteration
        progress.in_flight = [one for one in progress.in_flight if one is not batch]
        progress.dead_iterations = 0 if lesson.num_live else progress.dead_iterations + 1
        for slot in [*batch.dead, *batch.slots]:
            scores = [one.score for one in slot.rewards if one.score is not None]
            outcome = Outcome(
                iteration=batch.iteration,
                problem_id=slot.problem_id,
                num_right=sum(score > 0 for score in scores),
                num_counted=len(scores),
            )
            progress.outcomes.append(outcome)

    def _rows(
        self,
        batch: Batch,
        lesson: Lesson,
        learned: Learned,
        stage: int,
        times: Mapping[str, float],
    ) -> None:
        now = self._parts.clock()
        row = iteration_row(batch, lesson, learned, self._parts.prompts)
        row["stage"] = stage
        row["measured"] |= {"iteration_seconds": now - self._row_seconds, **times}
        self._row_seconds = now
        self._parts.write(row)
        self._parts.write(sample_texts(batch))

    def _refuse_all_dead(self) -> None:
        if self._progress.dead_iterations >= self._recipe.limits.dead_iterations:
            raise AllGroupsDead(
                f"no group of the last {self._progress.dead_iterations} iterations had two different"
                " rewards: nothing is learned from them; take easier or harder problems, more samples a"
                " prompt, another temperature, or raise limits.dead_iterations"
            )

    def _snapshot(self, published: Published) -> dict[str, Any]:
        """The progress of this very moment, with the versions that going on from it needs."""
        progress = self._progress
        older = self._hand_over.known(progress.iteration - self._lag, published)
        progress.version, progress.older_version = published.version, older.version
        return progress.as_row(self._parts.order, log_bytes=self._parts.log.num_bytes)

    async def _save(self, row: Mapping[str, Any], published: Published) -> None:
        """A checkpoint. It is written while the sampler goes on."""
        iteration = int(row["iteration"])
        self._watch.phase("saving", iteration)
        started = self._parts.clock()
        self._parts.log.flush_to_disk()
        older = self._hand_over.known(iteration - self._lag, published)
        num_bytes = await self._parts.learner.save(
            self._parts.checkpoints,
            iteration,
            row,
            None if older.version == published.version else older.folder,
        )
        seconds = self._parts.clock() - started
        self._parts.write(save_row(iteration, seconds=seconds, num_bytes=num_bytes))
        self._watch.phase("saved", iteration)


def save_row(iteration: int, *, seconds: float | None, num_bytes: int | None) -> dict[str, Any]:
    """The log's row of a checkpoint that is there; without numbers where a resume writes it anew."""
    measured = {"seconds": seconds, "bytes": num_bytes}
    return {"type": "save", "iteration": iteration, "measured": measured}


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What a group of errors began with: the others followed from it."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
