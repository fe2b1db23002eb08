"""One optimiser step up to its gradients: samples dealt into micro-batches, and these run one by one.

The part that plain and sharded policies have in common. What is not here: where weights lie, and what
the optimiser makes of the gradients.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from trainer.errors import StepInvalid
from trainer.importance import Corrected, correct
from trainer.micro_batches import split_packed, split_padded
from trainer.normaliser import StepTotals, token_weights
from trainer.packing import MicroBatch, Sample, pad
from trainer.policy import StepReport
from trainer.policy_model import Scorer
from trainer.policy_options import Layout, PolicyOptions
from trainer.shared_prompt import Section, lay_out, plan_sections, section_length
from trainer.staleness import staleness_histogram, token_staleness
from trainer.surrogate import TokenTerms, surrogate_loss
from trainer.surrogate_statistics import MismatchStatistics, SurrogateStatistics, count_mismatch

ROUND_UP_TOKENS = 32
"""Sections, padded rows and trained tokens are counted in these. oneDNN keeps the kernel of each shape it
has met, some of them for good: with every length its own, a step of 135M parameters left 5 MB behind,
scattered so that resident memory grew by 35 MB."""


@dataclass(frozen=True, kw_only=True)
class Deal:
    """Which sections are fed together, rank by rank, and how a micro-batch is made of them."""

    sections: list[Section]
    split: tuple[tuple[tuple[int, ...], ...], ...]
    is_padded: bool

    def micro_batch(self, samples: Sequence[Sample], places: Sequence[int]) -> MicroBatch:
        """The sections at the places of the split."""
        sections = [self.sections[place] for place in places]
        if self.is_padded:
            indices = [index for section in sections for index in section]
            return pad(samples, indices, multiple=ROUND_UP_TOKENS)
        return lay_out(samples, sections, multiple=ROUND_UP_TOKENS)


def deal(
    samples: Sequence[Sample],
    indices: Sequence[int],
    options: PolicyOptions,
    *,
    linear_tokens: int,
    layout: Layout,
    num_ranks: int = 1,
) -> Deal:
    """Deal the samples at the indices; every rank gets equally many micro-batches, and the same deal.

    Raises BatchInvalid for a sample longer than a micro-batch.
    """
    budget = options.tokens_per_micro_batch
    sections = plan_sections(
        samples,
        indices,
        budget_tokens=budget,
        linear_tokens=linear_tokens,
        can_share=layout is Layout.SHARED,
    )
    is_padded = layout is Layout.PADDED
    if is_padded:
        lengths = [samples[section[0]].num_tokens for section in sections]
        split = split_padded(lengths, num_ranks=num_ranks, budget_tokens=budget)
    else:
        lengths = [_fed(section_length(samples, section), budget) for section in sections]
        split = split_packed(
            lengths, num_ranks=num_ranks, budget_tokens=budget, linear_tokens=linear_tokens
        )
    return Deal(sections=sections, split=split, is_padded=is_padded)


def _fed(length: int, budget: int) -> int:
    """Rounded up; a section that fills a micro-batch to the last token may be rounded past it."""
    rounded = length + -length % ROUND_UP_TOKENS
    return rounded if rounded <= budget else max(length, min(rounded, budget))


def teaching(samples: Sequence[Sample], options: PolicyOptions) -> list[int]:
    """Indices of the samples whose gradient is not 0 whatever the model says.

    A sample without advantage still counts in the loss's denominator, but need not be run; unless a
    term that has no advantage in it is on.
    """
    objective = options.objective
    has_other_terms = bool(objective.kl_coefficient or objective.entropy_coefficient)
    return [
        index
        for index, sample in enumerate(samples)
        if sample.is_trained and (has_other_terms or sample.advantage != 0.0)
    ]


def step_totals(
    samples: Sequence[Sample], options: PolicyOptions, num_micro_batches: int
) -> StepTotals:
    """Counts of the whole step, over all ranks; of the samples in the loss's denominator."""
    trained = [sample for sample in samples if sample.is_trained]
    return StepTotals(
        num_tokens=sum(len(sample.answer_ids) for sample in trained),
        num_sequences=len(trained),
        num_micro_batches=num_micro_batches,
        constant_tokens=options.constant_tokens,
    )


