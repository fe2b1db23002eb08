"""Resident memory over 200 iterations of the whole training loop: learner, and the engine that samples for it.

The parts are the real ones of `codeloop train learn`: SmolLM2-135M samples with vLLM, the sandbox rewards,
the learner steps, new weights go into the running engine. Batches are small, for the count is what matters:
what is not given back is not given back once an iteration. After a warm-up of a fifth of the time a line is
laid through the samples; flat means that along it memory drifts by less than one per cent.

    python -m benchmarks.training_soak --quick        40 iterations
    python -m benchmarks.training_soak
"""

import contextlib
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks.process import MemoryWatch, Sample, drift
from benchmarks.report import Report, parse
from deploy.config import find_config, load_settings
from deploy.train_learn import RECIPE, proving_ground
from trainer.curves import mean, number, read_run
from trainer.recipe_file import read_recipe

ITERATIONS, QUICK_ITERATIONS = 200, 40
ENGINE = "VLLM::EngineCor"
"""As the kernel cuts the name of the process that computes."""


def main() -> None:
    """Run it."""
    arguments = parse(__doc__, rounds=1)
    iterations = QUICK_ITERATIONS if arguments.quick else ITERATIONS
    report = Report(f"Resident memory over {iterations} iterations of 4 x 4 answers", arguments)
    changes = [
        "batch.prompts=4", "batch.samples=4", "batch.dead_groups=keep", "evaluation.problems=8",
        "evaluation.samples=1", f"limits.iterations={iterations}",
        "limits.minutes=600", f"limits.dead_iterations={iterations}", "checkpoint.every=50",
    ]  # fmt: skip
    recipe = read_recipe(RECIPE, changes)
    with (
        tempfile.TemporaryDirectory(prefix="codeloop-benchmark-") as name,
        proving_ground(load_settings(find_config(None)), recipe) as ground,
        contextlib.ExitStack() as stack,
    ):
        gateway = ground.server.process.pid
        watches = {
            "engine": MemoryWatch(_engine(gateway), every_seconds=1.0),
            "gateway": MemoryWatch(gateway, every_seconds=1.0),
        }
        for watch in watches.values():
            stack.enter_context(watch)
        ground.learn(RECIPE, changes, Path(name, "run"))
        rows = read_run(Path(name, "run")).iterations
        seconds = [number(row, "measured", "iteration_seconds") for row in rows]
        report.figure("iterations", [len(rows)], "")
        report.figure("an iteration", [mean(seconds)], "s")
        # An iteration as if it took a minute, so that a slope is one of an iteration.
        learner = [
            Sample(60.0 * place, int(number(row, "measured", "resident_bytes")))
            for place, row in enumerate(rows)
        ]
        show(report, "learner", learner)
        for part, watch in watches.items():
            show(report, part, watch.samples)
    report.finish()


def show(report: Report, part: str, samples: Sequence[Sample]) -> None:
    """Print where one process went."""
    found, mib = drift(samples), [sample.resident_bytes / 2**20 for sample in samples]
    tenths = (mib[len(mib) * tenth // 10 : len(mib) * (tenth + 1) // 10] for tenth in range(10))
    print(f"  {part}, MiB by tenths:", *(f"{statistics.median(tenth):.0f}" for tenth in tenths))
    report.figure(f"{part}: median of the first quarter after warm-up", [found.first_mib], "MiB")
    report.figure(f"{part}: median of the last quarter", [found.last_mib], "MiB")
    report.figure(f"{part}: drift along the line", [found.percent], "%", at_most=1)


def _engine(gateway: int) -> int:
    """The process that holds the weights, among the server's descendants."""
    for process in psutil.Process(gateway).children(recursive=True):
        if process.name().startswith(ENGINE):
            return process.pid
    raise SystemExit(f"no process {ENGINE} below the server's, {gateway}")


if __name__ == "__main__":
    main()
