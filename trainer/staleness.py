"""How many policy versions lie between the sampling of a token and its training, with a hard bound.

A version counts published policies, so one optimiser step need not be one version. With rollouts that
are kept over an update the tokens of one sample differ in version, so each token has its own.
One-off pipelining has staleness 1 by construction; AReaL's table 3 (arXiv:2505.24298) finds 1 free
without a correction, and 4 not.
"""

import torch
from torch import Tensor

from trainer.errors import TooStale


def token_staleness(
    versions_BT: Tensor, mask_BT: Tensor, *, learner_version: int, bound: int
) -> Tensor:
    """learner_version - versions_BT where mask_BT holds, 0 elsewhere.

    Raises TooStale for a token beyond the bound, and for one newer than the learner, whose version
    was told wrongly. What is too old is for the scheduler to drop or hold before it comes here.
    """
    staleness_BT = torch.where(mask_BT, learner_version - versions_BT, 0)
    oldest, newest = int(staleness_BT.max()), int(staleness_BT.min())
    if oldest > bound:
        raise TooStale(
            f"a token was sampled by version {learner_version - oldest} and the learner is at"
            f" {learner_version}: staleness {oldest} is past the bound {bound}; drop the sample or"
            " raise max_staleness"
        )
    if newest < 0:
        raise TooStale(
            f"a token was sampled by version {learner_version - newest} and the learner is at"
            f" {learner_version}: a sampler cannot be ahead; its version was told wrongly"
        )
    return staleness_BT


def staleness_histogram(staleness_BT: Tensor, mask_BT: Tensor, *, bound: int) -> Tensor:
    """Trained tokens by staleness, 0 to bound; histograms of micro-batches and ranks add up."""
    return torch.bincount(staleness_BT[mask_BT], minlength=bound + 1)
