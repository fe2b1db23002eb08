"""What one-off pipelining gives: the real scheduler over a sampler and a learner pinned to a core each.

Both sides are processes that do a fixed amount of hashing, so a phase has one length on a quiet core; an
answer's reward takes a while elsewhere, as in a sandbox on another machine. Four schedules do the same
iterations: colocated (both cores sample, then both train), the same split without a pipeline, one-off, and
one-off with interleaved rewards, at ratios of sampling to training from 1:3 to 3:1. Predictions are
trainer/pipeline_bounds.py's, with phases measured alone on their cores. The control runs both sides at
once: what they take from each other (shared caches, clocks, a busy host) is not the scheduler's, and is
added to the shorter phase's share of the longer one.

    python -m benchmarks.pipelining --quick
"""

import asyncio
import hashlib
import itertools
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.report import Report, parse
from evaluator.problem import Problem, TextTask
from trainer.dataset.order import Order
from trainer.dataset.problem import TrainingProblem
from trainer.event_log import read_log
from trainer.own_thread import OwnThread
from trainer.packing import Sample
from trainer.pipeline_bounds import iteration_seconds
from trainer.policy import StepReport
from trainer.prompts import Prompt, Prompts
from trainer.recipe import Recipe
from trainer.recipe_file import recipe_of
from trainer.reward import Reward
from trainer.rollout import Answer, Drawing, Group, GroupRequest
from trainer.simulate import Schedule
from trainer.train import Setup, run

RATIOS = ((1, 3), (1, 2), (1, 1), (2, 1), (3, 1))
QUICK_RATIOS = ((1, 3), (1, 1), (3, 1))
GROUPS = 8
ITERATIONS = 10
FILLING = 3
"""Iterations before the steady state."""
ROUND_SECONDS, QUICK_SECONDS = 1.6, 0.8
"""Sampling and training of an iteration, together, on one core each."""
REWARD_SHARE = 0.15
"""An answer's reward, of sampling and training together."""
BLOCK = bytes(1 << 20)
MODES = {
    Schedule.COLOCATED: "synchronous",
    Schedule.SAME_SPLIT: "synchronous",
    Schedule.ONE_OFF: "one_off",
    Schedule.ONE_OFF_INTERLEAVED: "one_off_interleaved",
}


class Core:
    """A process pinned to a core; one caller at a time."""

    def __init__(self, core: int) -> None:
        self._ours, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=_work, args=(core, theirs), daemon=True)
        self._process.start()

    def begin(self, units: int) -> None:
        """Hash so many blocks; `end` waits for it."""
        self._ours.send(units)

    def end(self) -> float:
        """Its seconds."""
        return float(self._ours.recv())

    def close(self) -> None:
        self._ours.send(None)
        self._process.join()


def _work(core: int, pipe: Connection) -> None:
    os.sched_setaffinity(0, {core})
    while (units := pipe.recv()) is not None:
        started = time.perf_counter()
        for _ in range(units):
            hashlib.sha256(BLOCK).digest()
        pipe.send(time.perf_counter() - started)


