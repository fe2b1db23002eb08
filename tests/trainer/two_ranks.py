"""Program under torchrun: steps of a sharded policy, its states and versions; writes what it found.

torchrun --nproc-per-node 2 two_ranks.py MODEL WITHOUT_WEIGHTS BATCHES OUT
"""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from trainer.errors import CheckpointInvalid, ModelUnfit, SaveFailed, StepInvalid
from trainer.packing import Sample
from trainer.policy_options import Compute, LoraOptions, PolicyOptions
from trainer.sharded_policy import ShardedPolicy
from trainer.surrogate import Objective


def main(whole: Path, without_weights: Path, batches: Path, out: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    model, other = (whole, without_weights)[:: -1 if dist.get_rank() else 1]
    steps = [[Sample(**one) for one in batch] for batch in json.loads(batches.read_text())]
    plain = PolicyOptions(
        learning_rate=1e-3, compute=Compute.FLOAT32, tokens_per_micro_batch=64, device="cpu"
    )
    held = dataclasses.replace(plain, objective=Objective(kl_coefficient=0.5))
    found = {
        "unfit": unfit(other, plain),
        "kl": [dict(report.values) for report in map(ShardedPolicy(model, held).step, steps)],
        "full": full(model, steps, plain, out),
        "lora": lora(
            model, steps, dataclasses.replace(plain, lora=LoraOptions(rank=4, alpha=8)), out
        ),
        "bfloat16": {
            name: [dict(report.values) for report in map(ShardedPolicy(model, one).step, steps)]
            for name, one in bfloat16_options(plain).items()
        },
    }
    if dist.get_rank() == 0:
        (out / "found.json").write_text(json.dumps(found))
    dist.destroy_process_group()


def bfloat16_options(plain: PolicyOptions) -> dict[str, PolicyOptions]:
    rounded = dataclasses.replace(plain, compute=Compute.BFLOAT16)
    return {
        "full": rounded,
        "lora": dataclasses.replace(rounded, lora=LoraOptions(rank=4, alpha=8)),
    }


def unfit(model: Path, options: PolicyOptions) -> list[str]:
    """What each rank hears when rank 0 finds no weights."""
    heard: list[str] = [""] * dist.get_world_size()
    try:
        ShardedPolicy(model, options)
    except ModelUnfit as error:
        dist.all_gather_object(heard, str(error))
    return heard


def full(
    model: Path, steps: list[list[Sample]], options: PolicyOptions, out: Path
) -> dict[str, Any]:
    """Two steps; a state taken after the first gives the second again, both ways of saving."""
    policy = ShardedPolicy(model, options)
    before = policy.log_probs(steps[0], 0.6)
    reports = [dict(policy.step(steps[0]).values)]
    policy.log_probs(steps[0], 0.6)  # as a version's probes are, with no step before the checkpoint
    rank = dist.get_rank()
    torch.save(policy.state(), out / f"state-{rank}.pt")
    policy.save(out / "saved")
    try:
        policy.step([dataclasses.replace(one, advantage=3e38) for one in steps[1]])
        refused = False
    except StepInvalid:
        refused = True
    reports.append(dict(policy.step(steps[1]).values))
    policy.publish(out / "v1", {"reward": 0.5})
    try:
        policy.publish(out / "v1")
        published_twice = True
    except SaveFailed:
        published_twice = False
    resumed, loaded = ShardedPolicy(model, options), ShardedPolicy(model, options)
    resumed.load_state(torch.load(out / f"state-{rank}.pt"))
    loaded.load(out / "saved")
    again = [dict(one.step(steps[1]).values) for one in (resumed, loaded)]
    scores = [one.log_probs(steps[0], 0.6) for one in (policy, resumed, loaded)]
    try:
        loaded.load(out / "absent")
        loaded_nothing = True
    except CheckpointInvalid:
        loaded_nothing = False
    return {
        "before": before, "reports": reports, "again": again, "scores": scores, "refused": refused,
        "published_twice": published_twice, "loaded_nothing": loaded_nothing,
        "version": policy.version,
    }  # fmt: skip


def lora(
    model: Path, steps: list[list[Sample]], options: PolicyOptions, out: Path
) -> dict[str, Any]:
    policy = ShardedPolicy(model, options)
    reports = [dict(policy.step(batch).values) for batch in steps]
    policy.publish(out / "lora")
    return {"reports": reports, "scores": policy.log_probs(steps[0], 0.6)}


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
