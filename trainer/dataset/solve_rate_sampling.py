"""Asks a model for answers to learn how often it solves each problem.

Endpoints do not agree on answers that are begun for the model, so a begun one is left out: the model
answers freely, and the last fenced block is graded.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from evaluator.completer import Completer, Sampling
from evaluator.errors import AccessRefused, EndpointFailed
from evaluator.grading.bench import Bench
from evaluator.prompt import Chat
from trainer.dataset.problem import TrainingProblem
from trainer.reward import grade_answer

CONCURRENCY = 16


@dataclass(frozen=True, kw_only=True)
class SolveRateSampler:
    """completer: the endpoint, closed after use. num_samples: answers to each problem."""

    completer: Completer
    sampling: Sampling
    num_samples: int

    def rates(
        self,
        problems: Sequence[TrainingProblem],
        bench: Bench,
        watch: Callable[[int], None],
    ) -> dict[str, float]:
        """Problem → share of right answers, of those that have a verdict.

        A problem without a single verdict is not in it. watch: told how many problems are done.
        Raises AccessRefused, RewardFailed.
        """
        return asyncio.run(self._rates(problems, bench, watch))

    async def _rates(
        self,
        problems: Sequence[TrainingProblem],
        bench: Bench,
        watch: Callable[[int], None],
    ) -> dict[str, float]:
        found: dict[str, float] = {}
        free, done = asyncio.Semaphore(CONCURRENCY), 0
        with ThreadPoolExecutor(bench.sandbox.num_workers) as threads:

            async def one(problem: TrainingProblem, number: int) -> float | None:
                asked = _freely_asked(problem)
                sampling = replace(self.sampling, seed=number)
                async with free:
                    try:
                        answer = await self.completer.complete(
                            Chat(messages=asked.messages), sampling
                        )
                    except AccessRefused:
                        raise
                    except EndpointFailed:
                        return None
                loop = asyncio.get_running_loop()
                reward = await loop.run_in_executor(
                    threads, grade_answer, asked, answer.text, bench
                )
                return reward.score

            async def several(problem: TrainingProblem) -> None:
                nonlocal done
                scores = await asyncio.gather(*(one(problem, n) for n in range(self.num_samples)))
                known = [score for score in scores if score is not None]
                if known:
                    found[problem.id] = sum(known) / len(known)
                done += 1
                watch(done)

            try:
                async with asyncio.TaskGroup() as group:
                    for problem in problems:
                        group.create_task(several(problem))
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None
            finally:
                await self.completer.close()
        return found


def _freely_asked(problem: TrainingProblem) -> TrainingProblem:
    if problem.messages[-1].role != "assistant":
        return problem
    return replace(problem, messages=problem.messages[:-1], answer_head="", stop=())
