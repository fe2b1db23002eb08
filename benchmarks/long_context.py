"""Long prompts and long answers through the whole stack, and the gateway's memory meanwhile.

A prompt of 32K tokens to a small model with a window of 64K, prefilled in chunks, with the KV
cache in bf16 and in fp8: time to first token through the gateway, and direct to its engine's
socket, interleaved; every prompt is new to the prefix cache. Then answers of 64K tokens to the
end: from the scripted engine to fast and to slow readers, and from the small model. A gateway
that buffered answers would grow by their size.

    python -m benchmarks.long_context --quick
"""

import argparse
import asyncio
from collections import defaultdict
from typing import Any

from benchmarks.load import (
    COMPLETIONS,
    NUMBER,
    Endpoint,
    Generators,
    Load,
    chat_body,
    load_generators,
)
from benchmarks.process import MemoryWatch
from benchmarks.report import Report, parse
from benchmarks.servers import (
    WHOLE_CHAT_LANE,
    behind,
    model_gateway,
    scripted_gateway,
    through,
)
from deploy.launch import Launched

MODEL = "tiny-64k"
CONTEXT_TOKENS = 65536
PROMPT_TOKENS = 32768
ANSWER_TOKENS = 65536
REAL_ANSWER_TOKENS = 60000
QUICK_ANSWER_TOKENS = 4000
NUM_READERS = 8
SLOW_BYTES_PER_SECOND = 2.0e6
EVENT_BYTES = 200
"""About the size of a token's event; what a buffered answer would take is computed from it."""

FLAT_MIB = 16.0
"""A gateway that held the answers of NUM_READERS would grow by about 100 MiB."""

LINE = "    total = total + items[index] * weights[index]\n"


def main() -> None:
    """Run it."""
    arguments = parse(__doc__, rounds=5)
    report = Report("Long prompts and long answers", arguments)
    with load_generators() as generators:
        long_answers(report, generators, arguments)
        for dtype, name in (("auto", "bf16"), ("fp8", "fp8")):
            long_prompts(report, generators, arguments, dtype=dtype, name=name)
    report.finish()


def long_prompts(
    report: Report, generators: Generators, arguments: argparse.Namespace, *, dtype: str, name: str
) -> None:
    """Time to first token of a 32K prompt, through and direct; with bf16 a long answer too."""
    figures: dict[str, list[float]] = defaultdict(list)
    settings = f"context_tokens = {CONTEXT_TOKENS}\nconcurrency = 4\nkv_cache_dtype = '{dtype}'\n"
    with model_gateway(MODEL, server=WHOLE_CHAT_LANE, model=settings) as gateway:
        ends = {"direct": behind(gateway), "gateway": through(gateway)}
        prompt, num_tokens = asyncio.run(make_prompt(ends["direct"]))
        body = {"model": MODEL, "prompt": prompt, "max_tokens": 8, "stream": True}
        for end in ends.values():
            generators.run(Load(endpoint=end, route=COMPLETIONS, body=body, calls=1))
        for _ in range(arguments.rounds):
            for end_name, end in ends.items():
                with MemoryWatch(gateway.process.pid, every_seconds=0.02) as memory:
                    outcome = generators.run(
                        Load(endpoint=end, route=COMPLETIONS, body=body, calls=2)
                    )
                figures[end_name].append(outcome.first_ms(50))
                figures["failed"].append(outcome.num_failed)
                if end_name == "gateway":
                    figures["memory"].append(memory.growth_mib)
        report.note(f"prompt of {num_tokens} tokens, KV cache in {name}")
        report.figure("direct: first token, p50", figures["direct"], "ms")
        report.figure("gateway: first token, p50", figures["gateway"], "ms")
        pairs = zip(figures["gateway"], figures["direct"], strict=True)
        report.figure("gateway / direct", [a / b for a, b in pairs], "")
        report.figure("gateway: growth meanwhile", figures["memory"], "MiB", at_most=FLAT_MIB)
        report.figure("calls without a whole answer", [sum(figures["failed"])], "", at_most=0)
        if name == "bf16":
            real_answer(report, generators, gateway, is_quick=arguments.quick)


def real_answer(
    report: Report, generators: Generators, gateway: Launched, *, is_quick: bool
) -> None:
    """One long answer of the real engine, to its end."""
    num_tokens = QUICK_ANSWER_TOKENS if is_quick else REAL_ANSWER_TOKENS
    body: dict[str, Any] = {
        "model": MODEL,
        "prompt": f"{NUMBER}",
        "max_tokens": num_tokens,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    with MemoryWatch(gateway.process.pid) as memory:
        outcome = generators.run(
            Load(endpoint=through(gateway), route=COMPLETIONS, body=body, calls=1)
        )
    report.note(f"an answer of {num_tokens} tokens from the real engine")
    report.figure(
        "tokens that came",
        [call.num_tokens for call in outcome.whole] or [0],
        "",
        at_least=num_tokens,
    )
    report.figure("time", [outcome.elapsed_seconds], "s")
    report.figure("gateway: growth meanwhile", [memory.growth_mib], "MiB", at_most=FLAT_MIB)


def long_answers(report: Report, generators: Generators, arguments: argparse.Namespace) -> None:
    """Answers of 64K tokens of the scripted engine, to fast and to slow readers."""
    script = f"num_tokens = {ANSWER_TOKENS}\n"
    rounds = min(arguments.rounds, 2)
    with scripted_gateway(
        script, server=WHOLE_CHAT_LANE, model="concurrency = 16\ncontext_tokens = 131072"
    ) as gateway:
        end = through(gateway)
        generators.run(Load(endpoint=end, body=chat_body(1000, stream=True), calls=20))
        for pace, name in ((None, "fast"), (SLOW_BYTES_PER_SECOND, "slow")):
            growth, failed, seconds = [], [], []
            for _ in range(rounds):
                load = Load(
                    endpoint=end,
                    body=chat_body(ANSWER_TOKENS, stream=True),
                    concurrency=NUM_READERS,
                    calls=NUM_READERS,
                    read_bytes_per_second=pace,
                )
                with MemoryWatch(gateway.process.pid) as memory:
                    outcome = generators.run(load)
                whole = [call for call in outcome.whole if call.num_events > ANSWER_TOKENS]
                failed.append(NUM_READERS - len(whole))
                growth.append(memory.growth_mib)
                seconds.append(outcome.elapsed_seconds)
            report.note(f"{NUM_READERS} answers of {ANSWER_TOKENS} tokens at once, {name} readers")
            report.figure("answers that did not reach their end", failed, "", at_most=0)
            report.figure("time", seconds, "s")
            report.figure("gateway: growth meanwhile", growth, "MiB", at_most=FLAT_MIB)


async def make_prompt(engine: Endpoint) -> tuple[str, int]:
    """A text of about PROMPT_TOKENS tokens, and how many they are."""

    async def count(text: str) -> int:
        body = {"model": MODEL, "prompt": text}
        async with engine.session() as session, session.post("/tokenize", json=body) as answer:
            return int((await answer.json())["count"])

    lines = PROMPT_TOKENS * 100 // await count(LINE * 100)
    prompt = f"# {NUMBER}\n" + LINE * (lines - 2)
    return prompt, await count(prompt)


if __name__ == "__main__":
    main()
