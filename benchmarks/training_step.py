"""A training step of ours beside TRL's GRPOTrainer: same model, same batch, same machine, fresh processes.

Two batches of SmolLM2-135M: twelve groups of eight short answers (116 + 25 tokens, as in the learning
proof), where prompts can be shared, and samples of 4,096 tokens, where there is nothing to share. TRL
takes its micro-batches of one group, or of one sample, in bfloat16 by autocast; its loss is called on
ready batches, so no generation is in the time. Both checkpoint gradients for the long sample. Peaks are of resident memory of the whole process.

    BENCH_TRL_PYTHON=~/trl/bin/python python -m benchmarks.training_step --quick
    python -m benchmarks.training_step --soak 200        # memory and time over steps, ours alone

On a machine with other work ask for `--threads 1` and look at the processor times: two threads that
wait for each other at every product take many times as long when one of them must wait for others.

TRL wants an environment of its own: `uv venv ~/trl && uv pip install --python ~/trl/bin/python
trl==1.16.0 transformers==5.19.0 torch==2.13.0`. Without it only our own figures are printed.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.report import Report, parse

MODEL = Path("~/.cache/codeloop/test-home/models/smollm2-135m").expanduser()
GROUPS, SAMPLES, PROMPT, ANSWER = 12, 8, 116, 25
QUICK_GROUPS = 2
LONG_PROMPT, LONG_ANSWER = 512, 3584
VOCABULARY = 40_000
FASTER, SMALLER = 1.5, 0.7
STEP_SECONDS = 5.0
GROWTH = 0.01


def main() -> None:
    """Run it."""
    own = argparse.ArgumentParser(add_help=False)
    own.add_argument("--soak", type=int, metavar="STEPS", default=0)
    own.add_argument("--model", type=Path, default=Path(os.environ.get("BENCH_MODEL", MODEL)))
    own.add_argument("--threads", type=int, default=os.cpu_count())
    mine, sys.argv[1:] = own.parse_known_args()
    arguments = parse(__doc__, rounds=5)
    os.environ["OMP_NUM_THREADS"] = str(mine.threads)
    report = Report(f"A training step, {mine.threads} threads", arguments)
    with tempfile.TemporaryDirectory() as folder:
        num_groups = QUICK_GROUPS if arguments.quick else GROUPS
        if mine.soak:
            soak(report, mine.model, Path(folder), mine.soak, num_groups)
        else:
            beside_trl(report, mine.model, Path(folder), arguments.rounds, num_groups)
    report.finish()


def beside_trl(report: Report, model: Path, folder: Path, rounds: int, num_groups: int) -> None:
    """Both trainers in turn, each in a fresh process a round."""
    trl = os.environ.get("BENCH_TRL_PYTHON")
    if not trl:
        report.note("BENCH_TRL_PYTHON is not set: ours alone (the top of this file says how)\n")
    cases = {
        f"{num_groups} x 8 x (116 + 25)": (grouped(0, num_groups), SAMPLES, False),
        "1 x 4096, checkpointed": ([long(0)], 1, True),
    }
    for name, (groups, per_micro_batch, is_checkpointing) in cases.items():
        batch = folder / "batch.json"
        told = {"groups": groups, "rows": per_micro_batch, "checkpointing": is_checkpointing}
        batch.write_text(json.dumps(told))
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for _ in range(rounds):
            found["ours"].append(child(sys.executable, "benchmarks.learner_process", model, batch))
            if trl:
                found["trl"].append(child(trl, "benchmarks.trl_process", model, batch))
        num_tokens = sum(
            len(prompt) + len(answer) for prompt, answers in groups for answer in answers
        )
        for who, rows in found.items():
            speeds = [num_tokens / row["seconds"] for row in rows]
            report.figure(f"{name}, {who}: step", [row["seconds"] for row in rows], "s")
            report.figure(f"{name}, {who}: speed", speeds, "tokens/s")
            report.figure(f"{name}, {who}: processor", [row["cpu_seconds"] for row in rows], "s")
            report.figure(
                f"{name}, {who}: peak", [row["peak_bytes"] / 2**20 for row in rows], "MiB"
            )
        if trl:
            pairs = list(zip(found["ours"], found["trl"], strict=True))
            faster = [other["seconds"] / own["seconds"] for own, other in pairs]
            cheaper = [other["cpu_seconds"] / own["cpu_seconds"] for own, other in pairs]
            smaller = [own["peak_bytes"] / other["peak_bytes"] for own, other in pairs]
            report.figure(f"{name}: speed, ours / TRL", faster, "x", at_least=FASTER)
            report.figure(f"{name}: processor, TRL / ours", cheaper, "x")
            report.figure(f"{name}: peak, ours / TRL", smaller, "x", at_most=SMALLER)
        report.note("")


def soak(report: Report, model: Path, folder: Path, num_steps: int, num_groups: int) -> None:
    """Steps on new batches of unlike lengths: time a step, and resident memory early and late."""
    batch = folder / "batch.json"
    batch.write_text(json.dumps({"groups": num_groups, "soak": num_steps}))
    found = child(sys.executable, "benchmarks.learner_process", model, batch)
    resident = [value / 2**20 for value in found["resident_bytes"]]
    for step in range(0, num_steps, max(1, num_steps // 10)):
        report.note(f"    step {step:>4}: {resident[step]:.0f} MiB")
    settled = resident[num_steps // 10 :]
    part = max(1, len(settled) // 4)
    early, late = sum(settled[:part]) / part, sum(settled[-part:]) / part
    report.figure(
        f"step of {2 * num_groups * SAMPLES} samples, half of them live",
        found["all_seconds"],
        "s",
        at_most=STEP_SECONDS,
    )
    report.figure("processor a step", found["all_cpu_seconds"], "s")
    report.figure(
        "growth from the first to the last quarter", [late / early - 1], "", at_most=GROWTH
    )
    report.figure("publish to memory, 270 MB", found["publish_seconds"], "s", at_most=1.0)


def child(python: str, module: str, model: Path, batch: Path) -> dict[str, Any]:
    """Run a program of this folder and read its last line."""
    done = subprocess.run(
        [python, "-m", module, str(model), str(batch)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def grouped(seed: int, num_groups: int = GROUPS) -> list[tuple[list[int], list[list[int]]]]:
    """Prompts with answers, lengths scattered by a third around their means."""
    chooser = random.Random(seed)

    def ids(mean: int) -> list[int]:
        return [
            chooser.randrange(VOCABULARY)
            for _ in range(chooser.randint(mean * 2 // 3, mean * 4 // 3))
        ]

    return [(ids(PROMPT), [ids(ANSWER) for _ in range(SAMPLES)]) for _ in range(num_groups)]


def long(seed: int) -> tuple[list[int], list[list[int]]]:
    """One sample of 4,096 tokens."""
    chooser = random.Random(seed)
    ids = [chooser.randrange(VOCABULARY) for _ in range(LONG_PROMPT + LONG_ANSWER)]
    return ids[:LONG_PROMPT], [ids[LONG_PROMPT:]]


if __name__ == "__main__":
    main()
