"""New weights for a running engine: how long answers stand still, against copying the same bytes.

Four streams run while the engine is given two perturbed models in turn. The pause of each swap is
compared with copying as many bytes in memory, measured beside it; the target is twice that and
300 ms. Every stream must end whole, its versions without a gap. After a swap greedy tokens and
log-probs are compared with those of a second server that was started on the same weights.

    python -m benchmarks.weight_swap --quick
    python -m benchmarks.weight_swap --model tiny-64k
"""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.report import Report, parse
from deploy.launch import Launched, launch

MODELS = ("smollm2-135m", "tiny-64k")
STREAMS = 4
SWAPS = 20
QUICK_SWAPS = 6
STREAM_TOKENS = 900
GREEDY_TOKENS = 64
PROMPTS = ("def fibonacci(n):\n", "class Stack:\n    def push(self, item):\n", "import re\n\n")
FIXED_SECONDS = 0.3
COPIES = 2.0


def main() -> None:
    """Run it."""
    arguments = parse(__doc__, models=MODELS, rounds=1)
    report = Report(f"Weight swaps under load: {arguments.model}", arguments)
    base = Path.home() / ".local/share/codeloop/models" / arguments.model
    with tempfile.TemporaryDirectory(prefix="codeloop-benchmark-") as folder:
        home = Path(folder)
        folders = [perturbed(base, home / f"new-{seed}", seed) for seed in (1, 2)]
        compared = folders[:1] if arguments.quick else [*folders, base]
        with sampler(home / "swapped", base) as server:
            swaps = asyncio.run(swap_under_load(server, folders, arguments.quick))
            swapped = [asyncio.run(answers(server, folder)) for folder in compared]
        started = []
        for number, weights in enumerate(compared):
            with sampler(home / f"fresh-{number}", weights) as server:
                started.append(asyncio.run(answers(server, None)))
    show(report, swaps)
    report.figure(
        "greedy answers unlike a fresh server's",
        [float(sum(a != b for x, y in zip(swapped, started, strict=True) for a, b in zip(x, y, strict=True)))],
        f"of {len(PROMPTS) * len(started)}",
        at_most=0,
    )  # fmt: skip
    report.finish()


def show(report: Report, swaps: dict[str, list[float]]) -> None:
    """The figures of the swaps."""
    pauses, copies = swaps["pause"], swaps["copy"]
    report.figure("bytes of weights", [swaps["bytes"][0] / 1e6], "MB")
    report.figure("pause", [1000 * pause for pause in pauses], "ms")
    report.figure("copy of the same bytes in memory", [1000 * copy for copy in copies], "ms")
    report.figure(
        "pause, as a part of 2 copies and 300 ms",
        [p / (COPIES * c + FIXED_SECONDS) for p, c in zip(pauses, copies, strict=True)],
        "x",
        at_most=1,
    )
    report.figure(
        "verified beforehand, while answers go on", [1000 * s for s in swaps["verify"]], "ms"
    )
    report.figure("streams under way over a swap", [float(len(swaps["whole"]))], "streams")
    report.figure(
        "of them not whole, or with a gap", [float(swaps["whole"].count(0.0))], "", at_most=0
    )


@contextmanager
def sampler(home: Path, source: Path) -> Iterator[Launched]:
    """A server of one sampler."""
    settings = (
        "[server]\nlanes.train = { share = 1.0 }\n[[server.models]]\nname = 'policy'\n"
        f"source = '{source}'\nrole = 'sampler'\ncontext_tokens = 2048\nkv_cache_bytes = 536870912\n"
    )
    with launch(home, settings=settings, start_seconds=900) as server:
        yield server


