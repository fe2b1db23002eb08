"""Held-out problems asked and graded, with the same seeds whenever they are asked: pairs can be compared."""

import asyncio
import time
from typing import Any

from trainer.batch import Slot, group_request
from trainer.collect import Grades, draw_slots, grade_slot, reward_deadline
from trainer.prompts import Prompts
from trainer.recipe import Recipe
from trainer.rollout import Drawing, Sampler


class Evaluation:
    """The held-out side of a recipe."""

    def __init__(self, recipe: Recipe, prompts: Prompts) -> None:
        self._recipe = recipe
        table = recipe.evaluation
        shown = list(prompts.by_id.values())
        self._prompts = shown[: table.problems or len(shown)]
        temperature = table.temperature
        self._drawing = Drawing(
            temperature=recipe.drawing.temperature if temperature is None else temperature,
            max_new_tokens=max(stage.max_new_tokens for stage in recipe.all_stages),
            stop=recipe.drawing.stop,
        )

    async def row(self, sampler: Sampler, grader: Grades) -> dict[str, Any]:
        """What the log has of it, but type, iteration and version."""
        started = time.monotonic()
        slots = [self._slot(place) for place in range(len(self._prompts))]
        problems = {prompt.problem.id: prompt.problem for prompt in self._prompts}
        async with asyncio.TaskGroup() as tasks:
            found: list[asyncio.Task[None]] = []

            def arrived(slot: Slot) -> None:
                problem = problems[slot.problem_id]
                found.append(tasks.create_task(grade_slot(grader, problem, slot)))

            pipeline = self._recipe.pipeline
            await draw_slots(
                sampler, slots, self._drawing, group_seconds=pipeline.group_seconds, arrived=arrived
            )
            async with reward_deadline(pipeline.reward_seconds, slots):
                await asyncio.gather(*found)
        row = self._counts(slots)
        row["kinds"] = {name: problem.kind for name, problem in problems.items()}
        return row | {"measured": {"seconds": time.monotonic() - started}}

    def _slot(self, place: int) -> Slot:
        prompt = self._prompts[place]
        request = group_request(
            self._recipe.seed,
            0,
            place,
            prompt.token_ids,
            prompt.problem.stop,
            self._recipe.evaluation.samples,
        )
        return Slot(problem_id=prompt.problem.id, request=request)

    def _counts(self, slots: list[Slot]) -> dict[str, Any]:
        answers = [answer for slot in slots for answer in slot.answers]
        by_problem = {}
        for slot in slots:
            scores = [one.score for one in slot.rewards if one.score is not None]
            by_problem[slot.problem_id] = [sum(score >= 1 for score in scores), len(scores)]
        num_counted = sum(counted for _, counted in by_problem.values())
        rates = [right / counted for right, counted in by_problem.values() if counted]
        return {
            "problems": len(slots),
            "samples": self._recipe.evaluation.samples,
            "temperature": self._drawing.temperature,
            "solve_rate": sum(rates) / len(rates) if rates else None,
            "tokens_mean": sum(len(one.token_ids) for one in answers) / len(answers),
            "truncated_share": sum(one.is_cut for one in answers) / len(answers),
            "samples_uncounted": len(answers) - num_counted,
            "by_problem": by_problem,
        }
