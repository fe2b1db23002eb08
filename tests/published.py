"""Tiny models and versions of them, as a trainer publishes them: two shards of a few numbers."""

import hashlib
import json
import pathlib
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Shapes = Mapping[str, Sequence[int]]

CONFIG = {
    "architectures": ["Qwen2ForCausalLM"],
    "vocab_size": 8,
    "max_position_embeddings": 32768,
    "tie_word_embeddings": True,
}
TOKENIZER = {"model": {"vocab": {"a": 0, "b": 1}}}
EMBEDDING = "model.embed_tokens.weight"
PROJECTION = "model.layers.0.self_attn.q_proj.weight"
SHARDS: Mapping[str, Shapes] = {
    "model-00001-of-00002.safetensors": {EMBEDDING: (8, 4)},
    "model-00002-of-00002.safetensors": {PROJECTION: (4, 4), "model.norm.weight": (4,)},
}
LORA = PROJECTION.removesuffix(".weight")
ADAPTER: Mapping[str, Shapes] = {
    "adapter_model.safetensors": {
        f"base_model.model.{LORA}.lora_A.weight": (2, 4),
        f"base_model.model.{LORA}.lora_B.weight": (4, 2),
    }
}


def write_model(folder: pathlib.Path, *, seed: int = 0) -> pathlib.Path:
    """A model in Hugging Face's layout; the seed decides the numbers."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    weight_map = {tensor: file for file, shapes in SHARDS.items() for tensor in shapes}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    for file, shapes in SHARDS.items():
        write_weights(folder / file, shapes, seed)
    return folder


def write_version(folder: pathlib.Path, *, seed: int = 1, **training: Any) -> pathlib.Path:
    """A model with a manifest. training: what its table says."""
    write_model(folder, seed=seed)
    write_manifest(folder, **training)
    return folder


def write_adapter(folder: pathlib.Path, *, seed: int = 1, **training: Any) -> pathlib.Path:
    """An adapter with a manifest."""
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps({"r": 2}))
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    for file, shapes in ADAPTER.items():
        write_weights(folder / file, shapes, seed)
    write_manifest(folder, **training)
    return folder


def write_weights(path: pathlib.Path, shapes: Shapes, seed: int) -> None:
    """BF16 tensors of small finite numbers."""
    header: dict[str, Any] = {}
    content = b""
    for name, shape in shapes.items():
        size = 2
        for length in shape:
            size *= length
        # 0x3F.. and 0x3E.. as upper bytes: numbers between 0.1 and 2.
        numbers = hashlib.shake_256(f"{name} {seed}".encode()).digest(size // 2)
        data = b"".join(bytes((low, 0x3E + low % 2)) for low in numbers)
        header[name] = {
            "dtype": "BF16",
            "shape": list(shape),
            "data_offsets": [len(content), len(content) + size],
        }
        content += data
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content)


def write_manifest(folder: pathlib.Path, **training: Any) -> None:
    """What a trainer says of the files as they are."""
    files = {
        path.name: {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bytes": path.stat().st_size,
        }
        for path in sorted(folder.iterdir())
        if path.name != "manifest.json"
    }
    tensors = {}
    for path in sorted(folder.glob("*.safetensors")):
        (length,) = struct.unpack("<Q", path.read_bytes()[:8])
        for name, entry in json.loads(path.read_bytes()[8 : 8 + length]).items():
            if name == "__metadata__":
                continue
            tensors[name] = {"dtype": entry["dtype"], "shape": entry["shape"], "file": path.name}
    manifest = {
        "schema": 1,
        "name": folder.name,
        "source": "codeloop train",
        "family": "generic",
        "created": "2026-01-01T00:00:00+00:00",
        "tokenizer_sha256": files["tokenizer.json"]["sha256"]
        if "tokenizer.json" in files
        else None,
        "files": files,
        "tensors": tensors,
        "training": {"run": "run-1", "base": "tiny", **training},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))


def edit_manifest(folder: pathlib.Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Change what the manifest says and nothing else."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    edit(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
