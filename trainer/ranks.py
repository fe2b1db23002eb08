"""Which of torchrun's processes this is, by the environment that it sets."""

import os


def num_ranks() -> int:
    """1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_follower() -> bool:
    """Whether another rank runs the scheduler."""
    return int(os.environ.get("RANK", "0")) > 0


def is_first_of_its_machine() -> bool:
    """Whether this rank fetches what those of its machine share."""
    return int(os.environ.get("LOCAL_RANK", "0")) == 0
