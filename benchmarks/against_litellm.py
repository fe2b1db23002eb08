"""The gateway against the LiteLLM proxy, in front of the same scripted engine on this machine.

LiteLLM runs as it is quickest: one worker, no database, no callbacks, no telemetry, a master key.
On first use it is installed into an environment of its own, in the user's cache, with uv. Its
upstream is the scripted engine on a loopback port; the gateway's is the same program as its
child. Rounds are interleaved: direct, gateway, LiteLLM.

    python -m benchmarks.against_litellm --quick
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from benchmarks.load import Endpoint, Generators, Load, chat_body, load_generators
from benchmarks.process import resident_bytes
from benchmarks.report import Report, parse
from benchmarks.servers import (
    WHOLE_CHAT_LANE,
    child_server,
    free_port,
    scripted_engine,
    scripted_gateway,
    through,
)

LITELLM = "litellm[proxy]==1.106.2"
NUM_TOKENS = 64
MODEL = "scripted"


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """A running LiteLLM."""

    endpoint: Endpoint
    pid: int


def main() -> None:
    """Run it."""
    arguments = parse(__doc__)
    command = litellm_command()
    report = Report(f"Gateway against {LITELLM}", arguments)
    calls, seconds = (40, 2.0) if arguments.quick else (150, 5.0)
    rounds: dict[str, list[float]] = defaultdict(list)
    with (
        scripted_engine() as engine,
        scripted_gateway(server=WHOLE_CHAT_LANE, model="concurrency = 64") as gateway,
        litellm_proxy(command, engine) as proxy,
        load_generators() as generators,
    ):
        ends = {"direct": engine, "gateway": through(gateway), "litellm": proxy.endpoint}
        pids = {"gateway": gateway.process.pid, "litellm": proxy.pid}
        for _ in range(arguments.rounds):
            for name, end in ends.items():
                one_round(generators, end, name, rounds, calls=calls, seconds=seconds)
            for name, pid in pids.items():
                rounds[f"{name} memory"].append(resident_bytes(pid) / 2**20)
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
    """Latency at one caller, rates at 16, of one end."""
    for kind, is_stream in (("plain", False), ("stream", True)):
        body = chat_body(NUM_TOKENS, stream=is_stream) | {"model": MODEL}
        alone = generators.run(Load(endpoint=end, body=body, calls=calls, warm_up=10))
        rounds[f"{name} {kind} p50"].append(alone.first_ms(50) if is_stream else alone.total_ms(50))
        many = generators.run(Load(endpoint=end, body=body, concurrency=16, seconds=seconds))
        rounds[f"{name} {kind} rate"].append(many.calls_per_second)
        rounds[f"{name} failed"].append(alone.num_failed + many.num_failed)


def show(report: Report, rounds: dict[str, list[float]]) -> None:
    """Print the claims."""

    def ratio(above: list[float], below: list[float]) -> list[float]:
        return [a / b for a, b in zip(above, below, strict=True)]

    def added(name: str, kind: str) -> list[float]:
        pairs = zip(rounds[f"{name} {kind} p50"], rounds[f"direct {kind} p50"], strict=True)
        return [through - direct for through, direct in pairs]

    for kind, text in (("plain", "plain answer"), ("stream", "first token of a stream")):
        for name in ("gateway", "litellm"):
            report.figure(f"{name}: added, {text}, p50", added(name, kind), "ms")
        report.figure(
            f"gateway / litellm: added, {text}",
            ratio(added("gateway", kind), added("litellm", kind)),
            "",
            at_most=0.25,
        )
    for kind, text, least in (("plain", "plain answers", None), ("stream", "64-chunk streams", 10)):
        for name in ("direct", "gateway", "litellm"):
            report.figure(f"{name}: {text}, 16 callers", rounds[f"{name} {kind} rate"], "/s")
        report.figure(
            f"gateway / litellm: {text}",
            ratio(rounds[f"gateway {kind} rate"], rounds[f"litellm {kind} rate"]),
            "times",
            at_least=least,
        )
    for name in ("gateway", "litellm"):
        report.figure(f"{name}: resident memory", rounds[f"{name} memory"], "MiB")
    report.figure(
        "gateway / litellm: resident memory",
        ratio(rounds["gateway memory"], rounds["litellm memory"]),
        "",
        at_most=0.333,
    )
    for name in ("gateway", "litellm"):
        report.figure(f"{name}: calls without a whole answer", [sum(rounds[f"{name} failed"])], "")


def litellm_command() -> str:
    """LiteLLM's program; installed where it is not there yet."""
    # The one place that reads XDG_CACHE_HOME: the environment is large and shared by checkouts.
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "codeloop" / "bench-litellm"
    program = folder / "bin" / "litellm"
    if not program.exists():
        uv = shutil.which("uv")
        if uv is None:
            raise SystemExit(f"uv is not on PATH: it installs {LITELLM} into {folder}")
        print(f"installing {LITELLM} into {folder}", file=sys.stderr)
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
        python = folder / "bin" / "python"
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, LITELLM], check=True)
    return str(program)


@contextmanager
def litellm_proxy(command: str, upstream: Endpoint) -> Iterator[Proxy]:
    """The proxy in front of the scripted engine."""
    port, key = free_port(), f"sk-{secrets.token_hex(8)}"
    config = {
        "model_list": [
            {
                "model_name": MODEL,
                "litellm_params": {
                    "model": f"openai/{MODEL}",
                    "api_base": f"{upstream.base_url}/v1",
                    "api_key": "none",
                },
            }
        ],
        "litellm_settings": {"telemetry": False, "set_verbose": False},
        "general_settings": {"master_key": key, "disable_spend_logs": True},
    }
    with tempfile.TemporaryDirectory(prefix="codeloop-benchmark-") as folder:
        path = Path(folder, "litellm.json")  # JSON is YAML
        path.write_bytes(orjson.dumps(config))
        arguments = ["--config", str(path), "--host", "127.0.0.1", "--port", str(port)]
        with child_server(
            [command, *arguments, "--num_workers", "1", "--telemetry", "False"],
            probe_url=f"http://127.0.0.1:{port}/health/liveliness",
            log_path=Path(folder, "litellm.log"),
            start_seconds=180,
            # Else it asks the internet for its table of prices at every start.
            environment={"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"},
        ) as process:
            endpoint = Endpoint(
                base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {key}"}
            )
            yield Proxy(endpoint=endpoint, pid=process.pid)


if __name__ == "__main__":
    main()
