"""Weights in training in one process, on a CPU or one GPU: all of them, or an adapter."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainer.errors import CheckpointInvalid
from trainer.freed_memory import keep_freed_memory
from trainer.learner_step import (
    StepWork,
    accumulate,
    check_staleness,
    deal,
    refuse_not_finite,
    report,
    score,
    skipped,
    step_totals,
    teaching,
)
from trainer.master_weights import MasterWeights
from trainer.packing import Sample
from trainer.policy import StepReport
from trainer.policy_model import (
    ADAPTER,
    Scorer,
    adapter_config,
    adapter_tensors,
    checkpoint_tensors,
    layout_for,
    linear_tokens,
    load_network,
    merged,
)
from trainer.policy_options import Compute, PolicyOptions
from trainer.published import Lineage, write_version
from trainer.weight_writer import TensorPlan

STATE_SCHEMA = 1


class PlainPolicy:
    """A policy whose weights lie in one process; see trainer.policy.Policy for what it promises."""

    def __init__(
        self, folder: Path, options: PolicyOptions, *, lineage: Lineage | None = None
    ) -> None:
        """folder: a model in Hugging Face's layout. Raises ModelUnfit."""
        self._options = options
        self._lineage = lineage or Lineage(base=folder)
        device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._device = torch.device(device)
        if self._device.type == "cpu":
            keep_freed_memory()
        dtype = {Compute.FLOAT32: torch.float32, Compute.BFLOAT16: torch.bfloat16}[options.compute]
        self._network = load_network(folder, options)
        self._masters = MasterWeights(self._network.to(self._device), dtype)
        self._scorer = Scorer(self._network)
        self._reference = _reference(folder, options, dtype, self._device)
        self._optimiser = torch.optim.AdamW(
            list(self._masters),
            lr=options.learning_rate,
            betas=options.betas,
            eps=options.epsilon,
            weight_decay=options.weight_decay,
            fused=True,
        )
        self._version, self._num_steps, self._is_changed = 0, 0, False

    @property
    def version(self) -> int:
        return self._version

    def log_probs(self, samples: Sequence[Sample], temperature: float) -> list[list[float]]:
        """Of every answer token under the current weights, no gradient."""
        dealt = self._deal(samples, range(len(samples)))
        found = score(self._scorer, samples, dealt, 0, temperature, self._device)
        return [found[index] for index in range(len(samples))]

    def step(self, samples: Sequence[Sample]) -> StepReport:
        """One optimiser step on a mini-batch. Raises StepInvalid, TooStale, BatchInvalid."""
        started, options = time.monotonic(), self._options
        rate = options.rate_at(self._num_steps)
        indices = teaching(samples, options)
        if not indices:
            return skipped(samples, options, learning_rate=rate, started_seconds=started)
        dealt = self._deal(samples, indices)
        batches = [dealt.micro_batch(samples, places) for places in dealt.split[0]]
        work = StepWork(
            micro_batches=batches,
            totals=step_totals(samples, options, len(batches)),
            learner_version=self._version,
        )
        check_staleness(work, options.max_staleness)
        try:
            sums = accumulate(
                self._scorer, work, options, device=self._device, reference=self._reference
            )
            norm = self._apply(float(sums.loss), rate)
        finally:
            self._masters.zero_gradients()
        return report(sums, work, gradient_norm=norm, learning_rate=rate, started_seconds=started)

    def _apply(self, loss: float, rate: float) -> float:
        """Clip and step; the norm before clipping."""
        norm = torch.nn.utils.get_total_norm(self._masters.gradients, foreach=True)
        refuse_not_finite(loss, float(norm), self._num_steps)
        scale = min(1.0, self._options.max_gradient_norm / (float(norm) + 1e-6))
        if scale < 1.0:
            torch._foreach_mul_(self._masters.gradients, scale)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.step()
        self._masters.round_into_network()
        self._num_steps += 1
        self._is_changed = True
        return float(norm)

    def publish(self, folder: Path, summary: Mapping[str, Any] | None = None) -> None:
        """Write a version folder in bfloat16. Raises SaveFailed, ModelUnfit."""
        version = self._version + self._is_changed
        lora = self._options.lora
        config = None
        if lora is None or lora.is_published_merged:
            held = checkpoint_tensors(self._network)
            plans = [_plan(name, one) for name, one in held.items()]
            tensors = (_weights(one) for one in held.values())
        else:
            named = dict(adapter_tensors(self._network))
            plans = [_plan(name, one) for name, one in named.items()]
            tensors = (one for one in named.values())
            config = adapter_config(self._network, self._lineage.base.name)
        training: dict[str, Any] = {"version": version, "parent": version - 1 if version else None}
        training |= {"step": self._num_steps, "summary": dict(summary or {})}
        write_version(
            folder,
            plans=plans,
            tensors=tensors,
            lineage=self._lineage,
            training=training,
            adapter_config=config,
        )
        self._version, self._is_changed = version, False

    def state(self) -> dict[str, Any]:
        """Masters, moments and counters; the tensors are the policy's own, so save before stepping."""
        return {
            "schema": STATE_SCHEMA,
            "version": self._version,
            "num_steps": self._num_steps,
            "is_changed": self._is_changed,
            "weights": {name: master.detach() for name, master in self._masters.named.items()},
            "optimiser": self._optimiser.state_dict(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, bit for bit. Raises CheckpointInvalid for one of another model."""
        refuse_other_state(state, self._masters.named)
        self._masters.load(state["weights"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._version, self._num_steps = state["version"], state["num_steps"]
        self._is_changed = state["is_changed"]

    def _deal(self, samples: Sequence[Sample], indices: Sequence[int]) -> Any:
        return deal(
            samples,
            indices,
            self._options,
            linear_tokens=linear_tokens(self._network),
            layout=layout_for(self._network, self._options.layout),
        )


def refuse_other_state(state: Mapping[str, Any], named: Mapping[str, Tensor]) -> None:
    """Raise CheckpointInvalid where a state's weights are not those of this model and recipe."""
    if state.get("schema") != STATE_SCHEMA:
        raise CheckpointInvalid(
            f"the policy's state has schema {state.get('schema')}: this version of codeloop reads"
            f" {STATE_SCHEMA}; resume with the version that wrote it"
        )
    found = {name: tuple(value.shape) for name, value in state["weights"].items()}
    wanted = {name: tuple(value.shape) for name, value in named.items()}
    if found != wanted:
        odd = next(
            name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name)
        )
        raise CheckpointInvalid(
            f"the policy's state has {found.get(odd, 'nothing')} for {odd}: the model of the recipe has"
            f" {wanted.get(odd, 'nothing')}; resume with the recipe that the run began with"
        )


def _reference(
    folder: Path, options: PolicyOptions, dtype: torch.dtype, device: torch.device
) -> Scorer | None:
    """The model as it was before training, where a KL term holds the policy to it."""
    if not options.objective.kl_coefficient:
        return None
    plain = PolicyOptions()
    network = load_network(folder, plain, dtype=dtype).to(device)
    return Scorer(network.requires_grad_(False))


def _plan(name: str, held: Any) -> TensorPlan:
    weight = held.base_layer.weight if hasattr(held, "base_layer") else held
    dtype = torch.bfloat16 if weight.is_floating_point() else weight.dtype
    return TensorPlan(name=name, dtype=dtype, shape=tuple(weight.shape))


def _weights(held: Any) -> Tensor:
    if not hasattr(held, "base_layer"):
        return held.detach()
    return merged(
        held.base_layer.weight.detach(),
        held.lora_A[ADAPTER].weight.detach(),
        held.lora_B[ADAPTER].weight.detach(),
        held.scaling[ADAPTER],
    )
