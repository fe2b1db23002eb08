"""Weights in training spread over the ranks of torchrun by FSDP2: NCCL on GPUs, gloo on CPUs.

Every rank makes the same calls with the same samples, and each finds its own share of them. Masters,
moments and gradients are float32 and lie in parts, and so does what is frozen, as the work has it; a
layer is gathered in bfloat16 for as long as it works, and gradients are reduced in float32. A micro-batch
too few on one rank would hang the others, so the deal gives all of them equally many. Rank 0 alone reads
the weights: no machine holds them once for each of its ranks.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from trainer.errors import CheckpointInvalid, SaveFailed, TrainerError
from trainer.freed_memory import keep_freed_memory
from trainer.learner import Learner, adam, refuse_other_state
from trainer.learner_step import StepSums
from trainer.packing import Sample
from trainer.policy_model import Scorer, causal_model, load_network
from trainer.policy_options import DTYPES, PolicyOptions
from trainer.published import Lineage
from trainer.weight_broadcast import broadcast_weights
from trainer.weight_writer import TensorPlan


class ShardedPolicy(Learner):
    """A policy of many ranks; torch.distributed's default group is to be there already."""

    def __init__(
        self, folder: Path, options: PolicyOptions, *, lineage: Lineage | None = None
    ) -> None:
        """folder: a model in Hugging Face's layout; ranks but 0 need no weights in it. Raises ModelUnfit."""
        rank, num_ranks = dist.get_rank(), dist.get_world_size()
        super().__init__(options, lineage or Lineage(base=folder), rank=rank, num_ranks=num_ranks)
        on_gpu = torch.cuda.is_available() if options.device is None else "cuda" in options.device
        self._device = (
            torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")
        )
        if not on_gpu:
            keep_freed_memory()
        compute = DTYPES[options.compute]
        # Under an adapter the model only works; the adapter is float32 either way.
        self._scorer = self._spread(
            folder, options, torch.float32 if options.lora is None else compute
        )
        self._network = self._scorer.network
        self._reference = None
        if options.objective.kl_coefficient:
            self._reference = self._spread(folder, PolicyOptions(), compute, is_frozen=True)
        self._optimiser = adam(list(self._learning().values()), options)

    def _spread(
        self, folder: Path, options: PolicyOptions, dtype: torch.dtype, *, is_frozen: bool = False
    ) -> Scorer:
        """The network of a folder, of which each rank keeps a part."""
        network = self._read(folder, options, dtype)
        scorer = Scorer(network)
        if is_frozen:
            scorer.requires_grad_(False)
        mesh = dist.init_device_mesh(self._device.type, (self._num_ranks,))
        policy = MixedPrecisionPolicy(
            param_dtype=DTYPES[self._options.compute],
            reduce_dtype=torch.float32,
            cast_forward_inputs=False,
        )
        # A layer at a time goes to its device and is cut, so a GPU never holds the whole.
        for module in (*causal_model(network).base_model.layers, scorer):
            broadcast_weights(module, self._device)
            # The outermost stays whole for the backward pass, where there is to be one.
            reshards = True if is_frozen else None
            fully_shard(module, mesh=mesh, mp_policy=policy, reshard_after_forward=reshards)
        return scorer

    def _read(self, folder: Path, options: PolicyOptions, dtype: torch.dtype) -> Any:
        """The network: with its weights on rank 0, where the others have none yet."""
        network, failure = None, None
        try:
            network = load_network(folder, options, dtype=dtype, with_weights=self._rank == 0)
        except TrainerError as error:
            failure = error
        self._agree(failure)
        return network

    def _learning(self) -> dict[str, Tensor]:
        return {name: one for name, one in self._network.named_parameters() if one.requires_grad}

    def log_probs(self, samples: Sequence[Sample], temperature: float) -> list[list[float]]:
        found = super().log_probs(samples, temperature)
        # A forward pass leaves the outermost module's weights whole for the backward pass to come, and here
        # comes none: `state` would take them for this rank's part.
        self._scorer.reshard()
        return found

    def state(self) -> dict[str, Any]:
        """This rank's part; `load_state` wants as many ranks again, `load` any number."""
        optimiser = self._optimiser.state_dict()
        moments = {
            place: {name: _part(value) for name, value in values.items()}
            for place, values in optimiser["state"].items()
        }
        return self._counters() | {
            "num_ranks": self._num_ranks,
            "weights": {name: _part(value) for name, value in self._learning().items()},
            "optimiser": {"param_groups": optimiser["param_groups"], "state": moments},
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from this rank's part, bit for bit. Raises CheckpointInvalid."""
        if state.get("num_ranks") != self._num_ranks:
            raise CheckpointInvalid(
                f"the policy's state is a part of {state.get('num_ranks')} ranks and there are"
                f" {self._num_ranks}: parts fit their own number only; start as many, or resume from"
                " what `save` wrote"
            )
        learning = self._learning()
        refuse_other_state(state, {name: _part(value) for name, value in learning.items()})
        with torch.no_grad():
            for name, value in learning.items():
                _part(value).copy_(state["weights"][name])
        whole = list(learning.values())
        moments = {
            place: {name: _like(value, whole[place]) for name, value in values.items()}
            for place, values in state["optimiser"]["state"].items()
        }
        groups = state["optimiser"]["param_groups"]
        self._optimiser.load_state_dict({"param_groups": groups, "state": moments})
        self._set_counters(state)

    def save(self, folder: Path) -> None:
        """The whole state through torch.distributed.checkpoint, each rank writing its part."""
        import torch.distributed.checkpoint as checkpoint

        weights, optimiser = get_state_dict(self._scorer, self._optimiser)
        state = {"weights": weights, "optimiser": optimiser, "counters": self._counters()}
        try:
            checkpoint.save(state, checkpoint_id=folder)
        except OSError as error:
            raise SaveFailed(
                f"the state {folder} could not be written ({error}): the last one stands; make room,"
                " or name another folder"
            ) from error

    def load(self, folder: Path) -> None:
        """Go on from what any number of ranks have saved. Raises CheckpointInvalid."""
        import torch.distributed.checkpoint as checkpoint

        weights, optimiser = get_state_dict(self._scorer, self._optimiser)
        state = {"weights": weights, "optimiser": optimiser, "counters": self._counters()}
        try:
            checkpoint.load(state, checkpoint_id=folder)
        except (checkpoint.CheckpointException, OSError, RuntimeError) as error:
            raise CheckpointInvalid(
                f"the state {folder} cannot be read ({error}): it was damaged, or is another model's;"
                " resume from an earlier one"
            ) from error
        set_state_dict(
            self._scorer,
            self._optimiser,
            model_state_dict=state["weights"],
            optim_state_dict=state["optimiser"],
        )
        self._set_counters(state["counters"])

    def _write(
        self,
        folder: Path,
        *,
        plans: Sequence[TensorPlan],
        tensors: Iterator[Tensor],
        training: Mapping[str, Any],
        adapter_config: str | None,
    ) -> None:
        """Rank 0 writes; the others gather with it, tensor by tensor, and hear how it went."""
        failure: TrainerError | None = None
        if self._rank == 0:
            try:
                super()._write(
                    folder,
                    plans=plans,
                    tensors=tensors,
                    training=training,
                    adapter_config=adapter_config,
                )
            except TrainerError as error:
                failure = error
        # What a disk that is full has left over: the others are waiting for it.
        for _ in tensors:
            pass
        self._agree(failure)

    def _agree(self, failure: TrainerError | None) -> None:
        """Raise on every rank what one of them met, the first one's if there are several."""
        heard: list[Any] = [None] * self._num_ranks
        dist.all_gather_object(heard, failure and (type(failure), str(failure)))
        if met := next(filter(None, heard), None):
            kind, message = met
            raise kind(message) from failure

    def _gradients(self) -> list[Tensor]:
        return [one.grad for one in self._learning().values() if one.grad is not None]

    def _zero_gradients(self) -> None:
        self._optimiser.zero_grad(set_to_none=True)

    def _gradient_norm(self) -> float:
        norm = torch.nn.utils.get_total_norm(self._gradients())
        return float(norm.full_tensor() if isinstance(norm, DTensor) else norm)

    def _weights_changed(self) -> None:
        """The optimiser holds the weights themselves."""

    def _merge(self, sums: StepSums) -> None:
        sums.merge(
            lambda tensor: dist.all_reduce(tensor, dist.ReduceOp.SUM),
            lambda tensor: dist.all_reduce(tensor, dist.ReduceOp.MAX),
        )

    def _gather(self, found: dict[int, list[float]]) -> dict[int, list[float]]:
        parts: list[Any] = [None] * self._num_ranks
        dist.all_gather_object(parts, found)
        return {index: row for part in parts for index, row in part.items()}

    def _whole(self, tensor: Tensor) -> Tensor:
        detached = tensor.detach()
        return detached.full_tensor() if isinstance(detached, DTensor) else detached


def _part(value: Any) -> Any:
    return value.detach().to_local() if isinstance(value, DTensor) else value


def _like(part: Any, whole: Tensor) -> Any:
    """A part of a moment as what it was: of the same cut as its weight, or a count."""
    if not isinstance(whole, DTensor) or not isinstance(part, Tensor) or part.dim() == 0:
        return part
    return DTensor.from_local(
        part, whole.device_mesh, whole.placements, shape=whole.shape, stride=whole.stride()
    )
