"""From a recipe to the parts of its run: policy, sampler, problems and their order."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import transformers

from trainer.collect import Grades
from trainer.dataset.folder import dataset_digest, load_dataset, problems_digest
from trainer.dataset.order import Order
from trainer.dataset.problem import TrainingProblem, of_difficulty
from trainer.dataset.short_functions import SOURCE, short_functions, split
from trainer.errors import SamplerFailed
from trainer.importance import CorrectionBounds
from trainer.led_policy import LedPolicy, follow
from trainer.local_sampler import LocalSampler, tokenizer_digest
from trainer.plain_policy import PlainPolicy
from trainer.policy import Policy
from trainer.policy_options import Compute, LoraOptions, PolicyOptions
from trainer.prompts import encode
from trainer.published import Lineage
from trainer.ranks import num_ranks
from trainer.recipe import Recipe
from trainer.recipe_file import recipe_digest
from trainer.rollout import Sampler
from trainer.served_sampler import ServedSampler
from trainer.spread_sampler import SpreadSampler
from trainer.surrogate import Objective
from trainer.train import Setup

if TYPE_CHECKING:
    from trainer.sharded_policy import ShardedPolicy


def set_up(
    recipe: Recipe, folder: Path, *, model_folder: Path, grader: Grades, key: str = ""
) -> Setup:
    """The parts, models loaded. folder: the run's. key: of the server that samples.

    Raises DatasetInvalid, ModelUnfit, SamplerFailed.
    """
    transformers.utils.logging.disable_progress_bar()
    train, heldout = problems_of(recipe)
    prompts = encode(train, model_folder, recipe.drawing.max_prompt_tokens)
    kept = [prompt.problem for prompt in prompts.by_id.values()]
    most_prompt_tokens = recipe.drawing.max_prompt_tokens
    return Setup(
        recipe=recipe,
        folder=folder,
        policy=policy_of(recipe, model_folder, datasets=_dataset_digests(recipe)),
        sampler=_sampler(recipe, folder, model_folder, key),
        grader=grader,
        prompts=prompts,
        order=Order(
            problems=kept,
            seed=recipe.seed,
            has_curriculum=recipe.data.curriculum,
            is_filtered=recipe.data.online_filter,
            others_share=recipe.data.others_share,
        ),
        heldout=encode(heldout, model_folder, most_prompt_tokens) if heldout else None,
        tokenizer_digest=tokenizer_digest(model_folder),
        dataset=recipe.data.train,
    )


def follow_leader(recipe: Recipe, model_folder: Path) -> None:
    """Be one of torchrun's ranks after the first: returns when rank 0 has ended. Raises ModelUnfit."""
    follow(_sharded(recipe, _lineage(recipe, model_folder, {})))


def policy_of(
    recipe: Recipe, model_folder: Path, *, datasets: Mapping[str, str] = MappingProxyType({})
) -> Policy:
    """What learns: under torchrun spread over its ranks, else in this process.

    datasets: SHA-256 by name of what it learns from, for its versions' manifests. Raises ModelUnfit.
    """
    lineage = _lineage(recipe, model_folder, datasets)
    if num_ranks() > 1:
        return LedPolicy(_sharded(recipe, lineage))
    return PlainPolicy(model_folder, policy_options(recipe), lineage=lineage)


def _sharded(recipe: Recipe, lineage: Lineage) -> "ShardedPolicy":
    from trainer.sharded_policy import ShardedPolicy  # a second that one process does not need

    return ShardedPolicy(lineage.base, policy_options(recipe), lineage=lineage)


def _lineage(recipe: Recipe, model_folder: Path, datasets: Mapping[str, str]) -> Lineage:
    return Lineage(
        base=model_folder,
        run=recipe.name,
        recipe_sha256=recipe_digest(recipe),
        dataset_sha256s=dict(datasets),
    )


def _dataset_digests(recipe: Recipe) -> dict[str, str]:
    """SHA-256 of all that the recipe draws its training problems from, by name."""
    if recipe.data.train == SOURCE:
        train, _ = split(short_functions())
        return {SOURCE: problems_digest(train)}
    folder = Path(recipe.data.train).expanduser()
    return {folder.name: dataset_digest(folder)}


def problems_of(recipe: Recipe) -> tuple[Sequence[TrainingProblem], Sequence[TrainingProblem]]:
    """What is trained on and what is held out. Raises DatasetInvalid."""
    train: Sequence[TrainingProblem]
    heldout: Sequence[TrainingProblem] = ()
    if recipe.data.train == SOURCE:
        train, heldout = split(short_functions())
    else:
        train = load_dataset(Path(recipe.data.train).expanduser())
    if recipe.data.heldout:
        heldout = load_dataset(Path(recipe.data.heldout).expanduser())
    train = of_difficulty(train, recipe.data.difficulties)
    heldout = of_difficulty(heldout, recipe.data.difficulties)
    return train, heldout if recipe.evaluation.every else ()


def policy_options(recipe: Recipe) -> PolicyOptions:
    """The recipe's side of the learner."""
    objective, optimiser = recipe.objective, recipe.optimiser
    lora = None
    if recipe.model.lora_rank:
        lora = LoraOptions(
            rank=recipe.model.lora_rank,
            alpha=recipe.model.lora_alpha,
            is_published_merged=recipe.sampler.weights != "adapter",
        )
    return PolicyOptions(
        learning_rate=optimiser.learning_rate,
        warm_up_steps=optimiser.warmup_steps,
        betas=(optimiser.beta1, optimiser.beta2),
        weight_decay=optimiser.weight_decay,
        max_gradient_norm=optimiser.max_gradient_norm,
        temperature=recipe.drawing.temperature,
        compute=Compute(recipe.model.compute),
        lora=lora,
        is_checkpointing=recipe.model.gradient_checkpointing,
        tokens_per_micro_batch=optimiser.tokens_per_micro_batch,
        objective=Objective(
            clip_low=objective.clip_low,
            clip_high=objective.clip_high,
            kl_coefficient=objective.kl_coefficient,
            entropy_coefficient=objective.entropy_coefficient,
        ),
        normaliser=objective.normaliser,
        constant_tokens=max(stage.max_new_tokens for stage in recipe.all_stages),
        correction=objective.correction,
        correction_bounds=CorrectionBounds(cap=objective.weight_cap),
        max_staleness=objective.max_staleness,
        seed=recipe.seed,
    )


def _sampler(recipe: Recipe, folder: Path, model_folder: Path, key: str) -> Sampler:
    table = recipe.sampler
    if table.kind == "served":
        served = [
            ServedSampler(
                url,
                model=table.model,
                key=one,
                label=f"{recipe.name}-{folder.name}",
                weights=table.weights,
                concurrency=table.concurrency,
            )
            for url, one in zip(
                (table.url, *table.more_urls), _keys(key, len(table.more_urls)), strict=True
            )
        ]
        if len(served) == 1:
            return served[0]
        return SpreadSampler(served, concurrency=table.concurrency)
    longest = max(stage.max_new_tokens for stage in recipe.all_stages)
    return LocalSampler(
        model_folder,
        num_rows=table.num_rows,
        most_tokens=recipe.drawing.max_prompt_tokens + longest,
    )


def _keys(key: str, num_more: int) -> list[str]:
    """One for every server: all have the same, or there is one each, with commas between."""
    keys = key.split(",")
    if len(keys) == 1:
        return keys * (1 + num_more)
    if len(keys) != 1 + num_more:
        raise SamplerFailed(
            f"the key is {len(keys)} keys and the recipe names {1 + num_more} servers: give one for all,"
            " or one each in the order of the servers, with commas between"
        )
    return keys
