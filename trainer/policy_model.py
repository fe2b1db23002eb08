"""The model that learns: read from a folder, with or without an adapter, scoring given tokens.

transformers has the model's code, peft the adapters. Here is what both kinds of policy need of them: a
module that scores a micro-batch, and its weights under the names of its own checkpoint.
"""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainer import block_attention
from trainer.errors import ModelUnfit
from trainer.log_probs import masked_log_probs
from trainer.packing import MicroBatch
from trainer.policy_options import Layout, LoraOptions, PolicyOptions

ADAPTER = "default"
TRAINED_MULTIPLE = 32
"""Of the tokens that go to the output layer: few shapes, as learner_step.ROUND_UP_TOKENS has it."""


class Scorer(nn.Module):  # type: ignore[misc]
    """Log-probs of a micro-batch's targets as one module: what FSDP wraps, and a policy calls."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, batch: MicroBatch, temperature: float, with_entropy: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Log-probs and, if asked for, entropies in the shape of the batch; 0 outside its mask."""
        causal = causal_model(self.network)
        # A model that was not loaded for blocks would not know what they are.
        blocks = {} if batch.blocks is None else {"blocks": batch.blocks}
        hidden_BTD = causal.base_model(
            input_ids=batch.token_ids_BT,
            position_ids=batch.position_ids_BT,
            use_cache=False,
            **blocks,
        ).last_hidden_state
        return masked_log_probs(
            hidden_BTD,
            causal.get_output_embeddings().weight,
            batch.targets_BT,
            batch.mask_BT,
            temperature=temperature,
            with_entropy=with_entropy,
            multiple=TRAINED_MULTIPLE,
        )


def load_network(
    folder: Path,
    options: PolicyOptions,
    *,
    dtype: torch.dtype | str = "auto",
    with_weights: bool = True,
) -> Any:
    """The causal model of a Hugging Face folder, frozen but for its adapter where LoRA is asked for.

    with_weights: else its parameters are on torch's device `meta`, and the folder needs none. Raises
    ModelUnfit for a folder that transformers cannot read.
    """
    if not (folder / "config.json").is_file():
        raise ModelUnfit(
            f"the model folder {folder} has no config.json: the learner reads Hugging Face's layout;"
            " name such a folder"
        )
    try:
        network = _with_weights(folder, dtype) if with_weights else _without_weights(folder, dtype)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelUnfit(
            f"the model folder {folder} cannot be loaded ({error}): the learner needs a causal model"
            " that the installed transformers knows; check the files, or take another model"
        ) from error
    return prepare(network, options)


def _with_weights(folder: Path, dtype: torch.dtype | str) -> Any:
    import transformers

    return transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation=_attention(folder), local_files_only=True
    )


def _without_weights(folder: Path, dtype: torch.dtype | str) -> Any:
    import accelerate
    import transformers

    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    # Buffers are computed, not read, so they are made at once.
    with accelerate.init_empty_weights(include_buffers=False):
        network = transformers.AutoModelForCausalLM.from_config(
            config, dtype=dtype, attn_implementation=_attention(folder)
        )
    network.tie_weights()
    return network


def _attention(folder: Path) -> str:
    """Ours, unless a layer looks at less than all before it: a window is transformers' business."""
    import transformers

    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    if not _attends_to_all(config):
        return "sdpa"
    block_attention.register()
    return block_attention.NAME


def prepare(network: Any, options: PolicyOptions) -> Any:
    """Give a causal model its adapter and its training mode."""
    if options.is_checkpointing:
        network.gradient_checkpointing_enable(
            gradient_checkpointing_kwargs={"use_reentrant": False}
        )
    if options.lora is not None:
        network = _with_adapter(network, options.lora, options.seed)
    # Not a matter of drop-out, of which these models have none: checkpointing asks for it.
    network.train()
    return network


