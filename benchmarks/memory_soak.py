"""Resident memory of the gateway over minutes of everything that clients do to it.

Streams and plain answers that end well, clients that hang up, bodies that are refused, and
engine answers that break off, at a pace that leaves the machine room. After a warm-up of a fifth
of the time a line is laid through the samples; flat means that along it memory drifts by less
than one per cent.

    python -m benchmarks.memory_soak --quick
    python -m benchmarks.memory_soak --minutes 60
"""

from collections.abc import Sequence
from typing import Any

from benchmarks.load import NUMBER, Endpoint, Load, chat_body, load_generators
from benchmarks.process import MemoryWatch, Sample, drift
from benchmarks.report import Report, parse
from benchmarks.servers import WHOLE_CHAT_LANE, scripted_gateway, through

MINUTES = 10.0
QUICK_MINUTES = 1.0
NUM_TOKENS = 64
SCRIPT = f"""
num_tokens = {NUM_TOKENS}
tokens_per_second = 1000.0
first_token_seconds = 0.05
[[faults]]
kind = "hang_up"
when = "please break off"
after_tokens = 20
[[faults]]
kind = "malformed"
when = "please stammer"
after_tokens = 10
[[faults]]
kind = "refuse"
when = "please refuse"
"""


def main() -> None:
    """Run it."""
    arguments = parse(__doc__, rounds=1, minutes=MINUTES)
    minutes = arguments.minutes or (QUICK_MINUTES if arguments.quick else MINUTES)
    report = Report(f"Resident memory over {minutes:g} minutes of mixed load", arguments)
    with scripted_gateway(SCRIPT, server=WHOLE_CHAT_LANE, model="concurrency = 64") as gateway:
        loads = mixed_load(through(gateway), 60 * minutes)
        with (
            load_generators(len(loads)) as generators,
            MemoryWatch(gateway.process.pid, every_seconds=1.0) as memory,
        ):
            under_way = {name: generators.start(load) for name, load in loads.items()}
            outcomes = {name: future.result() for name, future in under_way.items()}
    for name, outcome in outcomes.items():
        report.figure(f"calls: {name}", [len(outcome.calls)], "")
    wrong = sum(call.status in (0, 500) for outcome in outcomes.values() for call in outcome.calls)
    report.figure("answers with 500, or none at all", [wrong], "", at_most=0)
    show(report, memory.samples)
    report.finish()


def mixed_load(end: Endpoint, seconds: float) -> dict[str, Load]:
    """What clients do, by name; each in a process of its own."""

    def chat(text: str, *, stream: bool = True, **fields: Any) -> dict[str, Any]:
        message = {"role": "user", "content": f"{NUMBER} {text}"}
        return chat_body(NUM_TOKENS, stream=stream) | {"messages": [message]} | fields

    def load(body: dict[str, Any], concurrency: int, **fields: Any) -> Load:
        return Load(endpoint=end, body=body, concurrency=concurrency, seconds=seconds, **fields)

    return {
        "streams": load(chat("hello"), 8),
        "plain answers": load(chat("hello", stream=False), 6),
        "hang-ups": load(chat("hello"), 4, hang_up_after_events=10),
        "answers that break off": load(chat("please break off"), 2),
        "answers with a malformed chunk": load(chat("please stammer"), 2),
        # The gateway refuses these without the engine's delay: one caller each makes enough.
        "refused by the engine": load(chat("please refuse"), 1),
    }


def show(report: Report, samples: Sequence[Sample]) -> None:
    """Print the claims."""
    found = drift(samples)
    report.figure("at the start", [samples[0].resident_bytes / 2**20], "MiB")
    report.figure("median of the first quarter after warm-up", [found.first_mib], "MiB")
    report.figure("median of the last quarter", [found.last_mib], "MiB")
    report.figure("slope", [found.slope_mib], "MiB/minute")
    report.figure("drift along the line", [found.percent], "%", at_most=1)


if __name__ == "__main__":
    main()
