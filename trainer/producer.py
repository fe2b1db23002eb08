"""The sampler's side of a run: batches drawn from exactly the version that is theirs, graded, evaluations.

Which version that is, and what each mode waits for, is told at the top of pipeline.py.
"""

import asyncio

from trainer.batch import Batch, Slot, group_request
from trainer.collect import draw_slots, grade_slot, reward_deadline
from trainer.errors import UpdateFailed
from trainer.hand_over import HandOver
from trainer.parts import Parts
from trainer.progress import Progress
from trainer.recipe import Recipe, Stage
from trainer.rollout import Drawing
from trainer.versions import Published


class Producer:
    """Fills a queue with batches in the order of their iterations."""

    def __init__(self, parts: Parts, progress: Progress, hand_over: HandOver) -> None:
        self._parts, self._progress, self._hand_over = parts, progress, hand_over
        self._recipe, self._watch = parts.recipe, parts.watch
        self._lag = parts.recipe.pipeline.lag
        self._gradings: dict[int, list[asyncio.Task[None]]] = {}
        self._loaded: int | None = None
        self.ready: asyncio.Queue[Batch] = asyncio.Queue(maxsize=self._lag + 1)

    async def run(self, tasks: asyncio.TaskGroup) -> None:
        """All batches that are left; tasks: owns the gradings. Raises TrainerError."""
        last = self._recipe.limits.iterations
        for iteration in range(self._progress.iteration + 1, last + 1):
            source_iteration = max(0, iteration - 1 - self._lag)
            started = self._parts.clock()
            source = await self._hand_over.published(source_iteration)
            waiting_seconds = self._parts.clock() - started
            await self._use(source, source_iteration)
            await self._evaluate(source, source_iteration)
            batch = self._batch(iteration, source)
            batch.waiting_seconds += waiting_seconds
            await self._collect(batch, tasks)
            await self.ready.put(batch)
        for iteration in range(max(0, last - self._lag), last + 1):
            if self._is_due(iteration):
                await self.finish(iteration)

    async def finish(self, iteration: int) -> None:
        """Evaluate the version after an iteration that turned out to be the last."""
        if self._parts.evaluation is None or not self._recipe.evaluation.every:
            return
        if iteration not in self._progress.evaluated:
            source = await self._hand_over.published(iteration)
            await self._use(source, iteration)
            await self._evaluate(source, iteration, is_last=True)

    def leave(self) -> None:
        """Let go of gradings that nobody waits for any more."""
        for gradings in self._gradings.values():
            for grading in gradings:
                grading.cancel()

    async def grade(self, batch: Batch) -> None:
        """Wait until every answer of the batch has its reward."""
        started = self._parts.clock()
        async with reward_deadline(self._recipe.pipeline.reward_seconds, batch.slots):
            await asyncio.gather(*self._gradings.pop(batch.iteration, ()))
        batch.grading_seconds += self._parts.clock() - started
        self._watch.phase("graded", batch.iteration)

    async def _use(self, wanted: Published, iteration: int) -> None:
        """Have the sampler on these weights. Raises UpdateFailed."""
        if self._loaded == wanted.version:
            return
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

    def _is_due(self, iteration: int, *, is_last: bool = False) -> bool:
        every = self._recipe.evaluation.every
        if self._parts.evaluation is None or not every or iteration in self._progress.evaluated:
            return False
        return is_last or iteration % every == 0 or iteration == self._recipe.limits.iterations

    async def _evaluate(self, source: Published, iteration: int, *, is_last: bool = False) -> None:
        if not self._is_due(iteration, is_last=is_last):
            return
        assert self._parts.evaluation is not None
        self._watch.phase("evaluating", iteration)
        row = await self._parts.evaluation.row(self._parts.sampler, self._parts.grader)
        told = {"type": "evaluation", "iteration": iteration, "version": source.version}
        self._parts.write(told | row)
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
            await self.grade(batch)
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

    def _replace_dead(self, batch: Batch) -> None:
        first = len(batch.slots) + len(batch.dead)
        for place, slot in enumerate(batch.slots):
            if slot.is_dead:
                batch.dead.append(slot)
                batch.slots[place] = self._slot(batch.iteration, first)
                first += 1
        batch.round += 1


def drawing_of(recipe: Recipe, stage: Stage) -> Drawing:
    """How a stage's answers are drawn."""
    return Drawing(
        temperature=recipe.drawing.temperature,
        max_new_tokens=stage.max_new_tokens,
        stop=recipe.drawing.stop,
    )
