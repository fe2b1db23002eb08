"""kill -9 of the engine while 50 streams run: how each ends, and when service is back.

Every stream must end with an error event and [DONE]; the gateway lives, refuses with 503 and
Retry-After meanwhile, and serves again by itself. Each round is a server of its own, because the
pauses between restarts of an engine that dies again and again grow.

    python -m benchmarks.engine_death --quick
    python -m benchmarks.engine_death --model tiny-64k
"""

import asyncio
import os
import signal
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from benchmarks.load import (
    Call,
    Endpoint,
    Generators,
    Load,
    load_generators,
    make_call,
    percentile,
)
from benchmarks.report import Report, parse
from benchmarks.servers import SCRIPTED, WHOLE_CHAT_LANE, gateway_over, through
from deploy.launch import Launched
from server.store import USAGE

MODELS = (SCRIPTED, "tiny-64k", "smollm2-135m")
SCRIPT = "num_tokens = 100000\ntokens_per_second = 50.0\n"
NUM_STREAMS = 50
SECONDS_BEFORE_DEATH = 3.0
LONGEST_OUTAGE_SECONDS = 180.0
PROBE_PAUSE_SECONDS = 0.01
FAILED = "error event"


class Outage(NamedTuple):
    """What a client saw that called again and again; seconds after the kill.

    bare: refusals without Retry-After.
    """

    refused: float
    back: float
    num_refused: int
    bare: int
    slowest_refusal: float


def main() -> None:
    """Run it."""
    arguments = parse(__doc__, rounds=3, models=MODELS)
    report = Report(f"kill -9 of the engine: {arguments.model}", arguments)
    figures: dict[str, list[float]] = defaultdict(list)
    with load_generators() as generators:
        for _ in range(arguments.rounds):
            with server(arguments.model) as gateway:
                one_death(generators, gateway, arguments.model, figures)
    show(report, figures)
    report.finish()


def server(model: str) -> AbstractContextManager[Launched]:
    """A gateway over the scripted engine or a real one."""
    slots = f"concurrency = {NUM_STREAMS + 14}"
    return gateway_over(model, SCRIPT, server=WHOLE_CHAT_LANE, model=slots)


def one_death(
    generators: Generators, gateway: Launched, model: str, figures: dict[str, list[float]]
) -> None:
    """Open the streams, kill, and watch."""
    end = through(gateway)
    streams = Load(
        endpoint=end,
        body=body(model, 7000, is_stream=True),
        concurrency=NUM_STREAMS,
        calls=NUM_STREAMS,
    )
    under_way = generators.start(streams)
    time.sleep(SECONDS_BEFORE_DEATH)
    (engine_pid,) = gateway.engine_pids()
    killed = time.monotonic()
    os.kill(engine_pid, signal.SIGKILL)
    outage = asyncio.run(watch(end, model, killed))
    calls = under_way.result().calls
    figures["well ended"].append(sum(call.fault == FAILED for call in calls))
    figures["cut"].append(sum(call.status == 200 and call.num_events > 1 for call in calls))
    ends = [call.ended - killed for call in calls]
    figures["end p50"].append(1000 * percentile(ends, 50))
    figures["end longest"].append(1000 * max(ends))
    figures["refused"].append(1000 * outage.refused)
    figures["num refused"].append(outage.num_refused)
    figures["slowest refusal"].append(1000 * outage.slowest_refusal)
    figures["bare"].append(outage.bare)
    figures["back"].append(outage.back)
    figures["gateway died"].append(gateway.process.poll() is not None)
    figures["left over"].append(len(group_members(engine_pid)))
    figures["rows"].append(failed_rows(gateway))


def body(model: str, num_tokens: int, *, is_stream: bool) -> Mapping[str, Any]:
    """A call that ends only when told to, or when its engine dies."""
    return {
        "model": model,
        "messages": [{"role": "user", "content": "Go on and on."}],
        "max_tokens": num_tokens,
        "ignore_eos": True,
        "stream": is_stream,
    }


async def watch(end: Endpoint, model: str, killed: float) -> Outage:
    """Call until an answer comes."""
    short = Load(endpoint=end, body=body(model, 1, is_stream=False), calls=1)
    content = orjson.dumps(short.body)
    refusals: list[Call] = []
    async with end.session() as session:
        while time.monotonic() < killed + LONGEST_OUTAGE_SECONDS:
            call = await make_call(session, short, content)
            if call.status == 503:
                refusals.append(call)
            elif call.status == 200 and call.began > killed:
                break
            await asyncio.sleep(PROBE_PAUSE_SECONDS)
        else:
            call = call._replace(ended=float("inf"))
    return Outage(
        refused=refusals[0].ended - killed if refusals else float("nan"),
        back=call.ended - killed,
        num_refused=len(refusals),
        bare=sum(not one.has_retry_after for one in refusals),
        slowest_refusal=max((one.total_seconds for one in refusals), default=float("nan")),
    )


def group_members(group_id: int) -> list[int]:
    """Processes that the dead engine left behind."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # not a process, or no longer one
            continue
        if int(fields[2]) == group_id and fields[0] != "Z":
            found.append(int(entry.name))
    return found


def failed_rows(gateway: Launched) -> int:
    """Usage rows of answers that broke off."""
    time.sleep(1.5)  # they are written in batches
    store = gateway.store()
    try:
        rows = store.rows(sa.select(USAGE))
        return sum(row.outcome == "failed" and row.completion_tokens > 0 for row in rows)
    finally:
        store.close()


def show(report: Report, figures: dict[str, list[float]]) -> None:
    """Print the claims."""
    of_all = f"of {NUM_STREAMS}"
    report.figure("streams that had begun", figures["cut"], of_all)
    report.figure(
        "streams ended by an error event and [DONE]",
        figures["well ended"],
        of_all,
        at_least=NUM_STREAMS,
    )
    report.figure("their usage rows, with tokens", figures["rows"], of_all, at_least=NUM_STREAMS)
    report.figure("from the kill to a stream's end, p50", figures["end p50"], "ms")
    report.figure("from the kill to a stream's end, longest", figures["end longest"], "ms")
    report.figure("from the kill to the first 503", figures["refused"], "ms")
    report.figure("calls refused with 503", figures["num refused"], "")
    report.figure("of these without Retry-After", figures["bare"], "", at_most=0)
    report.figure("slowest of these", figures["slowest refusal"], "ms")
    report.figure("from the kill to the next answer", figures["back"], "s")
    report.figure("gateways that died", [sum(figures["gateway died"])], "", at_most=0)
    report.figure("processes left over", [sum(figures["left over"])], "", at_most=0)


if __name__ == "__main__":
    main()
