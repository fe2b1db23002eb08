"""Twenty swaps in a row of each kind under the load of many users: what became of every answer.

Every token of the scripted engine says which version it is of, so an answer that mixes two without naming
both is seen. With a real model, greedy tokens and their log-probs after each swap are held to those of a
fresh server that was started on the same weights.

    python -m benchmarks.version_swaps --quick
    python -m benchmarks.version_swaps
    python -m benchmarks.version_swaps --model tiny-64k
"""

import asyncio
import itertools
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from benchmarks.load import DONE, Endpoint, load_generators, percentile
from benchmarks.published import changed_copy, write_adapter, write_model, write_real_adapter
from benchmarks.report import Report, parse
from benchmarks.servers import WHOLE_CHAT_LANE, through
from deploy.launch import Launched, launch
from server.model_store import ModelStore
from server.store import Store
from server.version_catalog import VersionCatalog
from server.version_states import State

SCRIPTED = "scripted"
MODELS = (SCRIPTED, "tiny-64k", "smollm2-135m")
KINDS = ("adapter", "blue_green", "in_place")
NUM_SWAPS = 20
QUICK_SWAPS = 4
NUM_USERS = {SCRIPTED: 200, "tiny-64k": 16, "smollm2-135m": 4}
ANSWER_TOKENS = 100
SCRIPT = "text = '{{version}} '\nnum_tokens = 100\ntokens_per_second = 20.0\nweights = '{base}'\n"
PROBE = {"prompt": "def add(a, b):", "max_tokens": 24, "temperature": 0, "logprobs": 1}
WORD = re.compile(rb'"text":"([^"]*)"')
FINGERPRINT = re.compile(rb'"system_fingerprint":"[^"@]*@([^"]*)"')


class Told(NamedTuple):
    """One answer. drawn: versions of its tokens, where they say so. named: those that it names at its end."""

    status: int
    fault: str
    num_tokens: int
    drawn: frozenset[str]
    named: frozenset[str]
    gaps: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Users:
    """So many callers, each with one call at a time, until the file `stop` is there."""

    endpoint: Endpoint
    model: str
    num: int
    stop: Path


def main() -> None:
    """Run it."""
    arguments = parse(__doc__, rounds=1, models=MODELS)
    report = Report(f"swaps under load: {arguments.model}", arguments)
    num_swaps = QUICK_SWAPS if arguments.quick else NUM_SWAPS
    with load_generators() as generators, tempfile.TemporaryDirectory() as name:
        for kind in KINDS:
            bench = Bench(arguments.model, kind, num_swaps, Path(name, kind))
            bench.run(generators._pool, report)
    report.finish()


