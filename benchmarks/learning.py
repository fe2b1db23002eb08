"""Does it learn, and only from true rewards? Five runs of `codeloop train learn`, one after another.

Three seeds; a control whose rewards are dealt out at random, which must not rise; and one-off pipelining
on as many samples, beside the synchronous run of the same seed. All are asked the same held-out problems
of unseen kinds before and after; intervals are over kinds.

    python -m benchmarks.learning
    python -m benchmarks.learning --quick        (one seed and the control)
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.report import Report, parse
from deploy.config import find_config, load_settings
from deploy.train_learn import RECIPE, ProvingGround, proving_ground
from trainer.curves import mean, number, read_run
from trainer.gain import Gain
from trainer.recipe_file import read_recipe

ITERATIONS, QUICK_ITERATIONS = 14, 8
CONTROL, ONE_OFF = "shuffled rewards", "one-off"
SEEDS: Mapping[str, Sequence[str]] = {f"seed {number}": [f"seed={number}"] for number in (1, 2, 3)}
OTHERS: Mapping[str, Sequence[str]] = {
    CONTROL: ["batch.control=shuffled_rewards"],
    ONE_OFF: ["pipeline.mode=one_off"],
}
LEAST_SHARE = 0.5
"""Of the synchronous run's gain: a policy that is one step behind learns no less, but for chance."""


def main() -> None:
    """Run it."""
    arguments = parse(__doc__, rounds=1)
    iterations = QUICK_ITERATIONS if arguments.quick else ITERATIONS
    report = Report(f"Learning: {iterations} iterations of 24 x 8 answers", arguments)
    arms = dict([*SEEDS.items()][:1] if arguments.quick else SEEDS)
    arms |= {CONTROL: OTHERS[CONTROL]} if arguments.quick else OTHERS
    began, gains = time.monotonic(), {}
    with (
        tempfile.TemporaryDirectory(prefix="codeloop-benchmark-") as folder,
        proving_ground(load_settings(find_config(None)), read_recipe(RECIPE)) as ground,
    ):
        for number, (name, changes) in enumerate(arms.items()):
            gains[name] = arm(report, ground, name, changes, iterations, Path(folder, str(number)))
    show(report, gains)
    report.figure("the whole", [(time.monotonic() - began) / 60], "minutes", at_most=30)
    report.finish()


def arm(
    report: Report,
    ground: ProvingGround,
    name: str,
    changes: Sequence[str],
    iterations: int,
    folder: Path,
) -> Gain:
    """One run, and its lines."""
    report.note(f"\n{name}")
    limits = [f"limits.iterations={iterations}", "limits.minutes=60", "limits.dead_iterations=60"]
    found = ground.learn(RECIPE, [*changes, *limits], folder)
    rows = read_run(folder).iterations
    seconds = [number(row, "measured", "iteration_seconds") for row in rows[1:]]
    report.figure(f"{name}: before", [100 * found.before], "%")
    report.figure(f"{name}: after", [100 * found.after], "%")
    report.figure(f"{name}: gain, lower end", [100 * found.interval.low], "points")
    report.figure(f"{name}: gain, upper end", [100 * found.interval.high], "points")
    report.figure(f"{name}: an iteration", [mean(seconds)], "s", at_most=10)
    return found


def show(report: Report, gains: Mapping[str, Gain]) -> None:
    """What the arms say together."""
    report.note("\ntogether")
    seeds = [100 * gains[name].difference for name in SEEDS if name in gains]
    report.figure("gain of the seeds", seeds, "points")
    lows = [100 * gains[name].interval.low for name in SEEDS if name in gains]
    report.figure("least lower end of the seeds", [min(lows)], "points", at_least=0)
    control = gains[CONTROL]
    report.figure("control: lower end", [100 * control.interval.low], "points", at_most=0)
    report.figure("control: gain", [100 * control.difference], "points", at_most=min(seeds) / 2)
    if ONE_OFF in gains:
        share = gains[ONE_OFF].difference / gains["seed 1"].difference
        report.figure("one-off / synchronous, gain", [share], "", at_least=LEAST_SHARE)


if __name__ == "__main__":
    main()
