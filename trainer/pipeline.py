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
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trainer.batch import Batch, Slot, group_request
from trainer.checkpoint import Checkpoints
from trainer.collect import Grades, draw_slots, grade_slot, reward_deadline
from trainer.dataset.order import Order
from trainer.errors import AllGroupsDead, UpdateFailed
from trainer.evaluation import Evaluation
from trainer.event_log import EventLog
from trainer.iteration import iteration_row, sample_texts
from trainer.lesson import Lesson, lesson_of
from trainer.policy_thread import Learned, PolicyThread
from trainer.progress import Outcome, Progress
from trainer.prompts import Prompts
from trainer.recipe import Recipe, Stage
from trainer.rollout import Drawing, Sampler
from trainer.versions import Published, Versions


class Watch:
    """Is told what goes on; a live table shows it. Everything may be left out."""

    def phase(self, name: str, iteration: int) -> None:
        """Begins now, or has just ended: loading, evaluating, sampling, group (one came), sampled,
        graded, training, step (one ended), publishing, published, saving, saved."""

    def row(self, row: Mapping[str, Any]) -> None:
        """Was written to the log."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a pipeline is put together from."""

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


class Pipeline:
    """One run, or the rest of one.

    published: weights by the iteration after which they were published; those that the progress
    still needs.
    """

    def __init__(self, parts: Parts, progress: Progress, published: dict[int, Published]) -> None:
        self._parts, self._progress, self._published = parts, progress, published
        self._recipe, self._watch = parts.recipe, parts.watch
        self._lag, self._last = parts.recipe.pipeline.lag, parts.recipe.limits.iterations
        self._is_published = asyncio.Condition()
        self._ready: asyncio.Queue[Batch] = asyncio.Queue(maxsize=self._lag + 1)
        self._gradings: dict[int, list[asyncio.Task[None]]] = {}
        self._loaded: int | None = None
        self._stop_reason = ""
        self._row_seconds = parts.clock()

    def stop(self, reason: str) -> None:
        """End after the iteration under way, with a checkpoint."""
        self._stop_reason = self._stop_reason or reason

    async def run(self) -> str:
        """To the end of the recipe, or of its time; why it ended. Raises TrainerError."""
        try:
            async with asyncio.TaskGroup() as tasks:
                producing = tasks.create_task(self._produce(tasks))
                await self._learn()
                if self._stop_reason:
                    producing.cancel()
                    for grading in itertools.chain(*self._gradings.values()):
                        grading.cancel()
        except BaseExceptionGroup as group:
            raise _first(group) from group
        return self._stop_reason or "done"

    # The producer's side.

    async def _produce(self, tasks: asyncio.TaskGroup) -> None:
        for iteration in range(self._progress.iteration + 1, self._last + 1):
            started = self._parts.clock()
            source = await self._use(max(0, iteration - 1 - self._lag))
            waiting_seconds = self._parts.clock() - started
            await self._evaluate(max(0, iteration - 1 - self._lag))
            batch = self._batch(iteration, source)
            batch.waiting_seconds += waiting_seconds
            await self._collect(batch, tasks)
            await self._ready.put(batch)
        for iteration in range(max(0, self._last - self._lag), self._last + 1):
            if self._is_due(iteration):
                await self._use(iteration)
                await self._evaluate(iteration)

    async def _use(self, iteration: int) -> Published:
        """Wait for the weights after an iteration, and have the sampler on them."""
        async with self._is_published:
            await self._is_published.wait_for(lambda: iteration in self._published)
        wanted = self._published[iteration]
        if self._loaded != wanted.version:
            self._watch.phase("loading", iteration)
            seconds = self._recipe.pipeline.update_seconds
            try:
                async with asyncio.timeout(seconds):
                    await self._parts.sampler.update(wanted.folder, wanted.version)
            except TimeoutError as error:
                raise UpdateFailed(
                    f"loading: version {wanted.version} has not reached the sampler after {seconds:g} s:"
                    " the sampler is stuck or slow; look at it, or raise pipeline.update_seconds"
                ) from error
            self._loaded = wanted.version
        return wanted

    def _is_due(self, iteration: int) -> bool:
        every = self._recipe.evaluation.every
        if self._parts.evaluation is None or not every or iteration in self._progress.evaluated:
            return False
        return iteration % every == 0 or iteration == self._last

    async def _evaluate(self, iteration: int) -> None:
        if not self._is_due(iteration):
            return
        assert self._parts.evaluation is not None
        self._watch.phase("evaluating", iteration)
        row = await self._parts.evaluation.row(self._parts.sampler, self._parts.grader)
        version = self._published[iteration].version
        self._write({"type": "evaluation", "iteration": iteration, "version": version} | row)
        self._progress.evaluated.append(iteration)

    def _batch(self, iteration: int, source: Published) -> Batch:
        """The iteration's prompts: those of the checkpoint, or drawn now from the order."""
        for batch in self._progress.in_flight:
            if batch.iteration == iteration:
                return batch
        for one in self._progress.outcomes:
            if one.iteration <= iteration - 1 - self._lag:
                self._parts.order.note(one.problem_id, one.num_right, one.num_counted)
        self._progress.outcomes = [
            one for one in self._progress.outcomes if one.iteration > iteration - 1 - self._lag
        ]
        _, stage = self._recipe.stage_at(iteration)
        slots = [self._slot(iteration, place) for place in range(stage.prompts)]
        batch = Batch(
            iteration=iteration,
            version=source.version,
            slots=slots,
            epoch=self._parts.order.place.epoch,
        )
        self._progress.in_flight.append(batch)
        return batch

    def _slot(self, iteration: int, place: int) -> Slot:
        prompt = self._parts.prompts.by_id[self._parts.order.take(1)[0].id]
        request = group_request(
            self._recipe.seed,
            iteration,
            place,
            prompt.token_ids,
            prompt.problem.stop,
            self._recipe.batch.samples,
        )
        return Slot(problem_id=prompt.problem.id, request=request)

    async def _collect(self, batch: Batch, tasks: asyncio.TaskGroup) -> None:
        """Draw and grade; where rewards may stay out, they are the learner's to wait for."""
        replaces_dead = self._recipe.batch.dead_groups == "resample"
        while True:
            await self._draw(batch, tasks)
            if self._recipe.pipeline.mode == "one_off_interleaved" and not replaces_dead:
                return
            await self._grade(batch)
            is_last_round = batch.round >= self._recipe.batch.max_rounds
            if not replaces_dead or is_last_round or not any(one.is_dead for one in batch.slots):
                return
            self._replace_dead(batch)

    async def _draw(self, batch: Batch, tasks: asyncio.TaskGroup) -> None:
        self._watch.phase("sampling", batch.iteration)
        _, stage = self._recipe.stage_at(batch.iteration)
        gradings = self._gradings.setdefault(batch.iteration, [])

        def grade(slot: Slot) -> None:
            problem = self._parts.prompts.by_id[slot.problem_id].problem
            gradings.append(tasks.create_task(grade_slot(self._parts.grader, problem, slot)))

        is_later = self._recipe.pipeline.mode == "one_off"
        waiting = [slot for slot in batch.slots if slot.is_sampled and not slot.is_graded]
        started = self._parts.clock()

        def arrived(slot: Slot) -> None:
            self._watch.phase("group", batch.iteration)
            if is_later:
                waiting.append(slot)
            else:
                grade(slot)

        if not is_later:
            for slot in waiting:
                grade(slot)
        await draw_slots(
            self._parts.sampler,
            batch.slots,
            drawing_of(self._recipe, stage),
            group_seconds=self._recipe.pipeline.group_seconds,
            arrived=arrived,
        )
        batch.sampling_seconds += self._parts.clock() - started
        self._watch.phase("sampled", batch.iteration)
        if is_later:
            for slot in waiting:
                grade(slot)

    async def _grade(self, batch: Batch) -> None:
        """Wait until every answer of the batch has its reward."""
        started = self._parts.clock()
        async with reward_deadline(self._recipe.pipeline.reward_seconds, batch.slots):
            await asyncio.gather(*self._gradings.pop(batch.iteration, ()))
        batch.grading_seconds += self._parts.clock() - started
        self._watch.phase("graded", batch.iteration)

    def _replace_dead(self, batch: Batch) -> None:
        first = len(batch.slots) + len(batch.dead)
        for place, slot in enumerate(batch.slots):
            if slot.is_dead:
                batch.dead.append(slot)
                batch.slots[place] = self._slot(batch.iteration, first)
                first += 1
        batch.round += 1

    # The learner's side.

    async def _learn(self) -> None:
        started, saved = self._parts.clock(), self._progress.iteration
        every, minutes = self._recipe.checkpoint.every, self._recipe.limits.minutes
        while self._progress.iteration < self._last and not self._stop_reason:
            waited = self._parts.clock()
            batch = await self._ready.get()
            await self._grade(batch)
            await self._learn_batch(batch, self._parts.clock() - waited)
            row, older = await self._publish()
            if batch.iteration % every == 0:
                await self._save(row, older)
                saved = batch.iteration
            if minutes is not None and self._parts.clock() - started > 60 * minutes:
                self.stop("minutes")
        if saved < self._progress.iteration:
            await self._save(row, older)

    async def _learn_batch(self, batch: Batch, idle_seconds: float) -> None:
        number, stage = self._recipe.stage_at(batch.iteration)
        if number != self._progress.stage:
            shown = stage.model_dump(exclude={"iterations"})
            row = {"type": "stage", "iteration": batch.iteration, "stage": number}
            self._write(row | shown)
            self._progress.stage = number
        lesson = lesson_of(batch, self._recipe, stage.mini_batches)
        self._watch.phase("training", batch.iteration)
        learned = await self._parts.learner.learn(
            lesson, lambda: self._watch.phase("step", batch.iteration)
        )
        self._note(batch, lesson)
        self._rows(batch, lesson, learned, number, idle_seconds)
        self._refuse_all_dead()

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
        self, batch: Batch, lesson: Lesson, learned: Learned, stage: int, idle_seconds: float
    ) -> None:
        now = self._parts.clock()
        row = iteration_row(batch, lesson, learned, self._parts.prompts)
        row["stage"] = stage
        row["measured"] |= {
            "learner_idle_seconds": idle_seconds,
            "iteration_seconds": now - self._row_seconds,
        }
        self._row_seconds = now
        self._write(row)
        self._write(sample_texts(batch))

    def _refuse_all_dead(self) -> None:
        if self._progress.dead_iterations >= self._recipe.limits.dead_iterations:
            raise AllGroupsDead(
                f"no group of the last {self._progress.dead_iterations} iterations had two different"
                " rewards: nothing is learned from them; take easier or harder problems, more samples a"
                " prompt, another temperature, or raise limits.dead_iterations"
            )

    async def _publish(self) -> tuple[dict[str, Any], Published | None]:
        """Publish; the progress up to here, and the older weights that batches in flight still need."""
        iteration = self._progress.iteration
        self._watch.phase("publishing", iteration)
        published = await self._parts.learner.publish({"iteration": iteration})
        self._watch.phase("published", iteration)
        older = self._published.get(iteration - self._lag, published)
        self._progress.version = published.version
        self._progress.older_version = older.version
        # Taken before the producer hears of the version: what it then draws belongs to the next one.
        row = self._progress.as_row(self._parts.order, log_bytes=self._parts.log.num_bytes)
        async with self._is_published:
            self._published[iteration] = published
            self._published.pop(iteration - self._lag - 1, None)
            self._is_published.notify_all()
        self._parts.versions.remove_old({one.version for one in self._published.values()})
        return row, None if older.version == published.version else older

    async def _save(self, row: Mapping[str, Any], older: Published | None) -> None:
        """A checkpoint. It is written while the sampler goes on."""
        iteration = int(row["iteration"])
        self._watch.phase("saving", iteration)
        started = self._parts.clock()
        self._parts.log.flush_to_disk()
        num_bytes = await self._parts.learner.save(
            self._parts.checkpoints, iteration, row, None if older is None else older.folder
        )
        self._write(save_row(iteration, seconds=self._parts.clock() - started, num_bytes=num_bytes))
        self._watch.phase("saved", iteration)

    def _write(self, row: Mapping[str, Any]) -> None:
        self._parts.log.append(row)
        self._watch.row(row)


def drawing_of(recipe: Recipe, stage: Stage) -> Drawing:
    """How a stage's answers are drawn."""
    return Drawing(
        temperature=recipe.drawing.temperature,
        max_new_tokens=stage.max_new_tokens,
        stop=recipe.drawing.stop,
    )


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