class Bench:
    """One kind of swap, on a server of its own."""

    def __init__(self, model: str, kind: str, num_swaps: int, folder: Path) -> None:
        self._model = model
        self._kind = kind
        self._num_swaps = num_swaps
        self._folder = folder
        folder.mkdir()

    def run(self, pool: ProcessPoolExecutor, report: Report) -> None:
        """Measure and print."""
        sources = self._sources()
        expected = self._expected(sources)
        with self._server() as server:
            self._publish(server, sources)
            stop = self._folder / "stop"
            num = NUM_USERS[self._model]
            users = Users(endpoint=through(server), model=self._model, num=num, stop=stop)
            answers = pool.submit(call_until, users)
            time.sleep(3)
            reports, found = asyncio.run(self._swaps(server))
            time.sleep(1)
            stop.touch()
            told = answers.result()
        differing = [
            difference(found[number], expected[number % len(expected)])
            for number in range(len(found))
            if expected
        ]
        self._print(report, told, reports, differing)

    def _print(
        self,
        report: Report,
        told: Sequence[Told],
        reports: Sequence[Mapping[str, Any]],
        differing: Sequence[tuple[int, float]],
    ) -> None:
        report.note(f"\n{self._kind}: {len(reports)} swaps, {NUM_USERS[self._model]} users")
        whole = [each for each in told if each.status == 200 and not each.fault]
        faults = Counter(f"{each.status} {each.fault}" for each in told if each not in whole)
        report.figure("answers", [len(told)], "")
        report.figure("failed", [len(told) - len(whole)], "", at_most=0)
        if faults:
            report.note(f"    {dict(faults)}")
        short = sum(each.num_tokens != ANSWER_TOKENS for each in whole)
        report.figure("truncated", [short], "", at_most=0)
        report.figure("mixed", [sum(len(each.drawn) > 1 for each in whole)], "")
        unmarked = sum(not each.drawn <= each.named for each in whole)
        report.figure("mixed or other than named", [unmarked], "", at_most=0)
        report.figure("pause", [1000 * each["pause_seconds"] for each in reports], "ms")
        report.figure("whole swap", [each["total_seconds"] for each in reports], "s")
        gaps = [gap for each in whole for gap in each.gaps]
        report.figure("gap between tokens, p50", [1000 * percentile(gaps, 50)], "ms")
        report.figure("gap between tokens, p99", [1000 * percentile(gaps, 99)], "ms")
        report.figure("gap between tokens, longest", [1000 * max(gaps)], "ms")
        if differing:
            report.figure(
                "greedy tokens other than a fresh server's", [sum(n for n, _ in differing)], "",
                at_most=0,
            )  # fmt: skip
            report.figure("log-probs, largest difference", [d for _, d in differing], "nats")

    async def _swaps(self, server: Launched) -> tuple[list[dict[str, Any]], list[Any]]:
        reports, found = [], []
        timeout = aiohttp.ClientTimeout(total=900)
        headers = {"authorization": f"Bearer {server.key}"}
        async with aiohttp.ClientSession(
            server.base_url, headers=headers, timeout=timeout
        ) as session:
            for number in range(self._num_swaps):
                body = {"version": f"v{number}", "way": self._kind}
                async with session.post("/admin/promotions", json=body) as answer:
                    content = await answer.json()
                if answer.status != 200:
                    raise SystemExit(f"swap {number} was refused: {content}")
                reports.append(content["report"])
                if self._model != SCRIPTED:
                    found.append(await probe(session, self._model))
                await asyncio.sleep(0.5)
        return reports, found

    def _sources(self) -> list[Path]:
        """Folders as a trainer publishes them."""
        if self._model == SCRIPTED:
            write_model(self._folder / "base", 0)
            write = write_adapter if self._kind == "adapter" else write_model
            return [write(self._folder / "source", 1)]
        base = ModelStore(_home() / "models").resolve(self._model, pull=True)
        write = write_real_adapter if self._kind == "adapter" else changed_copy
        return [write(base, self._folder / f"source{n}", n) for n in (1, 2)]

    def _expected(self, sources: Sequence[Path]) -> list[Any]:
        """What fresh servers on the same weights answer."""
        if self._model == SCRIPTED:
            return []
        found = []
        for number, source in enumerate(sources):
            settings, home = self._settings(), self._folder / f"fresh{number}"
            if self._kind == "adapter":
                self._begin_on(home, source)
            else:
                settings = settings.replace(
                    f"name = '{self._model}'", f"name = '{self._model}'\nsource = '{source}'"
                )
            with launch(home, settings=settings, start_seconds=900) as server:
                found.append(asyncio.run(probe_server(server, self._model)))
        return found

    def _begin_on(self, home: Path, source: Path) -> None:
        """Let a server that was never started find the adapter live."""
        home.mkdir()
        (home / "models").symlink_to(_home() / "models")
        store = Store(f"sqlite:///{home / 'codeloop.db'}")
        self._enter(VersionCatalog(store, home / "versions"), [source], 1)
        VersionCatalog(store, home / "versions").promote(
            self._model, "v0", replaces="0", actor="benchmark", reason="to be compared with"
        )
        store.close()

    def _settings(self) -> str:
        more = "adapters = 24\n" if self._kind == "adapter" else ""
        slots = f"concurrency = {NUM_USERS[self._model] + 16}\n"
        if self._model != SCRIPTED:
            memory = "context_tokens = 2048\nkv_cache_bytes = 268435456\n"
            return f"[server]\n{WHOLE_CHAT_LANE}\n[[server.models]]\nname = '{self._model}'\n{memory}{slots}{more}"
        script = self._folder / "script.toml"
        script.write_text(SCRIPT.format(base=self._folder / "base"))
        return (
            f"[server]\n{WHOLE_CHAT_LANE}\n[[server.models]]\nname = '{SCRIPTED}'\n"
            f"engine = 'scripted'\nscript = '{script}'\n{slots}{more}"
        )

    @contextmanager
    def _server(self) -> Iterator[Launched]:
        home = self._folder / "home"
        home.mkdir()
        if self._model != SCRIPTED:
            (home / "models").symlink_to(_home() / "models")
        with launch(home, settings=self._settings(), start_seconds=900) as server:
            yield server

    def _publish(self, server: Launched, sources: Sequence[Path]) -> None:
        """All versions, gated: what the gate measures is another benchmark's."""
        store = server.store()
        self._enter(VersionCatalog(store, server.home / "versions"), sources, self._num_swaps)
        store.close()

    def _enter(self, catalog: VersionCatalog, sources: Sequence[Path], num: int) -> None:
        base = (
            self._folder / "base"
            if self._model == SCRIPTED
            else ModelStore(_home() / "models").resolve(self._model, pull=False)
        )
        catalog.adopt_base(self._model, base, actor="benchmark")
        for number in range(num):
            source = sources[number % len(sources)]
            catalog.publish(self._model, source, version=f"v{number}", actor="benchmark")
            catalog.advance(
                self._model, f"v{number}", State.GATED, actor="benchmark", reason="to be swapped"
            )