@dataclass
class StepSums:
    """What the micro-batches of one rank add up to; `merge` with a sum over ranks before reading.

    loss: without the factor that a back-end asks for.
    """

    loss: Tensor
    surrogate: SurrogateStatistics
    mismatch: MismatchStatistics
    staleness_K: Tensor
    num_fed_tokens: int

    def merge(self, add: Callable[[Tensor], None], most: Callable[[Tensor], None]) -> None:
        """Take in the other ranks; add, most: all-reduce in place by sum and by maximum."""
        fed = torch.tensor(float(self.num_fed_tokens), dtype=torch.float64, device=self.loss.device)
        for tensor in (
            self.loss,
            self.surrogate.sums_K,
            self.mismatch.sums_K,
            self.staleness_K,
            fed,
        ):
            add(tensor)
        for tensor in (self.surrogate.extremes_K, self.mismatch.extremes_K):
            most(tensor)
        self.num_fed_tokens = int(fed)


@dataclass(frozen=True, kw_only=True)
class StepWork:
    """What a rank has to run. loss_factor: for a back-end that averages gradients over ranks."""

    micro_batches: Sequence[MicroBatch]
    totals: StepTotals
    learner_version: int
    loss_factor: float = 1.0


def check_staleness(samples: Sequence[Sample], *, learner_version: int, bound: int) -> None:
    """Raise TooStale before anything is run, on every rank alike."""
    versions_T = torch.tensor(
        [age for one in samples if one.is_trained for age in one.policy_versions], dtype=torch.long
    )
    mask_T = torch.ones_like(versions_T, dtype=torch.bool)
    token_staleness(versions_T, mask_T, learner_version=learner_version, bound=bound)


def accumulate(
    scorer: Scorer,
    work: StepWork,
    options: PolicyOptions,
    *,
    device: torch.device,
    reference: Scorer | None = None,
) -> StepSums:
    """Run the micro-batches forward and backward; gradients add up where the model keeps them."""
    sums: StepSums | None = None
    for laid_out in work.micro_batches:
        batch = laid_out.to(device)
        log_probs_BT, entropy_BT = scorer(batch, options.temperature, with_entropy=True)
        part, found = _loss(batch, log_probs_BT, entropy_BT, work, options, reference)
        (part * work.loss_factor).backward()
        if sums is None:
            sums = found
        else:
            sums.loss += found.loss
            sums.surrogate += found.surrogate
            sums.mismatch += found.mismatch
            sums.staleness_K += found.staleness_K
            sums.num_fed_tokens += found.num_fed_tokens
    assert sums is not None
    return sums


def _loss(
    batch: MicroBatch,
    log_probs_BT: Tensor,
    entropy_BT: Tensor | None,
    work: StepWork,
    options: PolicyOptions,
    reference: Scorer | None,
) -> tuple[Tensor, StepSums]:
    """This micro-batch's share of the loss, and what is counted of it."""
    own_BT = log_probs_BT.detach()
    proximal_BT = batch.proximal_log_probs_BT
    proximal_BT = torch.where(proximal_BT.isnan(), own_BT, proximal_BT)
    corrected: Corrected = correct(
        batch.behaviour_log_probs_BT,
        proximal_BT,
        batch.mask_BT,
        batch.sequence_BT,
        correction=options.correction,
        bounds=options.correction_bounds,
    )
    reference_BT = None
    if reference is not None:
        with torch.no_grad():
            reference_BT, _ = reference(batch, options.temperature)
    part, surrogate = surrogate_loss(
        TokenTerms(
            log_probs_BT=log_probs_BT,
            corrected=corrected,
            advantages_BT=batch.advantages_BT,
            mask_BT=batch.mask_BT,
            token_weights_BT=token_weights(
                batch.mask_BT, batch.sequence_BT, work.totals, normaliser=options.normaliser
            ),
            entropy_BT=entropy_BT,
            reference_log_probs_BT=reference_BT,
        ),
        options.objective,
    )
    staleness_BT = torch.where(batch.mask_BT, work.learner_version - batch.versions_BT, 0)
    return part, StepSums(
        loss=part.detach().clone(),
        surrogate=surrogate,
        mismatch=count_mismatch(batch.behaviour_log_probs_BT, proximal_BT, batch.mask_BT),
        staleness_K=staleness_histogram(staleness_BT, batch.mask_BT, bound=options.max_staleness),
        num_fed_tokens=batch.num_fed_tokens,
    )


