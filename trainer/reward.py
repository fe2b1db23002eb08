"""From an answer to its reward: 1 when every test of the problem passes, else 0 (DeepCoder's rule).

Where our own host failed there is no reward: the answer is left out of its group. Hold-out tests are
run for answers that pass, and only told. Source: DeepCoder's blog and rLLM rewards/code_reward.py;
there, an empty list of results and a lost function name count otherwise.
"""

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from evaluator.extract import extracted, without_reasoning
from evaluator.grading.bench import Bench
from evaluator.judge import judge_code
from evaluator.judgement import Grade, Judgement
from evaluator.problem import CallTask, Problem, RepositoryTask
from trainer.alive import check_alive
from trainer.dataset.problem import TrainingProblem
from trainer.rollout import Answer

log = logging.getLogger(__name__)

FORMAT = "format"
"""The reason of an answer that holds no fenced block."""

_FENCE = "```"


@dataclass(frozen=True, kw_only=True)
class Reward:
    """What one answer earned.

    score: 1.0 or 0.0; None where our host failed, and the answer is left out of its group. reason:
    the grade ("pass", "wrong_answer", "format" …), or what failed. holdout: whether the hold-out
    tests pass too; None where there are none, or the answer did not pass. seconds: of grading.
    """

    score: float | None
    reason: str
    holdout: bool | None
    seconds: float


def code_of(problem: TrainingProblem, text: str) -> str | None:
    """The program of an answer, or None where it has not the form that was asked for.

    With an answer head the answer goes on with that code, up to a closing fence. Else it holds a
    fenced block outside its reasoning, and the last fitting one is it.
    """
    if problem.answer_head:
        return problem.answer_head + text.partition(_FENCE)[0] + "\n"
    if _FENCE not in without_reasoning(text):
        return None
    is_repository = isinstance(problem.problem.task, RepositoryTask)
    return extracted("answer" if is_repository else "last_block", text, problem.problem)


class Grader:
    """Grades many answers at once; the same answer gets the same reward.

    bench: the caller's, by strict rules. deadline_seconds: most that grading one answer may
    take from when a thread took it; past it there is no reward, as programs end by their own limits.
    """

    def __init__(self, bench: Bench, *, deadline_seconds: float = 600.0) -> None:
        self._bench = bench
        self._deadline_seconds = deadline_seconds
        # One more than runs at once: one answer is read while others wait for their programs.
        num_threads = bench.sandbox.num_workers + 1
        self._threads = ThreadPoolExecutor(num_threads, thread_name_prefix="reward")
        self._free = asyncio.Semaphore(num_threads)

    async def grade(self, problem: TrainingProblem, answer: Answer) -> Reward:
        """The reward of one answer. Raises RewardFailed when the sandbox runs nothing any more."""
        await self._free.acquire()
        running = asyncio.get_running_loop().run_in_executor(
            self._threads, grade_answer, problem, answer.text, self._bench
        )
        # A thread past its deadline still holds its place: its program is still running.
        running.add_done_callback(self._ended)
        try:
            return await asyncio.wait_for(asyncio.shield(running), self._deadline_seconds)
        except TimeoutError:
            reason = f"no verdict after {self._deadline_seconds:g} s"
            log.warning("problem %s: %s", problem.id, reason)
            return Reward(score=None, reason=reason, holdout=None, seconds=self._deadline_seconds)

    def _ended(self, running: "asyncio.Future[Reward]") -> None:
        self._free.release()
        if not running.cancelled():
            running.exception()  # told to whoever awaits it, if anybody still does

    def close(self) -> None:
        """Let go of the threads once what runs has ended; the bench stays the caller's."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def grade_answer(problem: TrainingProblem, text: str, bench: Bench) -> Reward:
    """The reward of an answer's text; blocks. Raises RewardFailed."""
    started = time.monotonic()
    code = code_of(problem, text)
    if code is None:
        return _reward(0.0, FORMAT, None, started)
    if isinstance(problem.problem.task, CallTask) and isinstance(problem.holdout, CallTask):
        return _called(problem.problem, problem.holdout, code, bench, started)
    judged = _judged(problem.problem, code, bench)
    if not judged.is_scored:
        return _reward(None, _message(judged), None, started)
    if not judged.is_right:
        return _reward(0.0, judged.grade.value, None, started)
    holdout = None
    if problem.holdout is not None:
        hidden = _judged(replace(problem.problem, task=problem.holdout), code, bench)
        holdout = hidden.is_right if hidden.is_scored else None
    return _reward(1.0, judged.grade.value, holdout, started)


def _called(problem: Problem, holdout: CallTask, code: str, bench: Bench, started: float) -> Reward:
    """Both sets of calls in one program, the hold-out ones last: a start costs more than the calls."""
    task = problem.task
    assert isinstance(task, CallTask)
    both = replace(task, tests=task.tests + holdout.tests) if task.tests else task
    judged = _judged(replace(problem, task=both), code, bench)
    if not judged.is_scored:
        return _reward(None, _message(judged), None, started)
    if judged.num_passed < len(task.tests):
        return _reward(0.0, judged.grade.value, None, started)
    return _reward(1.0, Grade.PASS.value, judged.is_right, started)


def _judged(problem: Problem, code: str, bench: Bench) -> Judgement:
    """The judgement, where a pass without a single test is none. Raises RewardFailed."""
    judged = judge_code(problem, code, bench)
    if not judged.is_scored:
        check_alive(bench, _message(judged))
    is_counted = not isinstance(problem.task, RepositoryTask)
    if judged.is_right and is_counted and judged.num_tests == 0:
        return replace(judged, grade=Grade.RUNTIME_ERROR)
    return judged


def _message(judged: Judgement) -> str:
    return judged.failure.message if judged.failure else judged.grade.value


def _reward(score: float | None, reason: str, holdout: bool | None, started: float) -> Reward:
    seconds = time.monotonic() - started
    return Reward(score=score, reason=reason, holdout=holdout, seconds=seconds)
