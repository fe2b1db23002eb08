"""A run's recipe: one TOML file says all of what is trained, on what, and how.

Every field's docstring is its manual. `recipe_file` reads it; two runs of one recipe, one model and one
data set draw the same prompts in the same order with the same seeds.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trainer.advantage import AdvantageKind
from trainer.importance import Correction
from trainer.normaliser import Normaliser
from trainer.overlong import OverlongFilter

Mode = Literal["synchronous", "one_off", "one_off_interleaved"]


class _Table(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )


class ModelTable(_Table):
    """What is trained."""

    source: str = Field(min_length=1)
    """A folder in Hugging Face layout, or a name of the model store."""
    compute: Literal["float32", "bfloat16"] = "bfloat16"
    """Type of the learner's products; its master weights are float32 always."""
    gradient_checkpointing: bool = False
    """Compute activations again in backward instead of keeping them: less memory, a third more time."""
    lora_rank: int = Field(default=0, ge=0)
    """Rank of the adapter that is trained; 0 trains every weight."""
    lora_alpha: int = Field(default=64, ge=1)
    """Scale of the adapter, over its rank."""


class DataTable(_Table):
    """What is asked."""

    train: str = Field(min_length=1)
    """A data set that `codeloop train data build` made, or "short-functions", the built-in family."""
    heldout: str = ""
    """Problems that are only evaluated on: a data set; empty means the family's held-out kinds, or
    nothing."""
    difficulties: tuple[str, ...] = Field(default=(), strict=False)
    """Only problems of these difficulties, held-out ones too; empty takes all."""
    curriculum: bool = False
    """Ask easy problems first within an epoch, by the difficulty that the data set states."""
    online_filter: bool = False
    """From the second epoch on, ask what was last neither always right nor always wrong."""
    others_share: float = Field(default=0.2, ge=0, le=1)
    """With the online filter: how many others are asked, as a share of those."""


class SamplerTable(_Table):
    """Who draws answers."""

    kind: Literal["local", "served"] = "local"
    """`local` generates in this process, bit for bit the same each time; `served` asks a server."""
    url: str = ""
    """With `served`: the server's address, such as http://127.0.0.1:8000."""
    more_urls: tuple[str, ...] = Field(default=(), strict=False)
    """With `served`: servers that sample beside the first; a group goes to whichever is free."""
    model: str = ""
    """With `served`: the model's name there, one whose role is to sample."""
    weights: Literal["in_place", "adapter"] = "in_place"
    """With `served`: how new weights reach the engine."""
    concurrency: int = Field(default=32, ge=1)
    """With `served`: groups asked for at a time."""
    num_rows: int = Field(default=32, ge=1)
    """With `local`: answers drawn at a time; more are faster and take more memory."""

    @model_validator(mode="after")
    def _serve_somewhere(self) -> Self:
        if self.kind == "served" and not (self.url and self.model):
            raise ValueError(
                f"url is {self.url!r} and model is {self.model!r}: a served sampler needs both; set"
                " them, or kind to 'local'"
            )
        if self.kind == "local" and self.weights == "adapter":
            raise ValueError(
                "weights is 'adapter' and kind is 'local': a local sampler loads whole weights; set"
                " weights to 'in_place'"
            )
        return self


class DrawingTable(_Table):
    """How answers are drawn. No top-p and no top-k: their log-probs are not the policy's."""

    temperature: float = Field(default=0.6, gt=0, le=2)
    """Of sampling, and of the learner's log-probs alike."""
    max_new_tokens: int = Field(ge=1)
    """Where an answer is cut."""
    max_prompt_tokens: int = Field(default=2048, ge=1)
    """Problems whose prompt is longer are left out, and counted."""
    stop: tuple[str, ...] = Field(default=(), strict=False)
    """Strings that end an answer, besides those of its problem."""


class BatchTable(_Table):
    """What one iteration is made of."""

    prompts: int = Field(ge=1)
    """Prompts of an iteration."""
    samples: int = Field(ge=2)
    """Answers to a prompt: its group. A lone answer has nothing to be compared with."""
    mini_batches: int = Field(default=1, ge=1)
    """Optimiser steps of an iteration."""
    dead_groups: Literal["leave_out", "resample", "keep"] = "leave_out"
    """Groups whose rewards are all equal: left out of the step, replaced by other prompts, or kept,
    where they move nothing but stand in the loss's denominator, as DeepCoder's did."""
    max_rounds: int = Field(default=3, ge=1)
    """With `resample`: rounds of drawing an iteration at most; what is dead then is left out."""
    control: Literal["", "shuffled_rewards"] = ""
    """`shuffled_rewards` deals an iteration's rewards out at random: such a run must not learn."""

    @model_validator(mode="after")
    def _split(self) -> Self:
        _check_split(self.prompts, self.mini_batches)
        return self


