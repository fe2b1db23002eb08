"""`codeloop serve`: models, engines, the gateway, and the lines that a person needs to begin."""

import asyncio
import logging
import socket
import time
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from deploy.errors import PortUnusable
from deploy.invocation import invocation
from server.gateway import Gateway
from server.served_models import has_gpu
from server.settings import ModelSettings, ServerSettings

log = logging.getLogger(__name__)

CPU_MODEL = "smollm2-135m"
"""Comes inside a package: no hub is needed."""
GPU_MODEL = "deepcoder-14b"
FIRST_KEY_NAME = "first"


def serve(
    ctx: typer.Context,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Serve this one model: a name of `codeloop models list`, a folder or a hub id."
            " Else the settings decide; else DeepCoder-14B on a GPU, SmolLM2-135M without.",
        ),
    ] = None,
    engine: Annotated[
        Literal["vllm", "scripted"] | None,
        typer.Option(help="`scripted` replays prepared tokens and needs no model."),
    ] = None,
    script: Annotated[
        Path | None,
        typer.Option(help="What the scripted engine plays; see docs/scripted-engine.md."),
    ] = None,
    context: Annotated[
        int | None, typer.Option(metavar="TOKENS", help="Longest prompt plus answer.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
) -> None:
    """Serve models over an OpenAI-compatible API.

    The first start makes the default model ready, starts the engine, waits until it has generated,
    and prints the URL, a first API key and a curl line that works. Stop with Ctrl-C or SIGTERM:
    answers under way are let to end.

    codeloop serve

    codeloop serve --model ./my-model --context 16384 --port 9000

    codeloop serve --engine scripted          (no model needed)
    """
    call = invocation(ctx)
    settings = _settings(
        call.settings.server, model=model, engine=engine, script=script, context=context,
        host=host, port=port,
    )  # fmt: skip
    home = call.settings.deploy.home
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    began = time.monotonic()
    console = Console(stderr=True)
    _port_must_be_free(settings)
    for served in settings.models:
        console.print(f"[bold]model[/bold]    {served.name} ({served.engine} engine)")
    gateway = Gateway(settings, home=home, version=version("codeloop"))
    try:
        import uvloop
    except ImportError:
        asyncio.run(_run(gateway, settings, console, began))
    else:
        uvloop.run(_run(gateway, settings, console, began))


async def _run(gateway: Gateway, settings: ServerSettings, console: Console, began: float) -> None:
    status = console.status("starting the engine: the first token takes about a minute on a CPU")

    def on_ready(port: int) -> None:
        status.stop()
        _announce(gateway, settings, port, began)

    with status:
        await gateway.run(gateway.server(), on_ready)


def _announce(gateway: Gateway, settings: ServerSettings, port: int, began: float) -> None:
    """Print what a person needs to make the first call; the key is shown this one time only."""
    scheme = "https" if settings.tls else "http"
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    url = f"{scheme}://{host}:{port}/v1"
    secret = "$CODELOOP_KEY"
    lines = [f"\ncodeloop is ready after {time.monotonic() - began:.0f} s", f"  url   {url}"]
    if gateway.keys.all():
        lines.append("  key   as before; `codeloop keys create NAME` makes another")
    else:
        secret, _ = gateway.keys.create(FIRST_KEY_NAME, lanes=("chat", "ide"))
        lines.append(f"  key   {secret}   (shown once; only its hash is kept)")
    name = settings.models[0].name
    lines.append(
        f"  try   curl {url}/chat/completions -H 'Content-Type: application/json'"
        f' -H "Authorization: Bearer {secret}" -d \'{{"model": "{name}", "max_tokens": 64,'
        ' "messages": [{"role": "user", "content": "Write a Python function that adds two'
        " numbers.\"}]}'"
    )
    lines.append(f"  chat  CODELOOP_KEY={secret} codeloop chat --url {url}\n")
    print("\n".join(lines), flush=True)


def _settings(
    settings: ServerSettings,
    *,
    model: str | None,
    engine: Literal["vllm", "scripted"] | None,
    script: Path | None,
    context: int | None,
    host: str | None,
    port: int | None,
) -> ServerSettings:
    """The settings with the command's options in place of theirs."""
    models = settings.models
    if model is not None or not models:
        source = model or (GPU_MODEL if has_gpu() else CPU_MODEL)
        if model is None and engine == "scripted":
            source = "scripted"
        named = next((m for m in models if model in (m.name, *m.aliases)), None)
        # A folder is served under its own last name: clients need not know the server's paths.
        models = (named or ModelSettings(name=Path(source).name or source, source=source),)
    changes = {"engine": engine, "script": script, "context_tokens": context}
    given = {name: value for name, value in changes.items() if value is not None}
    if given:
        models = tuple(
            ModelSettings.model_validate(served.model_dump() | given) for served in models
        )
    listen = {"host": host, "port": port}
    return settings.model_copy(
        update={"models": models} | {k: v for k, v in listen.items() if v is not None}
    )


def _port_must_be_free(settings: ServerSettings) -> None:
    """Look before the engine's long start. Raises PortUnusable."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise PortUnusable(
                f"server.port is {settings.port} on {settings.host}: it cannot be listened on"
                f" ({error.strerror}); stop what uses it, or choose another with --port"
            ) from error
