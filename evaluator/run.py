"""A run: every sample that its journal lacks is drawn, graded while others are drawn, and written down.

The journal is the only state. A run that ends early, by a signal, a crash or a full disk, goes on
from there: a sample that is written is not drawn again, one without an answer is, and one without a
grade is graded. What is in flight at a crash is lost, and with it at most half a second.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from evaluator.asking import Asking
from evaluator.completer import Completer
from evaluator.errors import AccessRefused, EndpointFailed, EvaluatorError, RequestRefused
from evaluator.grading.bench import Bench
from evaluator.journal import Journal, Record, Sample
from evaluator.judge import judge_answer
from evaluator.judgement import Grade, Judgement
from evaluator.problem import Problem
from evaluator.progress import Progress
from evaluator.prompt import Prompt

SYNC_SECONDS = 0.5
LEAST_FAILURES_IN_A_ROW = 8
"""Samples in a row that an endpoint left without an answer, at the least, before a run ends."""

Key = tuple[str, str, int, int]


class Run:
    """One pass over what a journal lacks. Use it once."""

    def __init__(
        self,
        askings: Sequence[Asking],
        *,
        completer: Completer,
        journal: Journal,
        bench: Bench,
        concurrency: int = 16,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        """concurrency: requests at once. on_progress: called about twice a second, and at the end."""
        self._askings = askings
        self._completer = completer
        self._journal = journal
        self._bench = bench
        self._on_progress = on_progress
        self._slots = asyncio.Semaphore(concurrency)
        # Answers that wait for a grader are in memory: a slow suite holds its sampling back.
        self._places = asyncio.Semaphore(2 * concurrency + 4 * bench.sandbox.num_workers)
        self._graders = ThreadPoolExecutor(bench.sandbox.num_workers, thread_name_prefix="grader")
        self._most_failures = max(LEAST_FAILURES_IN_A_ROW, concurrency)
        self._failures_in_a_row = 0
        self._last_failure = ""
        self._known: dict[Key, Record] = {}
        self._grades: Counter[Grade] = Counter()
        self._num_before = self._num_sampled = self._num_failed = self._tokens = 0
        self._began_seconds = 0.0

    async def finish(self, known: Iterable[Record] = ()) -> Progress:
        """Draw and grade what is missing; known: what the journal has. Cancel it to stop early.

        Raises EndpointFailed when the endpoint leaves many samples in a row without an answer,
        JournalBroken, GraderUnavailable. What was written until then stays.
        """
        self._known = {record.sample.key: record for record in known}
        self._began_seconds = time.monotonic()
        try:
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(self._keep())
                await self._work()
                keeping.cancel()
        except BaseExceptionGroup as failed:
            raise _first_error(failed) from failed
        finally:
            # Programs under way end at their limits; what they come to is graded anew.
            self._graders.shutdown(wait=True, cancel_futures=True)
            self._journal.sync()
            self._on_progress(self.progress)
        return self.progress

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return Progress(
            num_samples=sum(asking.num_asked for asking in self._askings),
            num_before=self._num_before,
            num_sampled=self._num_sampled,
            num_failed=self._num_failed,
            last_failure=self._last_failure,
            grades=dict(self._grades),
            completion_tokens=self._tokens,
            elapsed_seconds=time.monotonic() - self._began_seconds,
        )

    async def _keep(self) -> None:
        """Have rows on the disk and progress told, twice a second."""
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            await asyncio.to_thread(self._journal.sync)
            self._on_progress(self.progress)

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            for asking, problem, index in self._missing():
                await self._places.acquire()
                task = group.create_task(self._tries(asking, problem, index))
                task.add_done_callback(lambda _: self._places.release())

    def _missing(self) -> Iterator[tuple[Asking, Problem, int]]:
        """The samples of a problem follow each other: a server has its prompt in its cache then."""
        for asking in self._askings:
            for problem in asking.problems:
                for index in range(asking.num_samples):
                    if self._is_settled(asking, problem, index):
                        self._num_before += 1
                    else:
                        yield asking, problem, index

    def _is_settled(self, asking: Asking, problem: Problem, index: int) -> bool:
        """Whether nothing is left to do for a sample; then what is known of it is counted and let go."""
        key = (asking.suite.name, problem.id, index, 1)
        first = self._known.get(key)
        if first is None or not _is_final(first) or first.judgement is None:
            return False
        if asking.suite.second_prompt(problem, first.sample.text, first.judgement) is not None:
            second = self._known.get((*key[:3], 2))
            if second is None or not _is_final(second):
                return False
        self._known.pop(key)
        self._num_sampled += 1
        self._grades[first.judgement.grade] += 1
        return True

    async def _tries(self, asking: Asking, problem: Problem, index: int) -> None:
        suite = asking.suite
        sample, judgement = await self._settled(asking, problem, index, 1, suite.prompt(problem))
        self._grades[judgement.grade] += 1
        again = suite.second_prompt(problem, sample.text, judgement)
        if again is not None and judgement.is_scored:
            await self._settled(asking, problem, index, 2, again)

    async def _settled(
        self, asking: Asking, problem: Problem, index: int, attempt: int, prompt: Prompt
    ) -> tuple[Sample, Judgement]:
        """One try with its grade, as far as they are not known already."""
        record = self._known.pop((asking.suite.name, problem.id, index, attempt), None)
        if record is not None and record.judgement is not None and _is_final(record):
            self._num_sampled += attempt == 1
            return record.sample, record.judgement
        if record is not None and not record.sample.error:
            sample = record.sample
        else:
            sample = await self._drawn(asking, problem, index, attempt, prompt)
        self._num_sampled += attempt == 1
        judgement = await asyncio.get_running_loop().run_in_executor(
            self._graders, judge_answer, asking.suite, problem, sample, self._bench
        )
        self._journal.write_judgement(sample, self._bench.rules.value, judgement)
        if not judgement.is_scored and judgement.failure is not None:
            self._last_failure = judgement.failure.message
        return sample, judgement

    async def _drawn(
        self, asking: Asking, problem: Problem, index: int, attempt: int, prompt: Prompt
    ) -> Sample:
        seed = None if asking.sampling.seed is None else asking.sampling.seed + index
        sample = Sample(
            suite=asking.suite.name, problem=problem.id, index=index, attempt=attempt, seed=seed
        )
        failure: EndpointFailed | None = None
        async with self._slots:
            try:
                found = await self._completer.complete(prompt, replace(asking.sampling, seed=seed))
            except AccessRefused:
                raise
            except EndpointFailed as error:
                failure = error
                sample = replace(sample, error=str(error))
            else:
                sample = replace(sample, **vars(found))
        self._journal.write_sample(sample)
        self._tokens += sample.completion_tokens
        self._count_failure(failure)
        return sample

    def _count_failure(self, failure: EndpointFailed | None) -> None:
        """End the run when nobody answers any more; a request that is refused is an answer."""
        if failure is not None:
            self._num_failed += 1
            self._last_failure = str(failure)
        if failure is None or isinstance(failure, RequestRefused):
            self._failures_in_a_row = 0
            return
        self._failures_in_a_row += 1
        if self._failures_in_a_row >= self._most_failures:
            raise EndpointFailed(
                f"{self._failures_in_a_row} samples in a row got no answer; the last: {failure}"
            )


def _is_final(record: Record) -> bool:
    """Whether a try has an answer and a grade that counts."""
    judgement = record.judgement
    return not record.sample.error and judgement is not None and judgement.is_scored


def _first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What a person is told of several failures: ours, if there is one among them."""
    found: list[BaseException] = []
    pending: list[BaseException] = [group]
    while pending:
        error = pending.pop(0)
        if isinstance(error, BaseExceptionGroup):
            pending += error.exceptions
        else:
            found.append(error)
    with contextlib.suppress(StopIteration):
        return next(error for error in found if isinstance(error, EvaluatorError))
    return found[0]
