"""A damaged model folder is refused by name, before an engine is started on it."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from server.errors import ModelCorrupt, ModelNotFound
from server.model_folder import check_folder
from server.weight_files import INDEX

CONFIG = {
    "architectures": ["Qwen2ForCausalLM"],
    "vocab_size": 8,
    "max_position_embeddings": 4096,
    "hidden_size": 2,
}
TOKENIZER = {
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}},
    "added_tokens": [{"id": 7, "content": "<end>"}],
}


def safetensors(path: Path, name: str, values: int = 4) -> None:
    """One bfloat16 tensor of zeros."""
    entry = {"dtype": "BF16", "shape": [values], "data_offsets": [0, 2 * values]}
    header = json.dumps({"__metadata__": {"format": "pt"}, name: entry}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(2 * values))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole model of two shards, of no size at all."""
    model = tmp_path / "some-model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps(CONFIG))
    (model / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    (model / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    weight_map = {}
    for number in (1, 2):
        name = f"model-0000{number}-of-00002.safetensors"
        safetensors(model / name, f"tensor{number}")
        weight_map[f"tensor{number}"] = name
    (model / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    return model


def test_a_whole_folder_tells_what_it_holds(folder: Path) -> None:
    facts = check_folder(folder)
    assert (facts.family.name, facts.max_context_tokens, facts.vocab_size) == ("generic", 4096, 8)
    assert facts.has_chat_template
    assert facts.weights_bytes == 16


def rewrite(folder: Path, name: str, **changes: object) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def cut(folder: Path) -> None:
    shard = folder / "model-00002-of-00002.safetensors"
    shard.write_bytes(shard.read_bytes()[:-3])


def without(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).unlink()


def only_pickle(folder: Path) -> None:
    for path in folder.glob("*.safetensors*"):
        path.unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02")


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda f: (f / "config.json").unlink(), "has no config.json"),
    "config no JSON": (lambda f: (f / "config.json").write_text("{"), "cannot be read as JSON"),
    "config no object": (lambda f: (f / "config.json").write_text("[]"), "no JSON object"),
    "shard missing": (
        lambda f: (f / "model-00001-of-00002.safetensors").unlink(),
        "lacks 1 of its 2 weight files, model-00001-of-00002.safetensors",
    ),
    "shard cut short": (cut, "it was cut short"),
    "shard something else": (
        lambda f: (f / "model-00001-of-00002.safetensors").write_bytes(b"<html>not found</html>"),
        "is no safetensors file",
    ),
    "shard under another's name": (
        lambda f: (f / "model-00001-of-00002.safetensors").write_bytes(
            (f / "model-00002-of-00002.safetensors").read_bytes()
        ),
        "lacks 1 of the tensors that model.safetensors.index.json says it has, tensor1 first",
    ),
    "shard missing and no index": (
        lambda f: without(f, INDEX, "model-00001-of-00002.safetensors"),
        "lacks 1 of its 2 weight files, model-00001-of-00002.safetensors",
    ),
    "index points elsewhere": (
        lambda f: rewrite(f, INDEX, weight_map={"tensor1": "../other/model.safetensors"}),
        "tensor1 in '../other/model.safetensors'",
    ),
    "no weights": (
        lambda f: without(f, *(path.name for path in f.glob("*.safetensors*"))),
        "the weights are missing",
    ),
    "weights as pickle": (only_pickle, "only safetensors is served"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "copy the model's own tokenizer"),
    "another model's tokenizer": (
        lambda f: rewrite(f, "config.json", vocab_size=7),
        "token ids up to 7, but config.json has a vocab_size of 7",
    ),
    "another model's end token": (
        lambda f: rewrite(f, "config.json", eos_token_id=[7, 5]),
        "has no token 5, which config.json has as eos_token_id",
    ),
    "tokenizer without reasoning tokens": (
        lambda f: rewrite(f, "config.json", _name_or_path="agentica-org/DeepCoder-14B-Preview"),
        "has no token <think>",
    ),
    "tokenizer no tokenizer": (
        lambda f: (f / "tokenizer.json").write_text('{"model": null}'),
        "is no tokenizer",
    ),
    "no vocabulary size": (
        lambda f: rewrite(f, "config.json", vocab_size=None),
        "vocab_size is None",
    ),
    "no context length": (
        lambda f: rewrite(f, "config.json", max_position_embeddings="many"),
        "max_position_embeddings is 'many'",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_is_named(folder: Path, case: str) -> None:
    breaking, message = BROKEN[case]
    breaking(folder)
    with pytest.raises(ModelCorrupt) as refusal:
        check_folder(folder)
    assert message in str(refusal.value)


def test_a_file_is_no_model(folder: Path) -> None:
    with pytest.raises(ModelNotFound, match="is no folder"):
        check_folder(folder / "config.json")


def test_a_model_without_chat_template_is_known_to_have_none(folder: Path) -> None:
    rewrite(folder, "tokenizer_config.json", chat_template=None)
    assert not check_folder(folder).has_chat_template
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert check_folder(folder).has_chat_template


def test_the_older_tokenizer_format_is_left_to_the_engine(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.model").write_bytes(b"sentencepiece")
    assert check_folder(folder).family.name == "generic"
