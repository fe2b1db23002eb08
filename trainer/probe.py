"""Do two engines speak of the same tokens, and do they agree on them?

Asked of sampler and learner before the first iteration; and each version brings a few answers with the
learner's log-probs along, by which a server finds out whether it has loaded what was trained.

The sampler answers a few prompts; for its tokens the learner's log-probs are compared with those that came
with them. d = log mu - log pi, and KL(mu || pi) is estimated by k3 = exp(-d) + d - 1, which is never
negative (joschu.net/blog/kl-approx.html). Another template, temperature, tokenizer or weight is off by
far more than kernels are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from trainer.errors import SamplerMismatch
from trainer.lesson import Lesson
from trainer.packing import Sample
from trainer.recipe import ProbeTable
from trainer.rollout import Answer

PROBE_TOKENS = 64
"""Of an answer that a version brings along: its beginning says enough, and costs little."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Over num_tokens tokens: mean k3, and the largest gap of one token's log-prob."""

    num_tokens: int
    kl: float
    max_difference: float


def probe_samples(
    prompts: Sequence[tuple[int, ...]], answers: Sequence[Sequence[Answer]]
) -> list[Sample]:
    """The answers as the learner takes them."""
    return [
        Sample(
            prompt_ids=prompt_ids,
            answer_ids=answer.token_ids,
            behaviour_log_probs=answer.log_probs,
            policy_versions=answer.policy_versions,
            advantage=0.0,
        )
        for prompt_ids, group in zip(prompts, answers, strict=True)
        for answer in group
    ]


def agreement(samples: Sequence[Sample], learner_log_probs: Sequence[Sequence[float]]) -> Agreement:
    """How far the two are apart on the samples' tokens. Raises SamplerMismatch for other counts."""
    gaps: list[float] = []
    for number, (sample, row) in enumerate(zip(samples, learner_log_probs, strict=True)):
        if len(row) != len(sample.behaviour_log_probs):
            raise SamplerMismatch(
                f"answer {number} of the probe has {len(sample.behaviour_log_probs)} log-probs from the"
                f" sampler and {len(row)} from the learner: they speak of other tokens"
            )
        gaps += [mu - pi for mu, pi in zip(sample.behaviour_log_probs, row, strict=True)]
    return Agreement(
        num_tokens=len(gaps),
        kl=sum(math.expm1(-gap) + gap for gap in gaps) / len(gaps),
        max_difference=max(abs(gap) for gap in gaps),
    )


def refuse_disagreement(found: Agreement, table: ProbeTable) -> None:
    """Raises SamplerMismatch past the recipe's bounds."""
    # Written so that NaN, of which no comparison holds, is refused too.
    if not (found.kl <= table.max_kl and found.max_difference <= table.max_difference):
        raise SamplerMismatch(
            f"sampler and learner differ on {found.num_tokens} tokens by a KL of {found.kl:.2g} and at most"
            f" {found.max_difference:.2g} in one log-prob; allowed are {table.max_kl:g} and"
            f" {table.max_difference:g}: compare their weights, temperature and tokenizer, or raise the"
            " bounds of [probe]"
        )


def refuse_other_tokenizer(sampler_digest: str, learner_digest: str) -> None:
    """Raises SamplerMismatch where both are known and differ."""
    if sampler_digest and learner_digest and sampler_digest != learner_digest:
        raise SamplerMismatch(
            f"the sampler's tokenizer has the digest {sampler_digest[:12]} and the learner's"
            f" {learner_digest[:12]}: the same ids would be other texts; serve the model that is trained"
        )


def probes_of(lesson: Lesson, count: int) -> tuple[Sample, ...]:
    """So many of an iteration's answers, spread over it, each cut to its first PROBE_TOKENS."""
    samples = [sample for samples in lesson.mini_batches for sample in samples]
    if not count or not samples:
        return ()
    chosen = samples[:: math.ceil(len(samples) / count)]
    return tuple(
        replace(
            each,
            answer_ids=each.answer_ids[:PROBE_TOKENS],
            behaviour_log_probs=each.behaviour_log_probs[:PROBE_TOKENS],
            policy_versions=each.policy_versions[:PROBE_TOKENS],
            proximal_log_probs=None,
        )
        for each in chosen
    )


def probe_records(
    probes: Sequence[Sample], log_probs: Sequence[Sequence[float]]
) -> list[dict[str, Any]]:
    """As a version's manifest has them. log_probs: the learner's of the answers at temperature 1."""
    return [
        {
            "prompt_ids": list(probe.prompt_ids),
            "answer_ids": list(probe.answer_ids),
            "log_probs": list(row),
        }
        for probe, row in zip(probes, log_probs, strict=True)
    ]
