"""What the gateway adds to a call, and how much one gateway process carries.

Direct to a scripted engine (instant, 64 tokens) against the same engine behind the gateway, with
keys, lanes, limits and usage on. One connection at a time for latency, 16 and 32 for rates.

Load generator, gateway and engine share the cores: on a small machine the rates say what remains
for the gateway beside the two others, so its processor time a call is printed as well.

    python -m benchmarks.gateway_overhead --quick
"""

from collections import defaultdict

from benchmarks.load import Endpoint, Generators, Load, chat_body, load_generators
from benchmarks.process import cpu_seconds
from benchmarks.report import Report, parse
from benchmarks.servers import (
    WHOLE_CHAT_LANE,
    scripted_engine,
    scripted_gateway,
    through,
)

NUM_TOKENS = 64
MODEL = "concurrency = 64"


def main() -> None:
    """Run it."""
    arguments = parse(__doc__)
    report = Report("Gateway against the bare scripted engine", arguments)
    calls, seconds = (150, 1.5) if arguments.quick else (600, 4.0)
    rounds: dict[str, list[float]] = defaultdict(list)
    with (
        scripted_engine() as engine,
        scripted_gateway(server=WHOLE_CHAT_LANE, model=MODEL) as gateway,
        load_generators() as generators,
    ):
        ends = {"direct": engine, "gateway": through(gateway)}
        for _ in range(arguments.rounds):
            for name, end in ends.items():
                one_round(generators, end, name, rounds, calls=calls, seconds=seconds)
            measure_cpu(generators, ends["gateway"], gateway.process.pid, rounds, seconds)
    show(report, rounds)
    report.finish()


def one_round(
    generators: Generators,
    end: Endpoint,
    name: str,
    rounds: dict[str, list[float]],
    *,
    calls: int,
    seconds: float,
) -> None:
    """Latency at one caller, rates at 16 and 32, of one end."""
    plain, stream = chat_body(NUM_TOKENS, stream=False), chat_body(NUM_TOKENS, stream=True)
    alone = generators.run(Load(endpoint=end, body=plain, calls=calls, warm_up=20))
    rounds[f"{name} plain p50"].append(alone.total_ms(50))
    rounds[f"{name} plain p99"].append(alone.total_ms(99))
    alone = generators.run(Load(endpoint=end, body=stream, calls=calls, warm_up=20))
    rounds[f"{name} first p50"].append(alone.first_ms(50))
    rounds[f"{name} first p99"].append(alone.first_ms(99))
    for concurrency in (16, 32):
        for kind, body in (("plain", plain), ("stream", stream)):
            outcome = generators.run(
                Load(endpoint=end, body=body, concurrency=concurrency, seconds=seconds, warm_up=5)
            )
            rounds[f"{name} {kind} rate {concurrency}"].append(outcome.calls_per_second)
            rounds["failed"].append(outcome.num_failed)


def measure_cpu(
    generators: Generators, end: Endpoint, pid: int, rounds: dict[str, list[float]], seconds: float
) -> None:
    """Processor time of the gateway a call; it depends least on what else the machine does."""
    for kind, is_stream in (("plain", False), ("stream", True)):
        body = chat_body(NUM_TOKENS, stream=is_stream)
        before = cpu_seconds(pid)
        outcome = generators.run(Load(endpoint=end, body=body, concurrency=16, seconds=seconds))
        used = cpu_seconds(pid) - before
        rounds[f"cpu {kind}"].append(1000 * used / len(outcome.calls))


def show(report: Report, rounds: dict[str, list[float]]) -> None:
    """Print the claims."""

    def added(figure: str) -> list[float]:
        pairs = zip(rounds[f"gateway {figure}"], rounds[f"direct {figure}"], strict=True)
        return [through - direct for through, direct in pairs]

    for figure, text, most in (
        ("plain p50", "plain answer", 1.5),
        ("first p50", "first token of a stream", 2.0),
    ):
        report.figure(f"direct: {text}, p50", rounds[f"direct {figure}"], "ms")
        report.figure(f"gateway: {text}, p50", rounds[f"gateway {figure}"], "ms")
        report.figure(f"added: {text}, p50", added(figure), "ms", at_most=most)
    report.figure("added: plain answer, p99", added("plain p99"), "ms")
    report.figure("added: first token of a stream, p99", added("first p99"), "ms")
    for kind, text, least in (
        ("plain", "plain answers", 1000),
        ("stream", "64-chunk streams", 300),
    ):
        for concurrency in (16, 32):
            rate = f"{kind} rate {concurrency}"
            report.figure(f"direct: {text}, {concurrency} callers", rounds[f"direct {rate}"], "/s")
            report.figure(
                f"gateway: {text}, {concurrency} callers",
                rounds[f"gateway {rate}"],
                "/s",
                at_least=least,
            )
        report.figure(f"gateway: processor time, {text}", rounds[f"cpu {kind}"], "ms a call")
    report.figure("calls without a whole answer", [sum(rounds["failed"])], "", at_most=0)


if __name__ == "__main__":
    main()
