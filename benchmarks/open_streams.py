"""Two thousand streams open at once on one gateway process, every one of them whole at its end.

The scripted engine sends a token a second into each. Memory is read before the first stream and
while all are open.

    python -m benchmarks.open_streams --quick
"""

import resource
import time

from benchmarks.load import Load, chat_body, load_generators
from benchmarks.process import cpu_seconds, resident_bytes
from benchmarks.report import Report, parse
from benchmarks.servers import (
    WHOLE_CHAT_LANE,
    scripted_gateway,
    through,
)

NUM_STREAMS = 2000
DESCRIPTORS_A_STREAM = 2
SPARE_DESCRIPTORS = 200


def main() -> None:
    """Run it."""
    arguments = parse(__doc__, rounds=3)
    report = Report(f"{NUM_STREAMS} open streams on one gateway process", arguments)
    raise_descriptor_limit()
    num_tokens = 10 if arguments.quick else 30
    script = f"num_tokens = {num_tokens}\ntokens_per_second = 1.0\n"
    memory, busy, failed, late = [], [], [], []
    with (
        scripted_gateway(
            script, server=WHOLE_CHAT_LANE, model=f"concurrency = {NUM_STREAMS}"
        ) as gateway,
        load_generators() as generators,
    ):
        end, pid = through(gateway), gateway.process.pid
        body = chat_body(num_tokens, stream=True)
        generators.run(Load(endpoint=end, body=chat_body(1, stream=True), calls=20))
        before = resident_bytes(pid)
        for _ in range(arguments.rounds):
            load = Load(endpoint=end, body=body, concurrency=NUM_STREAMS, calls=NUM_STREAMS)
            under_way = generators.start(load)
            time.sleep(num_tokens / 2)  # all are open by then, and none is at its end
            used, began = cpu_seconds(pid), time.monotonic()
            time.sleep(num_tokens / 4)
            busy.append(100 * (cpu_seconds(pid) - used) / (time.monotonic() - began))
            memory.append((resident_bytes(pid) - before) / NUM_STREAMS / 1024)
            outcome = under_way.result()
            failed.append(float(outcome.num_failed))
            late.append(outcome.first_ms(99))
    report.figure("streams without a whole answer", failed, f"of {NUM_STREAMS}", at_most=0)
    report.figure("first token, p99, all opened at once", late, "ms")
    report.figure("gateway: resident memory a stream", memory, "KiB")
    report.figure(f"gateway: processor at {NUM_STREAMS} tokens a second", busy, "% of a core")
    report.finish()


def raise_descriptor_limit() -> None:
    """A gateway holds two descriptors a stream; it inherits its limit from here."""
    needed = NUM_STREAMS * DESCRIPTORS_A_STREAM + SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise SystemExit(
            f"the hard limit on open files is {hard}: {NUM_STREAMS} streams need {needed};"
            f" raise it with `ulimit -Hn {needed}`"
        )
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


if __name__ == "__main__":
    main()