class ObjectiveTable(_Table):
    """What is maximised; the defaults are GRPO+."""

    advantage: AdvantageKind = Field(default=AdvantageKind.STD_SCALED, strict=False)
    """`std_scaled`, `centred` or `leave_one_out`."""
    clip_low: float = Field(default=0.20, gt=0, lt=1)
    """How far a probability may fall in one iteration."""
    clip_high: float = Field(default=0.28, gt=0)
    """How far a probability may rise in one iteration."""
    kl_coefficient: float = Field(default=0.0, ge=0)
    """Weight of the distance to the model at the start; above 0 keeps a copy of it in memory."""
    entropy_coefficient: float = Field(default=0.0, ge=0)
    """Weight of the entropy; GRPO+ has none, for with it entropy grew until training broke."""
    normaliser: Normaliser = Field(default=Normaliser.GLOBAL_TOKEN, strict=False)
    """`global_token`, `sequence_mean`, `constant` or `as_shipped`."""
    overlong: OverlongFilter = Field(default=OverlongFilter.MASK_TOKENS, strict=False)
    """`off`, `zero_advantage` as DeepCoder shipped it, or `mask_tokens` as it was described."""
    correction: Correction = Field(default=Correction.NONE, strict=False)
    """`none`, `recomputed`, `truncated_token`, `geometric_mask` or `decoupled`."""
    weight_cap: float = Field(default=2.0, ge=1)
    """Most that `truncated_token` weighs a token."""
    max_staleness: int = Field(default=1, ge=0)
    """Versions that a token may be behind the learner; one more ends the run."""


class OptimiserTable(_Table):
    """AdamW."""

    learning_rate: float = Field(gt=0)
    """After the warm-up, constant."""
    warmup_steps: int = Field(default=0, ge=0)
    """Steps in which the rate rises from 0."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """Decay of the gradient's mean."""
    beta2: float = Field(default=0.999, ge=0, lt=1)
    """Decay of the gradient's square."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Pull of every weight to 0, times the rate."""
    max_gradient_norm: float = Field(default=1.0, gt=0)
    """Longer gradients are shortened to this."""
    tokens_per_micro_batch: int = Field(ge=1)
    """Tokens that one forward pass takes, prompts and padding included."""


class PipelineTable(_Table):
    """Who waits for whom, and how long at most."""

    mode: Mode = "synchronous"
    """`one_off` samples the next iteration while this one is learned; `one_off_interleaved` grades
    answers while others are still drawn, too."""
    group_seconds: float = Field(default=600, gt=0)
    """Longest that a sampler may take to the next finished group."""
    reward_seconds: float = Field(default=300, gt=0)
    """Longest from an iteration's last answer until all are graded."""
    step_seconds: float = Field(default=1800, gt=0)
    """Longest that an optimiser step may take."""
    save_seconds: float = Field(default=600, gt=0)
    """Longest that writing a version or a checkpoint may take."""
    update_seconds: float = Field(default=300, gt=0)
    """Longest that new weights may take to reach the sampler."""

    @property
    def lag(self) -> int:
        """Updates that a batch's sampler is behind the batch's learner."""
        return 0 if self.mode == "synchronous" else 1


class StageTable(_Table):
    """Iterations with another length or size: context lengthening."""

    iterations: int = Field(ge=1)
    """How many this stage has; the last stage goes on to the run's end."""
    max_new_tokens: int | None = Field(default=None, ge=1)
    """Replaces drawing.max_new_tokens."""
    prompts: int | None = Field(default=None, ge=1)
    """Replaces batch.prompts."""
    mini_batches: int | None = Field(default=None, ge=1)
    """Replaces batch.mini_batches."""


class CheckpointTable(_Table):
    """What a run goes on from."""

    every: int = Field(default=10, ge=1)
    """Iterations from one checkpoint to the next; the last iteration has one always."""
    keep: int = Field(default=2, ge=1)
    """Checkpoints that stay; older ones are removed."""


class PublishTable(_Table):
    """Versions that samplers load."""

    keep: int = Field(default=3, ge=2)
    """Versions that stay; a version that an iteration under way was drawn from stays anyway."""
    probes: int = Field(default=8, ge=0, le=64)
    """Answers whose log-probs a version brings along; a server that does not find the same ones does not
    let it go live. 0 for none."""
    folder: str = ""
    """Where versions are written; empty means in the run's folder. A folder in memory is faster."""


