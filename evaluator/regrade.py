"""Grades samples that are there: of a run, or of another tool. Draws none."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from evaluator.grading.bench import Bench
from evaluator.journal import Sample
from evaluator.judge import judge_answer
from evaluator.judgement import Judgement
from evaluator.problem import Problem
from evaluator.suite import Suite

_BEGUN_A_WORKER = 8
"""Samples begun a worker: a slow one must not leave the other workers without work."""


def regraded(
    samples: Iterable[tuple[Suite, Problem, Sample]], bench: Bench
) -> Iterator[tuple[Sample, Judgement]]:
    """Each sample with its grade, in order; as many at once as the sandbox has workers.

    Raises GraderUnavailable. Leaving the loop ends the grading.
    """
    num_workers = bench.sandbox.num_workers
    begun: deque[tuple[Sample, Future[Judgement]]] = deque()
    pool = ThreadPoolExecutor(num_workers, thread_name_prefix="grader")
    try:
        for suite, problem, sample in samples:
            begun.append((sample, pool.submit(judge_answer, suite, problem, sample, bench)))
            if len(begun) >= _BEGUN_A_WORKER * num_workers:
                first, judgement = begun.popleft()
                yield first, judgement.result()
        while begun:
            first, judgement = begun.popleft()
            yield first, judgement.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
