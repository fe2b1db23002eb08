"""`codeloop train simulate`: what each schedule of the pipeline makes of a workload."""

import json
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from evaluator.report_table import console
from trainer.errors import WorkloadInvalid
from trainer.pipeline_comparison import Comparison, compare, with_time_ratio
from trainer.published_pipeline import OUT_OF_REACH, ROWS, reproduce
from trainer.simulate import Schedule
from trainer.workload import HandOver, Learning, Lengths, Rewards, Sampling, Workload

TIME_RATIOS = (1 / 3, 1 / 2, 1.0, 2.0, 3.0)


class Sweep(StrEnum):
    """What varies over the rows of a sweep."""

    SPLITS = "splits"
    TIMES = "times"


def simulate(
    samplers: Annotated[int, typer.Option(help="Devices that sample.")] = 4,
    learners: Annotated[int, typer.Option(help="Devices that train.")] = 4,
    tensor_parallel: Annotated[int, typer.Option(help="Devices of one sampler.")] = 1,
    prompts: Annotated[int, typer.Option(help="Prompts of an iteration.")] = 64,
    group: Annotated[int, typer.Option(help="Answers to a prompt.")] = 8,
    mean_tokens: Annotated[float, typer.Option(help="Mean length of an answer.")] = 6_000,
    variation: Annotated[
        float, typer.Option(help="Its standard deviation over its mean; 0 for equal lengths.")
    ] = 0.8,
    most_tokens: Annotated[int, typer.Option(help="Where an answer is cut.")] = 16_384,
    step_ms: Annotated[float, typer.Option(help="Decode step without answers, ms.")] = 8.0,
    answer_us: Annotated[
        float, typer.Option(help="What each active answer adds to a step, µs.")
    ] = 30.0,
    most_active: Annotated[int, typer.Option(help="Answers at once in a sampler.")] = 256,
    train_rate: Annotated[
        float, typer.Option(help="Answer tokens a second and learning device.")
    ] = 7_000,
    fixed_seconds: Annotated[float, typer.Option(help="Of training, whatever the devices.")] = 0.0,
    reward_seconds: Annotated[float, typer.Option(help="To judge an answer.")] = 0.0,
    reward_workers: Annotated[int, typer.Option(help="Answers judged at once.")] = 64,
    sync_seconds: Annotated[
        float, typer.Option(help="To publish weights; and again to load them.")
    ] = 1.0,
    switch_seconds: Annotated[
        float, typer.Option(help="Of the colocated schedule, between its phases, both ways.")
    ] = 10.0,
    staleness: Annotated[int, typer.Option(help="Most updates that a batch is behind.")] = 1,
    iterations: Annotated[int, typer.Option(help="Iterations to simulate.")] = 100,
    seed: Annotated[int, typer.Option(help="Of lengths and reward times.")] = 0,
    sweep: Annotated[
        Sweep | None,
        typer.Option(
            help="splits: every split of the devices. times: sampling to training 1:3 to 3:1.",
            show_default=False,
        ),
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Reproduce published measurements instead.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Simulate colocated, same-split, one-off, and one-off with interleaved rewards.

    Every ratio names its baseline: a gain over the same split says nothing about the gain over
    all devices doing each phase in turn, and may be a loss there.

    codeloop train simulate --samplers 4 --learners 4 --reward-seconds 5

    A case that pipelining loses:

    codeloop train simulate --variation 0 --switch-seconds 0 --step-ms 1 --answer-us 200

    codeloop train simulate --samplers 8 --learners 8 --sweep splits

    codeloop train simulate --published
    """
    if published:
        _print_published(as_json)
        return
    workload = Workload(
        sampler_devices=samplers,
        learner_devices=learners,
        prompts=prompts,
        group=group,
        lengths=Lengths(mean_tokens=mean_tokens, variation=variation, most_tokens=most_tokens),
        sampling=Sampling(
            step_seconds=step_ms / 1e3,
            answer_seconds=answer_us / 1e6,
            devices_each=tensor_parallel,
            most_active=most_active,
        ),
        learning=Learning(tokens_per_second=train_rate, fixed_seconds=fixed_seconds),
        rewards=Rewards(seconds=reward_seconds, variation=1.0, workers=reward_workers),
        hand_over=HandOver(
            publish_seconds=sync_seconds, load_seconds=sync_seconds, switch_seconds=switch_seconds
        ),
    )
    cases = {
        name: compare(case, num_iterations=iterations, seed=seed, max_staleness=staleness)
        for name, case in _cases(workload, sweep, seed)
    }
    if as_json:
        found = [{"case": name} | comparison_fields(each) for name, each in cases.items()]
        typer.echo(json.dumps(found if sweep else found[0], indent=2))
        return
    out = console()
    if sweep:
        out.print(_sweep_table(cases))
    else:
        print_comparison(next(iter(cases.values())), out)


def _cases(workload: Workload, sweep: Sweep | None, seed: int) -> Sequence[tuple[str, Workload]]:
    if sweep is None:
        return [(f"{workload.sampler_devices}:{workload.learner_devices}", workload)]
    if sweep is Sweep.TIMES:
        return [
            (_ratio(ratio), with_time_ratio(workload, ratio, seed=seed)) for ratio in TIME_RATIOS
        ]
    each, devices = workload.sampling.devices_each, workload.num_devices
    if devices <= each:
        raise WorkloadInvalid(
            f"{devices} devices with samplers of {each}: no split leaves a learner; give more devices"
        )
    return [
        (
            f"{samplers}:{devices - samplers}",
            replace(workload, sampler_devices=samplers, learner_devices=devices - samplers),
        )
        for samplers in range(each, devices, each)
    ]


def _ratio(ratio: float) -> str:
    return f"{ratio:.0f}:1" if ratio >= 1 else f"1:{1 / ratio:.0f}"


def comparison_fields(found: Comparison) -> dict[str, Any]:
    """All schedules of one workload, for JSON."""
    half = found.colocated_on_half
    return {
        "ideal_iteration_seconds": found.ideal_iteration_seconds,
        "schedules": {
            schedule.value: {
                "iteration_seconds": run.iteration_seconds,
                "device_seconds": run.device_seconds,
                "sampling_seconds": run.sampling_seconds,
                "reward_seconds": run.reward_seconds,
                "training_seconds": run.training_seconds,
                "sampler_idle": run.sampler_idle,
                "learner_idle": run.learner_idle,
                "speedup_over_colocated": found.speedup(schedule, over=Schedule.COLOCATED),
                "speedup_over_same_split": found.speedup(schedule, over=Schedule.SAME_SPLIT),
                "cost_against_colocated_on_half": found.cost_against_half(schedule),
                "most_stale": max(batch.staleness for batch in run.batches),
            }
            for schedule, run in found.runs.items()
        },
        "colocated_on_half_seconds": half.iteration_seconds if half else None,
    }


def print_comparison(found: Comparison, out: Console) -> None:
    """The schedules as rows, and what the baselines are."""
    table = Table(box=None, padding=(0, 1))
    table.add_column("schedule", no_wrap=True)
    for name in (
        "s/iteration",
        "over colocated",
        "over same split",
        "sampler idle",
        "learner idle",
        "device-s",
    ):
        table.add_column(name, justify="right")
    for schedule, run in found.runs.items():
        table.add_row(
            schedule.value,
            f"{run.iteration_seconds:.1f}",
            f"{found.speedup(schedule, over=Schedule.COLOCATED):.2f}x",
            f"{found.speedup(schedule, over=Schedule.SAME_SPLIT):.2f}x",
            f"{run.sampler_idle:.0%}",
            f"{run.learner_idle:.0%}",
            f"{run.device_seconds:,.0f}",
        )
    half = found.colocated_on_half
    if half:
        table.add_row(
            f"colocated on {half.num_devices}",
            f"{half.iteration_seconds:.1f}",
            *("", "", f"{half.sampler_idle:.0%}", f"{half.learner_idle:.0%}"),
            f"{half.device_seconds:,.0f}",
        )
    split = found.runs[Schedule.SAME_SPLIT]
    out.print(table)
    out.print(
        f"\nOn the split a batch samples for {split.sampling_seconds:.1f} s and trains for"
        f" {split.training_seconds:.1f} s: no pipeline on it is faster than"
        f" {found.ideal_iteration_seconds:.1f} s an iteration.",
        soft_wrap=True,
    )


def _sweep_table(cases: dict[str, Comparison]) -> Table:
    table = Table(
        box=None, padding=(0, 1), title="one-off, rewards interleaved", title_justify="left"
    )
    for name in (
        "sampling:training",
        "ideal s",
        "s/iteration",
        "over colocated",
        "over same split",
    ):
        table.add_column(name, justify="right")
    for name, found in cases.items():
        schedule = Schedule.ONE_OFF_INTERLEAVED
        table.add_row(
            name,
            f"{found.ideal_iteration_seconds:.1f}",
            f"{found.runs[schedule].iteration_seconds:.1f}",
            f"{found.speedup(schedule, over=Schedule.COLOCATED):.2f}x",
            f"{found.speedup(schedule, over=Schedule.SAME_SPLIT):.2f}x",
        )
    return table


def _print_published(as_json: bool) -> None:
    found = [reproduce(row) for row in ROWS]
    if as_json:
        rows = [
            {
                "name": each.row.name,
                "source": each.row.source,
                "basis": each.row.basis.value,
                "baseline": each.row.baseline.value,
                "published_seconds": None
                if each.row.seconds_are_units
                else [each.row.baseline_seconds, each.row.pipelined_seconds],
                "published_speedup": each.row.speedup,
                "simulated_seconds": [each.baseline_seconds, each.pipelined_seconds],
                "simulated_speedup": each.speedup,
                "worst_error": each.worst_error,
            }
            for each in found
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    out = console()
    table = Table(box=None, padding=(0, 1))
    for name in ("measured by", "basis", "baseline"):
        table.add_column(name)
    for name in ("published", "simulated", "error"):
        table.add_column(name, justify="right")
    for each in found:
        table.add_row(
            each.row.name,
            each.row.basis.value,
            each.row.baseline.value,
            f"{each.row.speedup:.2f}x",
            f"{each.speedup:.2f}x",
            f"{each.worst_error:.1%}",
        )
    out.print(table)
    out.print(
        "\nbaseline: what the speed-up is over, on as many devices. error: the worst of both times and"
        " their ratio.\npredicted: the source's own phase times, of which the overlap is simulated."
        "\nfitted: phase times chosen to give both numbers; that they can occur together, no more.\n",
        soft_wrap=True,
    )
    for other in OUT_OF_REACH:
        out.print(f"not simulated: {other.name}, {other.numbers}: {other.reason}.", soft_wrap=True)
