"""`codeloop train plan`: will a recipe fit these devices, how long will it take, is a pipeline worth it?"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from deploy.machine import available_memory_bytes, gpus
from deploy.train_simulate import comparison_fields, print_comparison
from evaluator.report_table import console
from server.known_models import find_known_model, known_models
from server.machines import parse_gpus
from trainer.errors import ShapeUnknown
from trainer.hardware import Hardware, cpu_cores
from trainer.hardware import gpus as gpu_hardware
from trainer.plan import Plan, Recipe, learner_limit_bytes
from trainer.plan import plan as make_plan
from trainer.trained_shape import TrainedShape, shape_from_config
from trainer.workload import Lengths, Rewards

GIB = 2**30


def plan(
    model: Annotated[
        str, typer.Argument(help="A known model's name, or a folder with config.json.")
    ],
    gpu: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[:COUNT]",
            help="Devices, as h100:32, 80GiB:8 or cpu:24GiB; default this machine.",
            show_default=False,
        ),
    ] = None,
    cores: Annotated[
        int | None,
        typer.Option(min=1, help="Of a CPU; default this machine's.", show_default=False),
    ] = None,
    method: Annotated[
        Literal["full", "lora"], typer.Option(help="All weights, or adapters.")
    ] = "full",
    lora_rank: Annotated[int, typer.Option(help="Of the adapters.")] = 32,
    prompts: Annotated[int, typer.Option(help="Prompts of an iteration.")] = 128,
    group: Annotated[int, typer.Option(help="Answers to a prompt.")] = 8,
    mini_batch: Annotated[int, typer.Option(help="Prompts of an optimiser step; 0 for all.")] = 0,
    context: Annotated[int, typer.Option(help="Where an answer is cut.")] = 16_384,
    mean_tokens: Annotated[
        float | None, typer.Option(help="Mean answer; default half of the cut.", show_default=False)
    ] = None,
    variation: Annotated[float, typer.Option(help="Standard deviation over mean.")] = 0.8,
    prompt_tokens: Annotated[int, typer.Option(min=0, help="Longest prompt.")] = 2_048,
    micro_batch_tokens: Annotated[
        int, typer.Option(help="Packed into a pass of a rank; 0 for the longest sequence.")
    ] = 0,
    chunk_tokens: Annotated[
        int, typer.Option(min=0, help="Rows of logits at once; 0 for all.")
    ] = 1_024,
    checkpointing: Annotated[
        bool, typer.Option(help="Recompute layers in the backward pass.")
    ] = True,
    tensor_parallel: Annotated[int, typer.Option(help="Devices of one sampler.")] = 1,
    reward_seconds: Annotated[float, typer.Option(help="To judge an answer.")] = 2.0,
    reward_workers: Annotated[int, typer.Option(help="Answers judged at once.")] = 64,
    live_share: Annotated[
        float, typer.Option(help="Of groups whose rewards differ; others are not trained on.")
    ] = 1.0,
    share_prompts: Annotated[
        bool, typer.Option("--share-prompts", help="Feed a group's prompt once.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Compute memory of a learner's rank, phase times, and whether to pipeline; nothing is loaded.

    Exit code 1 where it does not fit. Times are estimates from data sheets and stated efficiencies.

    codeloop train plan DeepCoder-14B-Preview --gpu h100:32 --context 32768 --tensor-parallel 2

    codeloop train plan DeepCoder-14B-Preview --gpu h200:8 --method lora --tensor-parallel 2

    codeloop train plan SmolLM2-135M-Instruct --gpu cpu:24GiB --cores 2 --prompts 24 --context 64 --prompt-tokens 116 --micro-batch-tokens 1024 --chunk-tokens 192
    """
    recipe = Recipe(
        prompts=prompts,
        group=group,
        lengths=Lengths(
            mean_tokens=context / 2 if mean_tokens is None else mean_tokens,
            variation=variation,
            most_tokens=context,
        ),
        prompt_tokens=prompt_tokens,
        method=method,
        lora_rank=lora_rank,
        mini_batch_prompts=mini_batch,
        micro_batch_tokens=micro_batch_tokens,
        chunk_tokens=chunk_tokens,
        has_checkpointing=checkpointing,
        tensor_parallel=tensor_parallel,
        rewards=Rewards(seconds=reward_seconds, variation=1.0, workers=reward_workers),
        live_share=live_share,
        shares_prompts=share_prompts,
    )
    found = make_plan(_shape(model), _hardware(gpu, cores), recipe)
    if as_json:
        typer.echo(json.dumps(_fields(found), indent=2))
        return
    _print(found, console())


