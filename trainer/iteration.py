"""An iteration as the log tells it: event_log.py says what each key means."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trainer.batch import Batch, Slot
from trainer.lesson import Lesson
from trainer.policy_thread import Learned
from trainer.prompts import Prompts

_MEANS = (
    "loss", "gradient_norm", "learning_rate", "entropy", "clip_low_share", "clip_high_share",
    "mismatch_kl",
)  # fmt: skip
_SUMS = ("num_tokens", "num_fed_tokens", "num_micro_batches")
_STALENESS = "staleness_"
_NUM_TEXTS, _MOST_CHARACTERS = 4, 2000
_PAGE_BYTES = 4096


def iteration_row(
    batch: Batch, lesson: Lesson, learned: Learned, prompts: Prompts
) -> dict[str, Any]:
    """Everything but the stage and the learner's times."""
    rewards = [reward for slot in batch.slots for reward in slot.rewards]
    answers = [answer for slot in batch.slots for answer in slot.answers]
    scores = [reward.score for reward in rewards if reward.score is not None]
    lengths = [len(answer.token_ids) for answer in answers]
    checked = [reward.holdout for reward in rewards if reward.holdout is not None]
    steps = [_without_times(report.values) for report in learned.reports if not report.is_skipped]
    return {
        "type": "iteration",
        "iteration": batch.iteration,
        "version": batch.version,
        "epoch": batch.epoch,
        "prompts": len(batch.slots),
        "problems": [slot.problem_id for slot in batch.slots],
        "samples": len(answers),
        "rounds": batch.round,
        "reward_mean": sum(scores) / len(scores),
        "solve_rate": sum(score >= 1 for score in scores) / len(scores),
        "groups_live": lesson.num_live,
        "groups_dead": lesson.num_dead,
        "groups_replaced": len(batch.dead),
        "samples_uncounted": lesson.num_uncounted,
        "truncated_share": sum(answer.is_cut for answer in answers) / len(answers),
        "tokens_mean": sum(lengths) / len(lengths),
        "tokens_max": max(lengths),
        "tokens_total": sum(lengths),
        "staleness": _staleness(steps),
        "holdout_checked": len(checked),
        "holdout_disagreement": checked.count(False) / len(checked) if checked else None,
        "reasons": dict(Counter(reward.reason for reward in rewards)),
        "sources": _sources(batch.slots, prompts),
        "is_skipped": not steps,
        "steps": steps,
        "learner": _over_steps(steps),
        "measured": _measured(batch, learned, sum(lengths)),
    }


def sample_texts(batch: Batch) -> dict[str, Any]:
    """A few answers to read: of the first prompts, one right and one wrong where there are both."""
    texts = []
    for slot in batch.slots:
        pairs = list(zip(slot.answers, slot.rewards, strict=True))
        best, worst = max(pairs, key=_score), min(pairs, key=_score)
        for answer, reward in [best] if _score(best) == _score(worst) else [best, worst]:
            texts.append(
                {
                    "problem": slot.problem_id,
                    "reward": reward.score,
                    "reason": reward.reason,
                    "is_cut": answer.is_cut,
                    "text": answer.text[:_MOST_CHARACTERS],
                }
            )
    return {"type": "samples", "iteration": batch.iteration, "texts": texts[:_NUM_TEXTS]}


def resident_bytes() -> int:
    """Memory of this process that is in use now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


def _score(pair: tuple[Any, Any]) -> float:
    return -1.0 if pair[1].score is None else float(pair[1].score)


def _without_times(values: Any) -> dict[str, float]:
    return {name: value for name, value in values.items() if not name.endswith("seconds")}


def _staleness(steps: Sequence[dict[str, float]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for step in steps:
        for name, value in step.items():
            if name.startswith(_STALENESS):
                counts[name.removeprefix(_STALENESS)] += int(value)
    return dict(counts)


def _over_steps(steps: Sequence[dict[str, float]]) -> dict[str, float]:
    if not steps:
        return {}
    found = {name: sum(step[name] for step in steps) / len(steps) for name in _MEANS}
    found |= {name: sum(step[name] for step in steps) for name in _SUMS}
    return found | {"ratio_max": max(step["ratio_max"] for step in steps)}


def _sources(slots: Sequence[Slot], prompts: Prompts) -> dict[str, list[int]]:
    counts: dict[str, list[int]] = {}
    for slot in slots:
        both = counts.setdefault(prompts.by_id[slot.problem_id].problem.source, [0, 0])
        scores = [reward.score for reward in slot.rewards if reward.score is not None]
        both[0] += len(scores)
        both[1] += sum(score >= 1 for score in scores)
    return counts


def _measured(batch: Batch, learned: Learned, num_tokens: int) -> dict[str, Any]:
    latencies = [seconds for slot in batch.slots for seconds in slot.graded_seconds]
    p50, p90, p99 = np.percentile(latencies, [50, 90, 99]).tolist()
    return {
        "sampling_seconds": batch.sampling_seconds,
        "grading_seconds": batch.grading_seconds,
        "training_seconds": learned.seconds,
        "sampler_idle_seconds": batch.waiting_seconds,
        "reward_latency_seconds": {"p50": p50, "p90": p90, "p99": p99, "max": max(latencies)},
        "resident_bytes": resident_bytes(),
        "tokens_per_second": num_tokens / max(batch.sampling_seconds, 1e-9),
    }
