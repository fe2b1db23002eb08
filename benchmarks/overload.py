"""Four times more calls than the server can answer: goodput, refusals, and the ide lane.

The peak is what a closed loop over exactly the free slots answers, measured in the same round.
Then calls arrive at four times that rate, whether or not others were answered. Last, an editor's
short calls in the ide lane alone, and the same while the eval lane is saturated.

    python -m benchmarks.overload --quick
    python -m benchmarks.overload --model smollm2-135m
"""

from collections import defaultdict
from contextlib import AbstractContextManager
from typing import Any

from benchmarks.load import NUMBER, Generators, Load, Outcome, load_generators, percentile
from benchmarks.report import Report, parse
from benchmarks.servers import SCRIPTED, gateway_over, through
from deploy.launch import Launched

MODELS = (SCRIPTED, "smollm2-135m", "tiny-64k")
SLOTS = 8
"""Few, as on a processor, where every further answer at once slows all others down."""

TIMES_CAPACITY = 4
NUM_TOKENS = {SCRIPTED: 20}
NUM_TOKENS_OF_MODEL = 32
IDE_TOKENS = 16
SCRIPT = f"num_tokens = {NUM_TOKENS[SCRIPTED]}\ntokens_per_second = 100.0\nslots = {SLOTS}\n"
SERVER = """
lanes.chat = { share = 1.0, queue = 16, queue_seconds = 30, request_seconds = 600 }
"""


def main() -> None:
    """Run it."""
    arguments = parse(__doc__, rounds=3, models=MODELS)
    report = Report(f"Overload: {arguments.model}, {SLOTS} slots", arguments)
    seconds = {True: 4.0, False: 10.0}[arguments.quick] * (1 if arguments.model == SCRIPTED else 2)
    figures: dict[str, list[float]] = defaultdict(list)
    with server(arguments.model) as gateway, load_generators(2) as generators:
        for _ in range(arguments.rounds):
            measure_goodput(generators, gateway, arguments.model, figures, seconds)
            measure_ide(generators, gateway, arguments.model, figures, seconds)
    show(report, figures)
    report.finish()


def server(model: str) -> AbstractContextManager[Launched]:
    """A gateway over the scripted engine or a real one, with SLOTS slots."""
    return gateway_over(model, SCRIPT, server=SERVER, model=f"concurrency = {SLOTS}")


def body(model: str, num_tokens: int) -> dict[str, Any]:
    """A call whose prompt no other call shares."""
    return {
        "model": model,
        "messages": [{"role": "user", "content": f"{NUMBER} is the number of my question. Hello."}],
        "max_tokens": num_tokens,
        "ignore_eos": True,
    }


def measure_goodput(
    generators: Generators,
    gateway: Launched,
    model: str,
    figures: dict[str, list[float]],
    seconds: float,
) -> None:
    """Answers a second at capacity, and at four times as many arrivals."""
    end = through(gateway, lane="chat")
    call = body(model, NUM_TOKENS.get(model, NUM_TOKENS_OF_MODEL))
    at_capacity = generators.run(
        Load(endpoint=end, body=call, concurrency=SLOTS, seconds=seconds, warm_up=2)
    )
    peak = at_capacity.calls_per_second
    flood = generators.run(
        Load(
            endpoint=end,
            body=call,
            arrivals_per_second=TIMES_CAPACITY * peak,
            seconds=seconds,
            warm_up=1,
        )
    )
    refused = [one for one in flood.calls if one.status == 429]
    figures["peak"].append(peak)
    figures["good"].append(goodput(flood, seconds))
    figures["refused"].append(100 * len(refused) / len(flood.calls))
    figures["refusal p50"].append(1000 * percentile([one.total_seconds for one in refused], 50))
    figures["refusal p99"].append(1000 * percentile([one.total_seconds for one in refused], 99))
    figures["bare"].append(sum(not one.has_retry_after for one in refused))
    figures["other"].append(flood.num_failed - len(refused))


def goodput(flood: Outcome, seconds: float) -> float:
    """Whole answers a second while calls arrived; not those of the queue that was left."""
    began = min(call.began for call in flood.calls)
    # The first answers are under way in the first moments: nothing can have ended by then.
    filled = min(call.ended for call in flood.whole)
    ended = [call for call in flood.whole if filled < call.ended <= began + seconds]
    return len(ended) / (began + seconds - filled)


def measure_ide(
    generators: Generators,
    gateway: Launched,
    model: str,
    figures: dict[str, list[float]],
    seconds: float,
) -> None:
    """An editor's calls alone, then beside a saturated eval lane."""
    editor = Load(
        endpoint=through(gateway, lane="ide"),
        body=body(model, IDE_TOKENS),
        seconds=seconds,
        warm_up=2,
    )
    flood = Load(
        endpoint=through(gateway, lane="eval"),
        body=body(model, NUM_TOKENS.get(model, NUM_TOKENS_OF_MODEL)),
        concurrency=TIMES_CAPACITY * SLOTS,
        seconds=seconds + 2,
    )
    alone = generators.run(editor)
    under_way = generators.start(flood)
    beside = generators.run(editor)
    saturated = under_way.result()
    figures["ide alone"].append(alone.total_ms(95))
    figures["ide beside"].append(beside.total_ms(95))
    figures["ide alone p50"].append(alone.total_ms(50))
    figures["ide beside p50"].append(beside.total_ms(50))
    figures["eval"].append(saturated.calls_per_second)
    figures["other"].append(alone.num_failed + beside.num_failed + saturated.num_failed)


def show(report: Report, figures: dict[str, list[float]]) -> None:
    """Print the claims."""

    def ratio(above: str, below: str) -> list[float]:
        return [a / b for a, b in zip(figures[above], figures[below], strict=True)]

    report.figure("peak: a closed loop at capacity", figures["peak"], "answers/s")
    report.figure(f"goodput at {TIMES_CAPACITY} times as many", figures["good"], "answers/s")
    report.figure("goodput / peak", ratio("good", "peak"), "", at_least=0.95)
    report.figure("calls refused", figures["refused"], "%")
    report.figure("a refusal, p50", figures["refusal p50"], "ms")
    report.figure("a refusal, p99", figures["refusal p99"], "ms", at_most=20)
    report.figure("refusals without Retry-After", figures["bare"], "", at_most=0)
    report.figure("ide lane alone, p50", figures["ide alone p50"], "ms")
    report.figure("ide lane beside eval, p50", figures["ide beside p50"], "ms")
    report.figure("ide lane alone, p95", figures["ide alone"], "ms")
    report.figure("ide lane beside eval, p95", figures["ide beside"], "ms")
    report.figure("ide p95 beside eval / alone", ratio("ide beside", "ide alone"), "", at_most=1.5)
    report.figure("eval lane meanwhile", figures["eval"], "answers/s")
    report.figure("calls that failed otherwise", [sum(figures["other"])], "", at_most=0)


if __name__ == "__main__":
    main()
