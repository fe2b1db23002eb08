"""Output tokens per second of a real model: through the gateway, and direct to its engine.

Both ends lead to one and the same engine child: through the gateway's port, and past it, to the
engine's own unix socket. Rounds are interleaved; at 1, 8 and 32 callers.

    python -m benchmarks.model_throughput --quick
    python -m benchmarks.model_throughput --model tiny-64k
"""

import math
from collections import defaultdict

from benchmarks.load import COMPLETIONS, Endpoint, Generators, Load, Outcome, load_generators
from benchmarks.report import Report, parse
from benchmarks.servers import WHOLE_CHAT_LANE, behind, model_gateway, through

CALLERS = (1, 8, 32)
MODELS = ("smollm2-135m", "tiny-64k")
NUM_TOKENS = 128


def main() -> None:
    """Run it."""
    arguments = parse(__doc__, models=MODELS)
    report = Report(f"{arguments.model} through the gateway and direct", arguments)
    seconds = 4.0 if arguments.quick else 12.0
    rates: dict[str, list[float]] = defaultdict(list)
    failed = 0
    with (
        model_gateway(arguments.model, server=WHOLE_CHAT_LANE, model="concurrency = 32") as gateway,
        load_generators() as generators,
    ):
        ends = {"direct": behind(gateway), "gateway": through(gateway)}
        for callers in CALLERS:
            first = run(generators, ends["direct"], arguments.model, callers, callers)
            turns = max(1, math.ceil(seconds / first.elapsed_seconds))
            for number in range(arguments.rounds):
                # Whoever is first finds the processor cooler; they take turns.
                order = list(ends) if number % 2 else list(ends)[::-1]
                for name in order:
                    outcome = run(generators, ends[name], arguments.model, callers, callers * turns)
                    rates[f"{name} {callers}"].append(outcome.tokens_per_second)
                    failed += outcome.num_failed
    for callers in CALLERS:
        direct, gateway_rates = rates[f"direct {callers}"], rates[f"gateway {callers}"]
        report.figure(f"direct: output tokens, {callers} callers", direct, "/s")
        report.figure(f"gateway: output tokens, {callers} callers", gateway_rates, "/s")
        report.figure(
            f"gateway / direct, {callers} callers",
            [a / b for a, b in zip(gateway_rates, direct, strict=True)],
            "",
            at_least=0.97,
        )
    report.figure("calls without a whole answer", [failed], "", at_most=0)
    report.finish()


def run(generators: Generators, end: Endpoint, model: str, callers: int, calls: int) -> Outcome:
    """So many streamed answers of NUM_TOKENS tokens."""
    body = {
        "model": model,
        "prompt": "def quicksort(items):",
        "max_tokens": NUM_TOKENS,
        "ignore_eos": True,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return generators.run(
        Load(endpoint=end, route=COMPLETIONS, body=body, concurrency=callers, calls=calls)
    )


if __name__ == "__main__":
    main()