def call_until(users: Users) -> list[Told]:
    """In a process of its own."""
    return asyncio.run(_call_until(users))


async def _call_until(users: Users) -> list[Told]:
    told: list[Told] = []
    body = {
        "model": users.model, "prompt": "x", "max_tokens": ANSWER_TOKENS, "stream": True,
        "ignore_eos": True, "stream_options": {"include_usage": True},
    }  # fmt: skip

    async def user(session: aiohttp.ClientSession) -> None:
        while not users.stop.exists():
            told.append(await call(session, body))

    async with users.endpoint.session() as session, asyncio.TaskGroup() as group:
        for _ in range(users.num):
            group.create_task(user(session))
    return told


async def call(session: aiohttp.ClientSession, body: Mapping[str, Any]) -> Told:
    """One streamed answer, read to its end."""
    content, times, status, fault = b"", [], 0, ""
    try:
        async with session.post("/v1/completions", json=body) as answer:
            status = answer.status
            async for chunk in answer.content.iter_any():
                content += chunk
                times.append(time.monotonic())
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        fault = type(error).__name__
    if status == 200 and not fault:
        fault = "" if content.endswith(DONE) else "no [DONE]"
        fault = "error event" if b'data: {"error"' in content else fault
    words = [word.strip().decode() for word in WORD.findall(content) if word.strip()]
    named = FINGERPRINT.findall(content)
    usage = re.findall(rb'"completion_tokens":(\d+)', content)
    is_scripted = bool(body["model"] == SCRIPTED)
    return Told(
        status=status,
        fault=fault,
        num_tokens=int(usage[-1]) if usage else 0,
        drawn=frozenset(words) if is_scripted else frozenset(),
        named=frozenset(named[-1].decode().split(",")) if named else frozenset(),
        gaps=tuple(after - before for before, after in itertools.pairwise(times)),
    )


async def probe_server(server: Launched, model: str) -> Any:
    """Greedy tokens and log-probs of a server's own weights."""
    headers = {"authorization": f"Bearer {server.key}"}
    async with aiohttp.ClientSession(server.base_url, headers=headers) as session:
        return await probe(session, model)


async def probe(session: aiohttp.ClientSession, model: str) -> Any:
    """Greedy tokens and their log-probs."""
    async with session.post("/v1/completions", json=PROBE | {"model": model}) as answer:
        return (await answer.json())["choices"][0]["logprobs"]


def difference(found: Any, expected: Any) -> tuple[int, float]:
    """Tokens that differ, and the largest difference of a log-prob of those before the first."""
    pairs = list(zip(found["tokens"], expected["tokens"], strict=True))
    same = next((n for n, (a, b) in enumerate(pairs) if a != b), len(pairs))
    gaps = [
        abs(a - b) for a, b in zip(found["token_logprobs"], expected["token_logprobs"], strict=True)
    ]
    return len(pairs) - same, max(gaps[:same], default=0.0)


def _home() -> Path:
    return Path.home() / ".local/share/codeloop"


if __name__ == "__main__":
    main()
