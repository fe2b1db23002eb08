"""Grades samples that are there: of a run, or of another tool. Draws none."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from evaluator.grading.bench import Bench
from evaluator.journal import Sample
from evaluator.judge import judge_answer
from evaluator.judgement import Judgement
from evaluator.problem import Problem
from evaluator.reference import known_seconds
from evaluator.suite import Suite

_BEGUN_A_WORKER = 8
"""Samples begun a worker: a slow one must not leave the other workers without work."""


def regraded(
    samples: Iterable[tuple[Suite, Problem, Sample]], bench: Bench
) -> Iterator[tuple[Sample, Judgement]]:
    """Each sample with its grade; as many at once as the sandbox has workers.

    Those whose programs are known to take long come first, so that none of them is what the end
    waits for; else in order. Raises GraderUnavailable. Leaving the loop ends the grading.
    """
    num_workers = bench.sandbox.num_workers
    seconds: dict[tuple[str, str], float] = {}
    rows = list(samples)
    for suite, problem, _ in rows:
        if (suite.name, problem.id) not in seconds:
            seconds[suite.name, problem.id] = known_seconds(problem.task, bench)
    rows.sort(key=lambda row: -seconds[row[0].name, row[1].id])
    begun: deque[tuple[Sample, Future[Judgement]]] = deque()
    pool = ThreadPoolExecutor(num_workers, thread_name_prefix="grader")
    try:
        for suite, problem, sample in rows:
            begun.append((sample, pool.submit(judge_answer, suite, problem, sample, bench)))
            if len(begun) >= _BEGUN_A_WORKER * num_workers:
                first, judgement = begun.popleft()
                yield first, judgement.result()
        while begun:
            first, judgement = begun.popleft()
            yield first, judgement.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
