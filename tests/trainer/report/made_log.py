"""Makes log.jsonl of runs that never were, row by row as trainer/event_log.py says: the same each time."""

import json
import math
import pathlib
import random
from collections.abc import Mapping, Sequence
from typing import Any

Row = dict[str, Any]
FAMILIES = ("lists", "words", "numbers")


def session(run: str = "made", **other: Any) -> Row:
    return {
        "type": "session", "run": run, "recipe_digest": "0a1b2c3d4e5f", "model": "SmolLM2-135M-Instruct",
        "dataset": "short-functions", "sampler": {"model": "smollm2", "engine": "transformers on 2 threads"},
        "resumed_from": None, "started_at": "2025-02-01T10:00:00+00:00",
        "packages": {"torch": "2.13.0", "transformers": "5.19.0"},
    } | other  # fmt: skip


def probe(kl: float = 1.2e-3) -> Row:
    return {"type": "probe", "tokens": 512, "kl": kl, "max_difference": 0.4}


def iteration(number: int, *, progress: float = 0.0, seed: int = 0, **other: Any) -> Row:
    """progress: 0 at the start, 1 where all is learned. learner and measured add to what is there."""
    dice = random.Random(f"{seed}/{number}")
    rate = min(1.0, max(0.0, 0.1 + 0.35 * progress + dice.gauss(0, 0.05)))
    samples, right = 192, round(192 * rate)
    live = round(24 * (0.35 + 0.2 * progress - 0.3 * progress * progress + dice.gauss(0, 0.04)))
    tokens = 28 - 9 * progress + dice.gauss(0, 0.7)
    wrong = samples - right
    row = {
        "type": "iteration", "iteration": number, "version": max(0, number - 2), "stage": 0, "epoch": 0,
        "prompts": 24, "samples": samples, "rounds": 1, "reward_mean": right / samples, "solve_rate": right / samples,
        "groups_live": live, "groups_dead": 24 - live, "groups_replaced": 0, "samples_uncounted": 0,
        "truncated_share": max(0.0, 0.07 * (1 - progress) + dice.gauss(0, 0.005)),
        "tokens_mean": tokens, "tokens_max": 64, "tokens_total": round(tokens * samples),
        "staleness": {"0": 0, "1": 3000} if number > 1 else {"0": 3000},
        "holdout_checked": right, "holdout_disagreement": 0.02 if right else None,
        "reasons": {"pass": right, "wrong_answer": wrong // 2, "runtime_error": wrong - wrong // 2},
        "sources": {"short-functions": [samples, right]},
        "steps": [{"loss": 0.01}], "is_skipped": False,
        "learner": {
            "loss": dice.gauss(0, 0.01), "gradient_norm": 1.2 + dice.gauss(0, 0.2),
            "learning_rate": min(2e-5, 1e-5 * number), "entropy": 0.36 - 0.2 * progress + dice.gauss(0, 0.01),
            "clip_low_share": 0.004, "clip_high_share": 0.009 - 0.004 * progress,
            "mismatch_kl": 1.5e-3 + dice.gauss(0, 1e-4), "ratio_max": 2.5 + dice.random(),
            "num_tokens": 3000, "num_fed_tokens": 6000, "num_micro_batches": 4,
        },
        "measured": {
            "sampling_seconds": 5.5 + dice.random(), "grading_seconds": 0.4,
            "training_seconds": 6.5 + dice.random(), "publishing_seconds": 0.3, "iteration_seconds": 8.5,
            "sampler_idle_seconds": 1.0, "learner_idle_seconds": 0.8,
            "reward_latency_seconds": {"p50": 0.01, "p90": 0.03, "p99": 0.2, "max": 0.5 + dice.random()},
            "resident_bytes": 3_000_000_000 + 5_000_000 * min(number, 4), "tokens_per_second": 900.0,
        },
    }  # fmt: skip
    for name in ("learner", "measured"):
        row[name] = {**_table(row[name]), **_table(other.pop(name, {}))}
    return row | other


def _table(value: Any) -> Mapping[str, Any]:
    assert isinstance(value, Mapping)
    return value


def evaluation(
    number: int, rate: float, *, num_kinds: int = 60, seed: int = 1, temperature: float = 0.7
) -> Row:
    """Two problems a kind, four answers each; kinds differ more than problems within one do."""
    by_problem, kinds = {}, {}
    for kind in range(num_kinds):
        name = f"{FAMILIES[kind % len(FAMILIES)]}/kind-{kind}"
        hardness = random.Random(f"{seed}/{kind}").gauss(0, 1.5)
        chance = 1 / (1 + math.exp(hardness - math.log(rate / (1 - rate))))
        for version in range(2):
            dice = random.Random(f"{seed}/{kind}/{version}/{number}")
            problem = f"{name}/{version}"
            by_problem[problem] = [sum(dice.random() < chance for _ in range(4)), 4]
            kinds[problem] = name
    rates = [right / counted for right, counted in by_problem.values()]
    return {
        "type": "evaluation", "iteration": number, "version": number, "problems": 2 * num_kinds,
        "samples": 4, "temperature": temperature, "solve_rate": sum(rates) / len(rates),
        "tokens_mean": 24.0, "truncated_share": 0.01, "samples_uncounted": 0,
        "by_problem": by_problem, "kinds": kinds, "measured": {"seconds": 12.0},
    }  # fmt: skip


def samples(number: int, text: str = "return sum(x for x in xs if x % 2)") -> Row:
    one = {
        "problem": "lists/kind-0/1",
        "reward": 1.0,
        "reason": "pass",
        "is_cut": False,
        "text": text,
    }
    other = one | {"reward": None, "reason": "sandbox gone", "is_cut": True, "text": f"# {text}"}
    return {"type": "samples", "iteration": number, "texts": [one, other]}


def stage(number: int, at: int, **other: Any) -> Row:
    row = {"type": "stage", "stage": number, "iteration": at}
    return row | {"max_new_tokens": 64, "prompts": 24, "mini_batches": 1} | other


def save(number: int) -> Row:
    measured = {"seconds": 1.5, "bytes": 1_600_000_000}
    return {"type": "save", "iteration": number, "measured": measured}


def end(number: int, reason: str = "done") -> Row:
    return {
        "type": "end",
        "iterations": number,
        "reason": reason,
        "measured": {"seconds": 8.5 * number},
    }


def whole_run(num_iterations: int = 30, *, run: str = "made", seed: int = 0) -> list[Row]:
    """A run that learns, as the real ones do: quickly, then slower."""
    rows = [session(run), probe(), evaluation(0, 0.1), stage(0, 1)]
    for number in range(1, num_iterations + 1):
        progress = 1 - math.exp(-3 * number / num_iterations)
        rows += [iteration(number, progress=progress, seed=seed), samples(number)]
        if number % 10 == 0:
            rows += [save(number), evaluation(number, 0.1 + 0.3 * progress)]
    return [*rows, end(num_iterations)]


def write(
    folder: pathlib.Path, rows: Sequence[Mapping[str, Any]], *, tail: str = ""
) -> pathlib.Path:
    """tail: bytes after the last row, as of a write that was cut."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "log.jsonl").write_text(text + tail, encoding="utf-8")
    return folder