def score(
    scorer: Scorer,
    samples: Sequence[Sample],
    dealt: Deal,
    rank: int,
    temperature: float,
    device: torch.device,
) -> dict[int, list[float]]:
    """Log-probs of the answers that this rank was dealt, by index of their sample, trained or not."""
    samples = [replace(sample, is_trained=True) for sample in samples]
    found: dict[int, list[float]] = {}
    for places in dealt.split[rank]:
        batch = dealt.micro_batch(samples, places).to(device)
        with torch.no_grad():
            log_probs_BT, _ = scorer(batch, temperature)
        for sequence, index in enumerate(batch.sample_index_S.tolist()):
            own_BT = (batch.sequence_BT == sequence) & batch.mask_BT
            found[index] = log_probs_BT[own_BT].tolist()
    return found


def refuse_not_finite(loss: float, gradient_norm: float, step: int) -> None:
    """Raise StepInvalid; the caller has changed neither weights nor moments."""
    if math.isfinite(loss) and math.isfinite(gradient_norm):
        return
    raise StepInvalid(
        f"optimiser step {step} has loss {loss} and gradient norm {gradient_norm}: both are finite;"
        " nothing was changed; look at the samples' log-probs, or lower the learning rate"
    )


def report(
    sums: StepSums,
    work: StepWork,
    *,
    gradient_norm: float,
    learning_rate: float,
    started_seconds: float,
) -> StepReport:
    """The step's numbers; sums are those of all ranks."""
    surrogate = sums.surrogate.named()
    values = {
        "loss": float(sums.loss),
        "gradient_norm": gradient_norm,
        "learning_rate": learning_rate,
        "num_fed_tokens": float(sums.num_fed_tokens),
        "num_micro_batches": float(len(work.micro_batches)),
        "clip_low_share": surrogate.pop("clip_fraction_low"),
        "clip_high_share": surrogate.pop("clip_fraction_high"),
        "zero_weight_share": surrogate.pop("zero_weight_fraction"),
    }
    values |= surrogate | sums.mismatch.named() | {"num_tokens": float(work.totals.num_tokens)}
    values |= {f"staleness_{age}": float(n) for age, n in enumerate(sums.staleness_K.tolist())}
    return StepReport(values=values | {"seconds": time.monotonic() - started_seconds})


def skipped(
    samples: Sequence[Sample],
    options: PolicyOptions,
    *,
    learning_rate: float,
    started_seconds: float,
) -> StepReport:
    """Of a step in which no sample had anything to teach."""
    zeros = (
        "loss", "gradient_norm", "entropy", "clip_low_share", "clip_high_share", "mismatch_kl",
        "num_fed_tokens", "num_micro_batches",
    )  # fmt: skip
    num_tokens = sum(len(sample.answer_ids) for sample in samples if sample.is_trained)
    values = dict.fromkeys(zeros, 0.0) | {"ratio_max": 1.0, "learning_rate": learning_rate}
    values |= {f"staleness_{age}": 0.0 for age in range(options.max_staleness + 1)}
    values |= {"num_tokens": float(num_tokens), "seconds": time.monotonic() - started_seconds}
    return StepReport(values=values, is_skipped=True)
