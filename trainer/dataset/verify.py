"""Runs known solutions in the sandbox: a problem is right when one of them passes its tests.

What was found is kept by its content, so that a build that was broken off, or is made again, runs only
what is new. What our host failed at is not kept.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from evaluator.grading.bench import Bench
from evaluator.judge import GRADER_VERSION, judge_code
from evaluator.judgement import Judgement
from evaluator.problem import Problem
from evaluator.store import find, stored
from trainer.alive import check_alive
from trainer.dataset.candidate import Candidate, Drop
from trainer.dataset.problem import TrainingProblem
from trainer.dataset.rewarding import divided
from trainer.dataset.tasks import TrainingTask, task_row, training_task

_FOLDER = "verified"


@dataclass(frozen=True, kw_only=True)
class _Verdict:
    """is_scored: whether there is one at all. said: the grade and its first words."""

    is_right: bool
    is_scored: bool
    said: str


def verified(candidates: Sequence[Candidate], bench: Bench) -> Iterator[TrainingProblem | Drop]:
    """What became of each candidate, in order. Raises RewardFailed when the sandbox is gone."""
    pool = ThreadPoolExecutor(bench.sandbox.num_workers, thread_name_prefix="verify")
    try:
        yield from pool.map(lambda one: _verify(one, bench), candidates)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _verify(candidate: Candidate, bench: Bench) -> TrainingProblem | Drop:
    problem = candidate.problem
    if not candidate.solutions:
        return _drop(problem, "no_solution", "no solution is known: see --solutions")
    said = ""
    for task in (training_task(problem.problem.task), *candidate.alternatives):
        rewarding, holdout = (task, problem.holdout) if candidate.uses_all_tests else divided(task)
        for solution in candidate.solutions:
            found = _ran(problem.problem, rewarding, solution, bench)
            if found.is_right and holdout is not None:
                found = _ran(problem.problem, holdout, solution, bench)
            if not found.is_scored:
                return _drop(problem, "not_gradable", found.said)
            if found.is_right:
                known = replace(problem.problem, task=rewarding, reference=solution)
                return replace(problem, problem=known, holdout=holdout)
            said = said or found.said
    return _drop(problem, "solutions_fail", f"{len(candidate.solutions)} tried; the first: {said}")


def _drop(problem: TrainingProblem, reason: str, detail: str) -> Drop:
    return Drop(id=problem.id, source=problem.source, reason=reason, detail=detail[:300])


def _ran(problem: Problem, task: TrainingTask, solution: str, bench: Bench) -> _Verdict:
    asked = json.dumps(
        [GRADER_VERSION, bench.python_version, task_row(task), problem.language, solution],
        sort_keys=True,
    )
    digest = hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()
    folder = bench.cache / _FOLDER
    kept = find(folder, digest)
    if kept is None:
        found = _verdict(judge_code(replace(problem, task=task), solution, bench))
        if not found.is_scored:
            check_alive(bench, found.said)
            return found
        kept = stored(folder, digest, lambda: json.dumps(vars(found)).encode())
    values: dict[str, Any] = json.loads(kept)
    return _Verdict(**values)


def _verdict(judged: Judgement) -> _Verdict:
    words = judged.failure.message if judged.failure else ""
    return _Verdict(
        is_right=judged.is_right,
        is_scored=judged.is_scored,
        said=f"{judged.grade.value} {words}".strip(),
    )