def work(cores: Sequence[Core], units: int) -> None:
    """Divided among the cores."""
    for number, core in enumerate(cores):
        core.begin(units * (number + 1) // len(cores) - units * number // len(cores))
    for core in cores:
        core.end()


class HashingSampler:
    """A `Sampler` whose groups cost hashing."""

    def __init__(self, cores: Sequence[Core], units: int) -> None:
        self._cores, self._units, self._version = cores, units, 0
        self._thread = OwnThread("sampler")

    async def sample(
        self, requests: Sequence[GroupRequest], drawing: Drawing
    ) -> AsyncIterator[Group]:
        for request in requests:
            await self._thread.call(work, self._cores, self._units // len(requests))
            answer = Answer(
                token_ids=(1,), log_probs=(-1.0,), policy_versions=(self._version,), text="", is_cut=False
            )  # fmt: skip
            answers = (answer,) * len(request.seeds)
            yield Group(request=request, answers=answers, sampling_seconds=0.0)

    async def update(self, folder: Path, version: int) -> None:
        self._version = version

    async def log_probs(self, sequences: Any, temperature: float) -> list[tuple[float, ...]]:
        return [(-1.0,) for _ in sequences]

    async def identify(self) -> dict[str, str]:
        return {}

    async def close(self) -> None:
        self._thread.close()


class HashingPolicy:
    """A `Policy` whose steps cost hashing."""

    def __init__(self, cores: Sequence[Core], units: int) -> None:
        self._cores, self._units, self.version = cores, units, 0
        self._is_changed = False

    def log_probs(self, samples: Sequence[Sample], temperature: float) -> list[list[float]]:
        return [[-1.0] for _ in samples]

    def step(self, samples: Sequence[Sample]) -> StepReport:
        work(self._cores, self._units)
        self._is_changed = True
        names = (
            "loss", "gradient_norm", "learning_rate", "entropy", "clip_low_share",
            "clip_high_share", "mismatch_kl", "ratio_max", "num_tokens", "num_fed_tokens",
            "num_micro_batches",
        )  # fmt: skip
        return StepReport(values=dict.fromkeys(names, 0.0))

    def publish(self, folder: Path, summary: Mapping[str, Any] | None = None) -> None:
        self.version += self._is_changed
        self._is_changed = False
        folder.mkdir(parents=True)

    def state(self) -> dict[str, Any]:
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Nothing is kept."""


class SlowGrader:
    """A reward takes its time on another machine; every second answer is right."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._graded = seconds, itertools.count()

    async def grade(self, problem: TrainingProblem, answer: Answer) -> Reward:
        await asyncio.sleep(self._seconds)
        score = float(next(self._graded) % 2)
        return Reward(score=score, reason="said", holdout=None, seconds=self._seconds)


def recipe(mode: str) -> Recipe:
    """As bare as it may be."""
    tables = {
        "name": "pipelining",
        "model": {"source": "none"},
        "data": {"train": "none"},
        "drawing": {"max_new_tokens": 1},
        "batch": {"prompts": GROUPS, "samples": 2},
        "objective": {"overlong": "off"},
        "optimiser": {"learning_rate": 1.0, "tokens_per_micro_batch": 8},
        "pipeline": {"mode": mode},
        "checkpoint": {"every": 1000},
        "probe": {"prompts": 0},
        "limits": {"iterations": ITERATIONS},
    }
    return recipe_of(tables, source="benchmark")


def measured(
    schedule: Schedule, cores: Sequence[Core], units: tuple[int, int], reward_seconds: float
) -> float:
    """Seconds from one update to the next, once the pipeline is full."""
    is_colocated = schedule is Schedule.COLOCATED
    problems = [
        TrainingProblem(
            id=str(number), kind="none", source="none", licence="none", messages=(),
            problem=Problem(id=str(number), statement="", task=TextTask(expected="")),
        )
        for number in range(GROUPS)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="codeloop-benchmark-") as folder:
        setup = Setup(
            recipe=recipe(MODES[schedule]),
            folder=Path(folder) / "run",
            policy=HashingPolicy(cores if is_colocated else cores[1:], units[1]),
            sampler=HashingSampler(cores if is_colocated else cores[:1], units[0]),
            grader=SlowGrader(reward_seconds),
            prompts=Prompts(
                by_id={one.id: Prompt(problem=one, token_ids=(1,)) for one in problems}
            ),
            order=Order(problems=problems, seed=0),
        )
        asyncio.run(run(setup))
        rows = [row for row in read_log(setup.folder) if row["type"] == "iteration"]
        shutil.rmtree(setup.folder)
    return statistics.median(row["measured"]["iteration_seconds"] for row in rows[FILLING:])


def unit_seconds(cores: Sequence[Core], units: int) -> tuple[float, float]:
    """Of a unit on a core alone, and with both cores at work: the interference control."""
    alone = []
    for core in cores:
        core.begin(units)
        alone.append(core.end())
    for core in cores:
        core.begin(units)
    together = [core.end() for core in cores]
    return statistics.mean(alone) / units, statistics.mean(together) / units


def predicted(
    schedule: Schedule, phases: tuple[float, float], reward_seconds: float, slowdown: float
) -> float:
    """By the closed form; what runs beside the other phase is slower by the control's factor."""
    sampling, training = phases
    if schedule is Schedule.COLOCATED:
        sampling, training = sampling * slowdown / 2, training * slowdown / 2
    elif schedule.is_pipelined:
        extra = (slowdown - 1.0) * min(phases)
        sampling, training = sampling + extra, training + extra
    return iteration_seconds(
        schedule,
        sampling_seconds=sampling,
        training_seconds=training,
        reward_seconds=reward_seconds,
    )


def main() -> None:
    """Run it."""
    arguments = parse(__doc__, rounds=3)
    report = Report("One-off pipelining against its bounds", arguments)
    seconds = QUICK_SECONDS if arguments.quick else ROUND_SECONDS
    cores = [Core(number) for number in sorted(os.sched_getaffinity(0))[:2]]
    if len(cores) < 2:
        raise SystemExit("this benchmark pins two processes to two cores, and there is one here")
    per_unit, _ = unit_seconds(cores, 200)
    for sampling, training in QUICK_RATIOS if arguments.quick else RATIOS:
        parts = (sampling / (sampling + training), training / (sampling + training))
        units = (round(seconds * parts[0] / per_unit), round(seconds * parts[1] / per_unit))
        reward = REWARD_SHARE * seconds
        walls: dict[Schedule, list[float]] = {schedule: [] for schedule in MODES}
        reached: dict[Schedule, list[float]] = {schedule: [] for schedule in MODES}
        slowdowns = []
        for _ in range(arguments.rounds):
            for schedule in MODES:
                before, together = unit_seconds(cores, 200)
                wall = measured(schedule, cores, units, reward)
                after, together_after = unit_seconds(cores, 200)
                alone = (before + after) / 2
                slowdown = max(1.0, (together + together_after) / 2 / alone)
                slowdowns.append(slowdown)
                phases = (units[0] * alone, units[1] * alone)
                walls[schedule].append(wall)
                reached[schedule].append(predicted(schedule, phases, reward, slowdown) / wall)
        report.note(f"sampling to training {sampling}:{training}")
        report.figure("  interference: both cores at work, of one alone", slowdowns, "x")
        for schedule in MODES:
            report.figure(f"  {schedule.value}", walls[schedule], "s")
            target = 0.95 if schedule.is_pipelined else None
            report.figure("    predicted over measured", reached[schedule], "", at_least=target)
        for baseline in (Schedule.SAME_SPLIT, Schedule.COLOCATED):
            pairs = zip(walls[baseline], walls[Schedule.ONE_OFF_INTERLEAVED], strict=True)
            is_aim = baseline is Schedule.SAME_SPLIT and sampling == training
            report.figure(
                f"  one-off interleaved, times {baseline.value}",
                [theirs / ours for theirs, ours in pairs],
                "x",
                at_least=1.8 if is_aim else None,
            )
    for core in cores:
        core.close()
    report.finish()


if __name__ == "__main__":
    main()
