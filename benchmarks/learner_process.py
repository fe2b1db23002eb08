"""Program: our policy takes steps on a batch; the last line tells time and memory as JSON.

python -m benchmarks.learner_process MODEL BATCH
"""

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.process import resident_bytes
from benchmarks.training_step import grouped
from trainer.packing import Sample
from trainer.plain_policy import PlainPolicy
from trainer.policy_options import PolicyOptions

NUM_STEPS = 3
OPTIONS = PolicyOptions(
    learning_rate=1e-6, temperature=0.7, tokens_per_micro_batch=1024, device="cpu"
)
LONG_OPTIONS = PolicyOptions(
    is_checkpointing=True,
    learning_rate=1e-6,
    temperature=0.7,
    tokens_per_micro_batch=4096,
    device="cpu",
)


def main(model: Path, batch: Path) -> None:
    """Steps on the batch, or the soak."""
    told = json.loads(batch.read_text())
    if told.get("soak"):
        print(json.dumps(soak(model, told["soak"], told["groups"])))
        return
    samples = samples_of(told["groups"])
    policy = PlainPolicy(model, LONG_OPTIONS if told["checkpointing"] else OPTIONS)
    steps = [timed(policy, samples) for _ in range(NUM_STEPS)]
    # The first steps touch the memory that the others find.
    seconds, cpu_seconds = min(steps[1:])
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_bytes": peak_bytes()}))


def soak(model: Path, num_steps: int, num_groups: int) -> dict[str, Any]:
    """Steps on new batches, in each of which half of the groups are dead."""
    policy = PlainPolicy(model, OPTIONS)
    resident, seconds = [], []
    for step in range(num_steps):
        live, dead = (
            samples_of(grouped(step, num_groups)),
            samples_of(grouped(-step - 1, num_groups), advantage=0.0),
        )
        seconds.append(timed(policy, [*live, *dead]))
        resident.append(resident_bytes_now())
        print(step, seconds[-1], resident[-1] >> 20, file=sys.stderr, flush=True)
    published = []
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        for turn in range(3):
            started = time.monotonic()
            policy.publish(Path(folder) / str(turn))
            published.append(time.monotonic() - started)
            shutil.rmtree(Path(folder) / str(turn))
    return {
        "resident_bytes": resident,
        "all_seconds": [one for one, _ in seconds],
        "all_cpu_seconds": [one for _, one in seconds],
        "publish_seconds": published,
    }


def samples_of(groups: list[Any], advantage: float = 1.0) -> list[Sample]:
    """One of two answers good, the sampler's log-probs those of a guess."""
    return [
        Sample(
            prompt_ids=prompt,
            answer_ids=answer,
            behaviour_log_probs=[-2.0] * len(answer),
            policy_versions=[0] * len(answer),
            advantage=advantage * (-1.0) ** place,
        )
        for prompt, answers in groups
        for place, answer in enumerate(answers)
    ]


def timed(policy: PlainPolicy, samples: list[Sample]) -> tuple[float, float]:
    """Wall and processor time of a step."""
    wall, cpu = time.monotonic(), time.process_time()
    policy.step(samples)
    return time.monotonic() - wall, time.process_time() - cpu


def resident_bytes_now() -> int:
    """Resident memory of this process."""
    import os

    return resident_bytes(os.getpid())


def peak_bytes() -> int:
    """The most that this process had resident."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise AssertionError


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
