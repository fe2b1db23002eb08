"""Training on spare capacity: what users notice of a saturated train lane, and what that lane gets.

Users stream answers in the chat lane and an editor asks in the ide lane, both at random times, each with some
code in the prompt that no other has; rollouts, eight answers to a prompt, fill the train lane of the same
engine. Users alone, rollouts alone, and both, in turns. What the lane can get is what users leave: on two cores
the calls of the real model keep the engine busy for a third of the time.

    python -m benchmarks.train_lane --quick
    python -m benchmarks.train_lane --model smollm2-135m
"""

from collections import defaultdict
from contextlib import AbstractContextManager
from typing import Any

from benchmarks.load import NUMBER, Generators, Load, Outcome, load_generators, percentile
from benchmarks.report import Report, parse
from benchmarks.servers import SCRIPTED, gateway_over, through
from deploy.launch import Launched

MODELS = (SCRIPTED, "smollm2-135m")
SLOTS = 32
ANSWERS = 8
CALLERS = 8
"""Rollout requests kept waiting: more answers than the lane has slots."""
SCRIPT = f"num_tokens = 48\ntokens_per_second = 50.0\nslots = {SLOTS}\n"
LANES = ("chat", "ide")
CALLS_PER_SECOND = {SCRIPTED: 4.0, "smollm2-135m": 0.15}
CODE = "\n".join(
    f"def part_{n}(items):\n    return [item * {n} for item in items if item > {n}]"
    for n in range(12)
)
TOKENS = {"chat": 48, "ide": 16}
MOST_FIRST, MOST_BETWEEN, LEAST_SHARE = 1.3, 1.5, 0.7


def main() -> None:
    """Run it."""
    arguments = parse(__doc__, rounds=3, models=MODELS)
    report = Report(f"The train lane beside users: {arguments.model}, {SLOTS} slots", arguments)
    seconds = 8.0 if arguments.quick else 30.0
    if arguments.model != SCRIPTED:
        seconds *= 4
    figures: dict[str, list[float]] = defaultdict(list)
    with server(arguments.model) as gateway, load_generators(3) as generators:
        for _ in range(arguments.rounds):
            measure(generators, gateway, arguments.model, figures, seconds)
    show(report, figures)
    report.finish()


def server(model: str) -> AbstractContextManager[Launched]:
    """A model that serves users and lets a trainer draw, as with an adapter recipe."""
    more = f"concurrency = {SLOTS}\nadapters = 2\nkv_cache_bytes = 1073741824"
    lanes = "lanes.train = { queue = 64, queue_seconds = 600, request_seconds = 600 }"
    return gateway_over(model, SCRIPT, server=lanes, model=more)


def users(gateway: Launched, model: str, lane: str, seconds: float) -> Load:
    """Streams of a lane, whose prompts no other shares."""
    return Load(
        endpoint=through(gateway, lane=lane),
        body={
            "model": model,
            "messages": [{"role": "user", "content": f"Question {NUMBER}: what is this?\n{CODE}"}],
            "max_tokens": TOKENS[lane],
            "ignore_eos": True,
            "stream": True,
        },
        arrivals_per_second=CALLS_PER_SECOND[model],
        seconds=seconds,
        warm_up=1,
    )


def rollouts(gateway: Launched, model: str, seconds: float) -> Load:
    """A trainer that always has more to ask."""
    body: dict[str, Any] = {
        "model": model,
        "prompt_ids": list(range(100, 228)),
        "n": ANSWERS,
        "max_tokens": 48,
        "temperature": 0.7,
        "ignore_eos": True,
    }
    return Load(
        endpoint=through(gateway, lane="train"),
        route="/v1/rollouts",
        body=body,
        concurrency=CALLERS,
        seconds=seconds,
        warm_up=1,
    )


def measure(
    generators: Generators,
    gateway: Launched,
    model: str,
    figures: dict[str, list[float]],
    seconds: float,
) -> None:
    """One round."""
    trainer = rollouts(gateway, model, seconds)
    loads = {lane: users(gateway, model, lane, seconds) for lane in LANES}
    alone = {lane: generators.start(load) for lane, load in loads.items()}
    _note(figures, "alone", {lane: found.result() for lane, found in alone.items()})
    idle = generators.run(trainer)
    busy = generators.start(trainer)
    beside = {lane: generators.start(load) for lane, load in loads.items()}
    _note(figures, "beside", {lane: found.result() for lane, found in beside.items()})
    shared = busy.result()
    figures["train idle"].append(idle.tokens_per_second)
    figures["train beside"].append(shared.tokens_per_second)
    figures["failed"].append(idle.num_failed + shared.num_failed)


def _note(figures: dict[str, list[float]], when: str, found: dict[str, Outcome]) -> None:
    for lane, outcome in found.items():
        between = [
            (call.ended - call.first) / (call.num_events - 1)
            for call in outcome.whole
            if call.num_events > 1
        ]
        figures[f"{lane} first {when}"].append(outcome.first_ms(95))
        figures[f"{lane} between {when}"].append(1000 * percentile(between, 95))
        figures["failed"].append(outcome.num_failed)


def show(report: Report, figures: dict[str, list[float]]) -> None:
    """Print the claims."""

    def ratio(above: str, below: str) -> list[float]:
        return [a / b for a, b in zip(figures[above], figures[below], strict=True)]

    for lane in LANES:
        for what, words, most in (
            ("first", "first token", MOST_FIRST),
            ("between", "between tokens", MOST_BETWEEN),
        ):
            name = f"{lane}: {words}, p95"
            report.figure(f"{name}, alone", figures[f"{lane} {what} alone"], "ms")
            report.figure(f"{name}, beside rollouts", figures[f"{lane} {what} beside"], "ms")
            ratios = ratio(f"{lane} {what} beside", f"{lane} {what} alone")
            report.figure(f"{name}, beside / alone", ratios, "", at_most=most)
    report.figure("train lane without users", figures["train idle"], "tokens/s")
    report.figure("train lane beside users", figures["train beside"], "tokens/s")
    shares = ratio("train beside", "train idle")
    report.figure("train lane, beside / without", shares, "", at_least=LEAST_SHARE)
    report.figure("calls that failed", [sum(figures["failed"])], "", at_most=0)


if __name__ == "__main__":
    main()
