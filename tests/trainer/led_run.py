"""Program under torchrun: tiny_run's run, its policy spread over the ranks.

torchrun --nproc-per-node 2 led_run.py FOLDER [--resume] [--kill PHASE:ITERATION] [KEY=VALUE ...]
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import tiny_run  # type: ignore[import-not-found]  # it lies beside this program
import torch

from trainer.led_policy import LedPolicy, joined
from trainer.pipeline import Watch
from trainer.ranks import is_follower
from trainer.run_setup import follow_leader, policy_of
from trainer.train import run


def main(words: Sequence[str]) -> None:
    torch.set_num_threads(1)
    folder, watch = Path(words[0]), Watch()
    asked = tiny_run.recipe(folder.parent / "model", [word for word in words if "=" in word])
    model = Path(asked.model.source)
    with joined():
        if is_follower():
            follow_leader(asked, model)
            return
        if "--kill" in words:
            watch = tiny_run.KillingWatch(words[words.index("--kill") + 1])
        policy = policy_of(asked, model)
        assert isinstance(policy, LedPolicy)
        made = tiny_run.setup(folder, asked, policy=policy)
        try:
            asyncio.run(run(made, is_resumed="--resume" in words, watch=watch))
        finally:
            policy.end()


if __name__ == "__main__":
    main(sys.argv[1:])