class Client:
    """Asks a server in its train lane."""

    def __init__(self, session: aiohttp.ClientSession, server: Launched) -> None:
        self._session = session
        self._server = server

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer. Ends the benchmark where there is none."""
        headers = {"authorization": f"Bearer {self._server.key}", "x-codeloop-lane": "train"}
        url = self._server.base_url + path
        async with self._session.post(url, json=body, headers=headers) as answer:
            found: dict[str, Any] = await answer.json()
            if answer.status != 200:
                raise SystemExit(f"{path} answered {answer.status}: {found}")
            return found

    async def swap(self, folder: Path, version: str) -> dict[str, Any]:
        """In place."""
        body = {"model": "policy", "folder": str(folder), "version": version}
        return await self.post("/admin/weights", body)

    async def ids(self, prompt: str) -> list[int]:
        """Tokens of a prompt."""
        found = await self.post("/tokenize", {"model": "policy", "prompt": prompt})
        return list(found["tokens"])


async def swap_under_load(
    server: Launched, folders: list[Path], is_quick: bool
) -> dict[str, list[float]]:
    """Seconds of every swap by what they were spent on; 1 or 0 for every stream that met a swap."""
    found: dict[str, list[float]] = {
        name: [] for name in ("pause", "copy", "verify", "whole", "bytes")
    }
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=600)) as session:
        client = Client(session, server)
        prompt_ids = await client.ids(PROMPTS[0])
        streams: set[asyncio.Task[dict[str, Any]]] = set()
        for number in range(QUICK_SWAPS if is_quick else SWAPS):
            done = {stream for stream in streams if stream.done()}
            found["whole"] += [score for stream in done for score in _whole(stream.result())]
            streams -= done
            while len(streams) < STREAMS:
                body = {"model": "policy", "prompt_ids": prompt_ids, "max_tokens": STREAM_TOKENS,
                        "ignore_eos": True}  # fmt: skip
                streams.add(asyncio.create_task(client.post("/v1/rollouts", body)))
            # Past the prefill, so that there is something to stand still.
            await client.post(
                "/v1/rollouts", {"model": "policy", "prompt_ids": prompt_ids, "max_tokens": 8}
            )
            report = await client.swap(folders[number % 2], f"v{number}")
            found["pause"].append(report["pause_seconds"])
            found["verify"].append(report["verify_seconds"])
            found["bytes"].append(report["num_bytes"])
            found["copy"].append(await asyncio.to_thread(copy_seconds, report["num_bytes"]))
        for stream in await asyncio.gather(*streams):
            found["whole"] += _whole(stream)
    return found


def _whole(answer: dict[str, Any]) -> list[float]:
    """1 for an answer that met a swap and is whole, 0 for one that is not; none that met no swap."""
    (one,) = answer["answers"]
    spans = one["versions"]
    if len(spans) < 2:
        return []
    ends = [0, *(span["end"] for span in spans)]
    has_no_gap = [span["start"] for span in spans] == ends[:-1]
    is_whole = len(one["token_ids"]) == len(one["log_probs"]) == ends[-1] == STREAM_TOKENS
    return [1.0 if has_no_gap and is_whole else 0.0]


async def answers(server: Launched, folder: Path | None) -> list[Any]:
    """Greedy tokens and log-probs, after a swap to the folder."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=600)) as session:
        client = Client(session, server)
        if folder is not None:
            await client.swap(folder, folder.name)
        found = []
        for prompt in PROMPTS:
            body = {"model": "policy", "prompt_ids": await client.ids(prompt),
                    "max_tokens": GREEDY_TOKENS, "temperature": 0}  # fmt: skip
            (answer,) = (await client.post("/v1/rollouts", body))["answers"]
            found.append((answer["token_ids"], answer["log_probs"]))
        return found


def copy_seconds(num_bytes: int) -> float:
    """To copy that many bytes from memory that is in use to memory that is in use."""
    source, target = bytearray(num_bytes), bytearray(num_bytes)
    source[::4096] = b"x" * len(range(0, num_bytes, 4096))
    target[::4096] = b"y" * len(range(0, num_bytes, 4096))
    began = time.perf_counter()
    memoryview(target)[:] = source
    return time.perf_counter() - began


def perturbed(base: Path, folder: Path, seed: int) -> Path:
    """The model with every weight changed a little."""
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(base, folder, ignore=shutil.ignore_patterns("*.safetensors", "manifest.json"))
    generator = torch.Generator().manual_seed(seed)
    weights = {
        name: (value.float() * (1 + 0.02 * torch.randn(value.shape, generator=generator))).to(
            value.dtype
        )
        for name, value in load_file(base / "model.safetensors").items()
    }
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


if __name__ == "__main__":
    main()