def _shape(model: str) -> TrainedShape:
    """Raises ShapeUnknown, ModelNotFound."""
    folder = Path(model).expanduser()
    if not folder.is_dir():
        hub_id = find_known_model(model)
        return shape_from_config(known_models()[hub_id], name=hub_id.rpartition("/")[2])
    path = folder / "config.json"
    try:
        config: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ShapeUnknown(
            f"{path} cannot be read as JSON: {error}; fetch the model again"
        ) from None
    return shape_from_config(config, name=folder.resolve().name)


def _hardware(text: str | None, cores: int | None) -> Hardware:
    """Raises ModelError for a machine that cannot be read."""
    if text:
        machine = parse_gpus(text)
        if machine.kind == "gpu":
            return gpu_hardware(
                machine.name, num_devices=machine.num_devices, memory_bytes=machine.memory_bytes
            )
        memory_bytes = machine.memory_bytes
    else:
        here = gpus()
        if here:
            smallest = min(here, key=lambda one: one.memory_bytes)
            return gpu_hardware(
                smallest.name, num_devices=len(here), memory_bytes=smallest.memory_bytes
            )
        memory_bytes = available_memory_bytes()
    return cpu_cores(num_cores=cores or os.cpu_count() or 1, memory_bytes=memory_bytes)


def _print(found: Plan, out: Console) -> None:
    learner, limit = found.learner, learner_limit_bytes(found.hardware)
    table = Table(
        box=None,
        padding=(0, 1),
        title=f"{found.shape.name}, {learner.method}: one of {learner.ranks} learner ranks on"
        f" {found.hardware}",
        title_justify="left",
    )
    table.add_column("memory of a learner's rank")
    table.add_column("GiB", justify="right")
    table.add_column("bytes")
    for term in learner.terms():
        table.add_row(term.what, f"{term.num_bytes / GIB:.2f}", term.formula)
    table.add_row("sum", f"{learner.total_bytes / GIB:.2f}", f"of {limit / GIB:.1f} GiB usable")
    out.print(table)
    sampling = found.workload.sampling
    out.print(
        f"\nA sampler decodes at {sampling.step_seconds * 1e3:.1f} ms a step and"
        f" {sampling.answer_seconds * 1e6:.0f} µs an active answer, {sampling.most_active} at once;"
        f" a learning device trains on {found.workload.learning.tokens_per_second:,.0f} answer tokens"
        " a second. Estimated.\n",
        soft_wrap=True,
    )
    if found.comparison:
        split = found.workload
        out.print(
            f"Best split: {split.sampler_devices} devices sample, {split.learner_devices} learn."
        )
        print_comparison(found.comparison, out)
        out.print()
    else:
        out.print(f"All devices in turn: {found.colocated_seconds:.1f} s an iteration.")
    out.print(found.reason, soft_wrap=True)


def _fields(found: Plan) -> dict[str, Any]:
    return {
        "model": found.shape.name,
        "parameters": found.shape.parameters,
        "devices": asdict(found.hardware),
        "learner_ranks": found.learner.ranks,
        "memory": [asdict(term) for term in found.learner.terms()],
        "memory_bytes": found.learner.total_bytes,
        "memory_limit_bytes": int(learner_limit_bytes(found.hardware)),
        "sampling": asdict(found.workload.sampling),
        "learning": asdict(found.workload.learning),
        "hand_over": asdict(found.workload.hand_over),
        "colocated_iteration_seconds": found.colocated_seconds,
        "split_iteration_seconds": {str(key): value for key, value in found.splits.items()},
        "best_split": [found.workload.sampler_devices, found.workload.learner_devices]
        if found.splits
        else None,
        "comparison": comparison_fields(found.comparison) if found.comparison else None,
        "pipeline": found.is_pipelining_advised,
        "reason": found.reason,
    }