class EvaluationTable(_Table):
    """Held-out problems, asked with the same seeds each time."""

    every: int = Field(default=0, ge=0)
    """Iterations from one evaluation to the next; 0 for none. With it, first and last version always."""
    samples: int = Field(default=1, ge=1)
    """Answers to a problem."""
    temperature: float | None = Field(default=None, ge=0)
    """Unset means drawing.temperature; 0 takes the likeliest token."""
    problems: int = Field(default=0, ge=0)
    """Only so many first problems; 0 for all."""


class ProbeTable(_Table):
    """Before the first iteration: do sampler and learner agree on the same tokens?"""

    prompts: int = Field(default=4, ge=0)
    """Prompts whose answers are compared; 0 for no probe."""
    max_kl: float = Field(default=5e-3, gt=0)
    """Most of mean(exp(d) - d - 1) a token, d the gap of log-probs; bfloat16 gives 1e-3 to 2e-3."""
    max_difference: float = Field(default=2.0, gt=0)
    """Most that the log-prob of a single token may differ."""


class LimitsTable(_Table):
    """When a run ends."""

    iterations: int = Field(ge=1)
    """Iterations in all."""
    minutes: float | None = Field(default=None, gt=0)
    """No iteration begins after so many minutes; the run is saved and can go on."""
    dead_iterations: int = Field(default=5, ge=1)
    """Iterations in a row without a live group that end the run."""


class Recipe(_Table):
    """The whole file."""

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9._-]+$")
    """Of the run: part of its folder's name and of every manifest."""
    seed: int = Field(default=0, ge=0)
    """Of order, samples and everything else that is drawn."""
    model: ModelTable
    data: DataTable
    sampler: SamplerTable = SamplerTable()
    drawing: DrawingTable
    batch: BatchTable
    objective: ObjectiveTable = ObjectiveTable()
    optimiser: OptimiserTable
    pipeline: PipelineTable = PipelineTable()
    stages: tuple[StageTable, ...] = Field(default=(), strict=False)
    checkpoint: CheckpointTable = CheckpointTable()
    publish: PublishTable = PublishTable()
    evaluation: EvaluationTable = EvaluationTable()
    probe: ProbeTable = ProbeTable()
    limits: LimitsTable

    @model_validator(mode="after")
    def _hold_together(self) -> Self:
        if self.objective.max_staleness < self.pipeline.lag:
            raise ValueError(
                f"objective.max_staleness is {self.objective.max_staleness} and pipeline.mode is"
                f" {self.pipeline.mode!r}: its tokens are {self.pipeline.lag} version behind; raise"
                " max_staleness or set the mode to 'synchronous'"
            )
        longest = max(stage.max_new_tokens for stage in self.all_stages)
        if longest >= self.optimiser.tokens_per_micro_batch:
            raise ValueError(
                "optimiser.tokens_per_micro_batch is"
                f" {self.optimiser.tokens_per_micro_batch} and an answer has up to {longest} tokens: a"
                " micro-batch holds a whole prompt and answer; raise it"
            )
        for stage in self.all_stages:
            _check_split(stage.prompts, stage.mini_batches)
        if self.sampler.weights == "adapter" and not self.model.lora_rank:
            raise ValueError(
                "sampler.weights is 'adapter' and model.lora_rank is 0: every weight is trained and"
                " there is no adapter to load; set a rank, or weights to 'in_place'"
            )
        return self

    @property
    def all_stages(self) -> "tuple[Stage, ...]":
        """The stages with what they leave unsaid filled in; one if the recipe names none."""
        tables = self.stages or (StageTable(iterations=self.limits.iterations),)
        return tuple(
            Stage(
                iterations=table.iterations,
                max_new_tokens=table.max_new_tokens or self.drawing.max_new_tokens,
                prompts=table.prompts or self.batch.prompts,
                mini_batches=table.mini_batches or self.batch.mini_batches,
            )
            for table in tables
        )

    def stage_at(self, iteration: int) -> "tuple[int, Stage]":
        """The stage's number, from 0, and the stage, of an iteration counted from 1."""
        left = iteration
        for number, stage in enumerate(self.all_stages):
            if left <= stage.iterations:
                return number, stage
            left -= stage.iterations
        return len(self.all_stages) - 1, self.all_stages[-1]

    def published_folder(self, run_folder: Path) -> Path:
        """Where this run's versions are written."""
        if not self.publish.folder:
            return run_folder / "versions"
        return Path(self.publish.folder).expanduser() / run_folder.name


class Stage(_Table):
    """A stage with nothing unsaid."""

    iterations: int
    max_new_tokens: int
    prompts: int
    mini_batches: int


def _check_split(prompts: int, mini_batches: int) -> None:
    if prompts % mini_batches:
        raise ValueError(
            f"mini_batches is {mini_batches} and prompts is {prompts}: prompts are dealt evenly to"
            " optimiser steps; choose a mini_batches that divides prompts"
        )
