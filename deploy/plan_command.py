"""`codeloop models plan`: will this model fit there, how long, how many, and split in what way."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from deploy.invocation import invocation
from deploy.machine import available_memory_bytes, gpus
from server.errors import ModelCorrupt, ModelNotFound
from server.families import Family, recognise
from server.known_models import exact_known_model, find_known_model, known_models
from server.machines import GPU_GIB, Machine, gib, parse_gpus
from server.model_names import NAMES, OnHub
from server.model_shape import shape_of
from server.plan import Plan
from server.plan import plan as make_plan

DRIVER_FRACTION = 0.97
"""Of what nvidia-smi calls a GPU's memory, the part that CUDA gives out; ECC and driver have the rest."""

MOST_CONCURRENCY = 256
"""More at once gains nothing: the engine's graphs and its logits are sized for so many."""

GPU_HELP = (
    f"Machine, as h100:2, 48GiB:2 or cpu:24GiB; default this one. Known: {', '.join(GPU_GIB)}."
)


def plan(
    ctx: typer.Context,
    model: Annotated[
        str, typer.Argument(help="A known name, a name in the model store, or a model's folder.")
    ],
    gpu: Annotated[
        str | None, typer.Option(metavar="NAME[:COUNT]", help=GPU_HELP, show_default=False)
    ] = None,
    context: Annotated[
        int | None, typer.Option(min=1, help="Longest prompt plus answer; else the family's own.")
    ] = None,
    concurrency: Annotated[
        int, typer.Option(min=1, help="Sequences of that length that must fit at once.")
    ] = 1,
    kv_dtype: Annotated[
        Literal["auto", "fp8"], typer.Option(help="Precision of the KV cache; auto is 16 bits.")
    ] = "auto",
    weights: Annotated[
        Literal["auto", "bf16", "fp8", "int4"],
        typer.Option(help="Format of the weights; auto is the checkpoint's own."),
    ] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Compute from a model's config whether it fits a machine; nothing is loaded or fetched.

    Exit code 1 when it does not fit; the message then names what would.

    codeloop models plan DeepCoder-14B-Preview --gpu h100:2 --context 65536

    codeloop models plan ./my-model --gpu l40s --concurrency 4 --kv-dtype fp8
    """
    found = _find(model, invocation(ctx).settings.deploy.home / "models")
    shape = shape_of(found.config, name=found.name)
    machine = parse_gpus(gpu) if gpu else _this_machine()
    origin = found.config.get("_name_or_path", "")
    family = recognise(found.config, f"{origin} {found.source}")
    limit = _context_limit(family, shape.max_position_tokens)
    default = min(family.default_context_tokens or limit, limit)
    made = make_plan(
        shape,
        machine=machine,
        context_tokens=context or default,
        concurrency=concurrency,
        weight_format=None if weights == "auto" else weights,
        kv_format="bf16" if kv_dtype == "auto" else kv_dtype,
        context_limit_tokens=limit,
    )
    settings = _settings(found, made)
    if as_json:
        typer.echo(json.dumps(_fields(made) | {"settings": settings}))
        return
    console = Console()
    console.print(_table(made))
    console.print(_verdict(made), soft_wrap=True, highlight=False)
    console.print("\nFor the settings file:\n", highlight=False)
    # Plain: a terminal's markup would eat the brackets, and the lines are for copying.
    typer.echo(_toml(settings), nl=False)


@dataclass(frozen=True, kw_only=True)
class _Found:
    name: str
    source: str
    config: Mapping[str, Any]


def _find(text: str, store: Path) -> _Found:
    """A folder, else a known model, else one in the store, else the start of a known name.

    Raises ModelNotFound, ModelCorrupt.
    """
    given = Path(text).expanduser()
    if given.is_dir():
        return _Found(
            name=given.resolve().name, source=str(given.absolute()), config=_config(given)
        )
    hub_id = exact_known_model(text)
    if hub_id is None:
        # Imported here: the store brings the hub's client, which a known name does without.
        from server.model_store import ModelStore

        try:
            folder = ModelStore(store).resolve(text, pull=False)
            return _Found(name=text.rpartition("/")[2], source=text, config=_config(folder))
        except ModelNotFound:
            hub_id = find_known_model(text)
    name, source = _stored_name(text, hub_id) or (hub_id.rpartition("/")[2], hub_id)
    return _Found(name=name, source=source, config=known_models()[hub_id])


def _stored_name(text: str, hub_id: str) -> tuple[str, str] | None:
    """Name and source of the model by its short name, where it has one; else None."""
    by_repository = {
        where.repository: name for name, where in NAMES.items() if isinstance(where, OnHub)
    }
    short = text if text in NAMES else by_repository.get(hub_id)
    return (short, short) if short else None


def _config(folder: Path) -> Mapping[str, Any]:
    path = folder / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelCorrupt(
            f"{path} cannot be read as JSON: {error}; fetch the model again"
        ) from None
    return config


def _this_machine() -> Machine:
    found = gpus()
    if not found:
        return Machine(name="this machine", kind="cpu", memory_bytes=available_memory_bytes())
    # Equal devices are planned for: of several kinds the smallest decides.
    smallest = min(found, key=lambda one: one.memory_bytes)
    return Machine(
        name=smallest.name,
        kind="gpu",
        memory_bytes=int(smallest.memory_bytes * DRIVER_FRACTION),
        num_devices=len(found),
    )


def _context_limit(family: Family, position_tokens: int) -> int:
    """What the config says, or what the family reaches by rope scaling."""
    if family.yarn is None or family.max_context_tokens is None:
        return position_tokens
    return max(position_tokens, family.max_context_tokens)


def _verdict(made: Plan) -> str:
    split = made.layout
    ways = [
        f"{size} GPUs a layer" if kind == "tensor" else f"{size} groups of layers"
        for kind, size in (("tensor", split.tensor_parallel), ("pipeline", split.pipeline_parallel))
        if size > 1
    ]
    how = f", split over {' and '.join(ways)}" if ways else ""
    times = "once" if made.concurrency == 1 else f"{made.concurrency:,} times at once"
    return (
        f"{made.shape.name} fits {made.machine}{how}: {made.context_tokens:,} tokens {times}, or"
        f" one sequence of {made.largest_context_tokens:,}."
    )


def _table(made: Plan) -> Table:
    layout, shape = made.layout, made.shape
    each = "" if made.machine.num_devices == 1 else " (fullest GPU)"
    active = shape.num_active_parameters / 1e9
    has_experts = any(layer.idle for layer in shape.layers)
    table = Table("what", "how much", title=f"{shape.name} on {made.machine}", title_justify="left")
    for what, how_much in (
        ("parameters", f"{shape.num_parameters / 1e9:.2f} billion"),
        *([("of them active in a token", f"{active:.2f} billion")] if has_experts else []),
        ("weights", f"{gib(made.weight_bytes)} as {made.weight_format}"),
        ("KV cache of a token", f"{made.kv_bytes_per_token / 1024:.1f} KiB as {made.kv_format}"),
        ("tensor × pipeline parallel", f"{layout.tensor_parallel} × {layout.pipeline_parallel}"),
        (f"usable memory{each}", gib(made.machine.usable_bytes)),
        (f"  weights{each}", gib(layout.weight_bytes)),
        (f"  engine{each}, estimated", gib(layout.reserve_bytes)),
        (f"  KV cache{each}", gib(layout.kv_bytes)),
        ("tokens in the KV cache", f"{layout.kv_tokens:,}"),
        ("longest single sequence", f"{made.largest_context_tokens:,} tokens"),
        (f"sequences of {made.context_tokens:,}", f"{made.concurrency:,}"),
    ):
        table.add_row(what, how_much)
    return table


def _settings(found: _Found, made: Plan) -> dict[str, Any]:
    """The model's table of the settings file; what is the default anyway is left out."""
    layout = made.layout
    concurrency = min(made.concurrency, MOST_CONCURRENCY)
    settings: dict[str, Any] = {"name": found.name}
    if found.source != found.name:
        settings["source"] = found.source
    settings |= {"context_tokens": made.context_tokens, "concurrency": concurrency}
    if layout.tensor_parallel > 1:
        settings["tensor_parallel"] = layout.tensor_parallel
    if layout.pipeline_parallel > 1:
        settings["pipeline_parallel"] = layout.pipeline_parallel
    if made.kv_format == "fp8":
        settings["kv_cache_dtype"] = "fp8"
    if made.machine.kind == "cpu":
        # Only what is used: a CPU engine takes all that it is given, at once.
        num_tokens = concurrency * layout.rounded(made.context_tokens) + layout.block_tokens
        settings["kv_cache_bytes"] = max(num_tokens * layout.kv_bytes_per_token, 64 * 2**20)
    if made.weight_format == "fp8" and made.shape.weight_format != "fp8":
        settings["engine_arguments"] = ["--quantization", "fp8"]
    return settings


def _toml(settings: Mapping[str, Any]) -> str:
    # JSON's strings, numbers and lists of strings are TOML's too.
    lines = (
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in settings.items()
    )
    return "[[server.models]]\n" + "".join(lines)


def _fields(made: Plan) -> dict[str, Any]:
    layout = made.layout
    return {
        "model": made.shape.name,
        "machine": str(made.machine),
        "parameters": made.shape.num_parameters,
        "active_parameters": made.shape.num_active_parameters,
        "weight_format": made.weight_format,
        "weight_bytes": made.weight_bytes,
        "kv_format": made.kv_format,
        "kv_bytes_per_token": made.kv_bytes_per_token,
        "tensor_parallel": layout.tensor_parallel,
        "pipeline_parallel": layout.pipeline_parallel,
        "usable_bytes_per_device": made.machine.usable_bytes,
        "weight_bytes_per_device": layout.weight_bytes,
        "reserve_bytes_per_device": layout.reserve_bytes,
        "kv_cache_bytes_per_device": layout.kv_bytes,
        "kv_cache_tokens": layout.kv_tokens,
        "largest_context_tokens": made.largest_context_tokens,
        "context_tokens": made.context_tokens,
        "concurrency": made.concurrency,
    }