def _with_adapter(network: Any, lora: LoraOptions, seed: int) -> Any:
    import peft

    config = peft.LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=0.0,
        target_modules=lora.targets if isinstance(lora.targets, str) else list(lora.targets),
        task_type="CAUSAL_LM",
    )
    # Masters are float32 by our own doing; peft's cast would make the work float32 as well.
    network = peft.get_peft_model(network, config, autocast_adapter_dtype=False)
    _draw_adapter(network, seed)
    return network


def _draw_adapter(network: Any, seed: int) -> None:
    """A as peft draws it, B zero: in float32 whatever the base was stored in, so that masters are whole."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if not hasattr(module, "lora_A"):
            continue
        for part in (module.lora_A[ADAPTER], module.lora_B[ADAPTER]):
            part.float()
        down_RI = torch.empty(module.lora_A[ADAPTER].weight.shape)
        nn.init.kaiming_uniform_(down_RI, a=math.sqrt(5), generator=generator)
        with torch.no_grad():
            module.lora_A[ADAPTER].weight.copy_(down_RI)


def causal_model(network: Any) -> Any:
    """The causal model itself, whether or not an adapter is around it."""
    return network.get_base_model() if hasattr(network, "peft_config") else network


def linear_tokens(network: Any) -> int:
    """The length at which attention costs as much as the rest of the model."""
    return 6 * int(causal_model(network).config.hidden_size)


def layout_for(network: Any, wanted: Layout) -> Layout:
    """The wanted layout, or padded rows for a model that only they suit."""
    return wanted if _attends_to_all(causal_model(network).config) else Layout.PADDED


def _attends_to_all(config: Any) -> bool:
    kinds = getattr(config, "layer_types", None)
    if kinds is None:
        return getattr(config, "sliding_window", None) is None
    return set(kinds) == {"full_attention"}


def checkpoint_tensors(network: Any) -> dict[str, nn.Module | Tensor]:
    """Name in the model's own checkpoint → what holds it, each tied weight once.

    Under an adapter an adapted layer stands for its weight: see `merged_weight`.
    """
    found: dict[str, nn.Module | Tensor] = {}
    seen: set[int] = set()
    causal = causal_model(network)
    for prefix, module in causal.named_modules():
        if "lora_" in prefix:
            continue
        if hasattr(module, "base_layer"):
            found[f"{prefix}.weight"] = module
            if (bias := getattr(module.base_layer, "bias", None)) is not None:
                found[f"{prefix}.bias"] = bias
            continue
        if prefix.endswith(".base_layer"):
            continue
        for name, value in module.named_parameters(recurse=False):
            if id(value) not in seen:
                seen.add(id(value))
                found[f"{prefix}.{name}" if prefix else name] = value
        for name, value in module.named_buffers(recurse=False):
            if name not in module._non_persistent_buffers_set:
                found[f"{prefix}.{name}" if prefix else name] = value
    return found


def merged_weight(held: Any, whole: Callable[[Tensor], Tensor]) -> Tensor:
    """What `checkpoint_tensors` names as one tensor; W + scaling B A in float32, arXiv:2106.09685 eq. 3.

    whole: makes a tensor whole that lies in parts; called for each in the same order everywhere.
    """
    if not isinstance(held, nn.Module):
        return whole(held)
    base_OI = whole(held.base_layer.weight).float()
    down_RI, up_OR = (whole(part[ADAPTER].weight).float() for part in (held.lora_A, held.lora_B))
    return base_OI.addmm(up_OR, down_RI, alpha=held.scaling[ADAPTER])


def adapter_tensors(network: Any) -> Iterator[tuple[str, Tensor]]:
    """The adapter's parameters under the names of peft's files."""
    for name, value in network.named_parameters():
        if "lora_" in name:
            yield name.replace(f".{ADAPTER}.", "."), value


def adapter_config(network: Any, base: str) -> str:
    """adapter_config.json as peft and vLLM read it. base: what it is an adapter of."""
    config = network.peft_config[ADAPTER].to_dict()
    config |= {"base_model_name_or_path": base, "inference_mode": True}
    for key, value in config.items():
        if isinstance(value, set):
            config[key] = sorted(value)
    return json.dumps(config, indent=2, sort_keys=True, default=str) + "\n"
