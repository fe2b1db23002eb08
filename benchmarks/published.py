"""Folders as a trainer publishes them: models and adapters, tiny ones and changes of real ones."""

import json
import shutil
from pathlib import Path

import numpy as np
import orjson
from safetensors.numpy import save_file

from server.model_manifest import write_manifest
from server.safetensors_header import read_header


def write_model(folder: Path, seed: int) -> Path:
    """A model of a few numbers, for an engine that only verifies them."""
    folder.mkdir()
    config = {"architectures": ["Qwen2ForCausalLM"], "vocab_size": 8, "tie_word_embeddings": True}
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 32768}))
    (folder / "tokenizer.json").write_text('{"model": {"vocab": {"a": 0}}}')
    chance = np.random.default_rng(seed)
    shapes = {"model.embed_tokens.weight": (8, 4), "model.layers.0.self_attn.q_proj.weight": (4, 4)}
    tensors = {name: chance.random(shape, np.float32) for name, shape in shapes.items()}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return sign(folder)


def write_adapter(folder: Path, seed: int) -> Path:
    """An adapter of the same."""
    folder.mkdir()
    (folder / "adapter_config.json").write_text('{"r": 2}')
    chance = np.random.default_rng(seed)
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_"
    shapes = {f"{name}A.weight": (2, 4), f"{name}B.weight": (4, 2)}
    tensors = {name: chance.random(shape, np.float32) for name, shape in shapes.items()}
    save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
    return sign(folder)


def write_real_adapter(base: Path, folder: Path, number: int) -> Path:
    """An adapter of rank 4 on the first layer's queries of a real model, large enough to be seen."""
    folder.mkdir()
    config = {
        "peft_type": "LORA", "r": 4, "lora_alpha": 32, "target_modules": ["q_proj"], "bias": "none",
    }  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(config))
    name = "model.layers.0.self_attn.q_proj"
    (matrix,) = (
        header[f"{name}.weight"]
        for header in map(read_header, base.glob("*.safetensors"))
        if f"{name}.weight" in header
    )
    chance = np.random.default_rng(number)
    shapes = {"A": (4, matrix.shape[1]), "B": (matrix.shape[0], 4)}
    tensors = {
        f"base_model.model.{name}.lora_{side}.weight": chance.standard_normal(shape, np.float32)
        for side, shape in shapes.items()
    }
    save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
    return sign(folder)


def changed_copy(base: Path, folder: Path, number: int) -> Path:
    """A real model with one norm scaled: other answers, the same cost."""
    shutil.copytree(base, folder)
    (folder / "manifest.json").unlink(missing_ok=True)
    path = next(folder.glob("*.safetensors"))
    content = bytearray(path.read_bytes())
    length = int.from_bytes(content[:8], "little")
    header = orjson.loads(content[8 : 8 + length])
    start, end = header["model.norm.weight"]["data_offsets"]
    assert header["model.norm.weight"]["dtype"] == "BF16", (
        "the copy changes upper bytes of bfloat16"
    )
    numbers = np.frombuffer(content, "<u2", (end - start) // 2, 8 + length + start)
    # One step of the exponent doubles a number; half of them, so that the direction changes too.
    numbers[:: number + 1] += 1 << 7
    path.write_bytes(content)
    return sign(folder)


def sign(folder: Path) -> Path:
    """Write the manifest of what is there."""
    write_manifest(folder, name=folder.name, source="benchmark", revision=None, family="generic")
    return folder
