"""The store: a model is there whole or not at all, and stays what it was."""

import fcntl
import json
import math
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from server.errors import ModelCorrupt, ModelError, ModelNotFound
from server.model_manifest import NAME, read_manifest
from server.model_names import NAMES
from server.model_store import PARTIAL_PREFIX, ModelStore


def copied(store: ModelStore, folder: Path, name: str = "mine") -> Path:
    return store.pull(name, copy_of=folder).path


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    """Where a real model is made once for several tests: that takes half a minute."""
    return ModelStore(tmp_path_factory.mktemp("store") / "models")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole model of no size, with a file that must not be taken along."""
    import struct

    model = tmp_path / "DeepCoder-checkpoint"
    model.mkdir()
    config = {
        "architectures": ["Qwen2ForCausalLM"],
        "vocab_size": 8,
        "max_position_embeddings": 131072,
    }
    (model / "config.json").write_text(json.dumps(config))
    tokens = [{"id": 1, "content": "<think>"}, {"id": 2, "content": "</think>"}]
    tokenizer = {"model": {"vocab": {"a": 0}}, "added_tokens": tokens}
    (model / "tokenizer.json").write_text(json.dumps(tokenizer))
    header = json.dumps({"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    weights = struct.pack("<Q", len(header)) + header + b"\0\0\0\0"
    (model / "model.safetensors").write_bytes(weights)
    (model / "optimizer.bin").write_bytes(b"pickle")
    return model


def test_a_copied_model_has_a_manifest_of_every_file_and_tensor(
    store: ModelStore, folder: Path
) -> None:
    path = copied(store, folder)
    manifest = read_manifest(path)
    assert set(manifest.files) == {"config.json", "tokenizer.json", "model.safetensors"}
    place = manifest.tensors["w"]
    assert (place.dtype, place.shape, place.file) == ("BF16", (2,), "model.safetensors")
    assert manifest.family == "deepcoder"  # known from the folder it was copied from
    assert manifest.source == str(folder)
    assert [model.name for model in store.list()] == ["mine"]
    assert store.resolve("mine", pull=False) == path


def test_the_same_weights_have_one_digest_under_any_name_and_others_another(
    store: ModelStore, folder: Path
) -> None:
    first, second = (read_manifest(copied(store, folder, name)).digest for name in ("one", "two"))
    assert first == second
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    assert read_manifest(copied(store, folder, "three")).digest != first


def test_a_second_pull_changes_nothing(store: ModelStore, folder: Path) -> None:
    before = (copied(store, folder) / NAME).read_text()
    assert (copied(store, folder) / NAME).read_text() == before


def test_one_changed_byte_is_found(store: ModelStore, folder: Path) -> None:
    path = copied(store, folder) / "model.safetensors"
    assert store.verify("mine").name == "mine"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelCorrupt, match=r"model\.safetensors has sha256"):
        store.verify("mine")


def test_what_was_interrupted_is_not_there_and_a_new_pull_makes_it_whole(
    store: ModelStore, folder: Path
) -> None:
    partial = store.root / f"{PARTIAL_PREFIX}mine"
    partial.mkdir(parents=True)
    (partial / "model.safetensors").write_bytes(b"half")
    assert store.list() == []
    with pytest.raises(ModelNotFound):
        store.get("mine")
    copied(store, folder)
    store.verify("mine")
    assert not partial.exists()


def test_a_removed_model_is_gone(store: ModelStore, folder: Path) -> None:
    copied(store, folder)
    store.remove("mine")
    assert store.list() == []
    with pytest.raises(ModelNotFound, match="no model 'mine'"):
        store.remove("mine")


def test_a_damaged_folder_is_not_taken_in(store: ModelStore, folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(ModelCorrupt):
        copied(store, folder)
    assert store.list() == []


def test_a_folder_is_served_where_it_is(store: ModelStore, folder: Path) -> None:
    assert store.resolve(str(folder), pull=False) == folder


@pytest.mark.parametrize("source", ["no-such-model", "../etc", "a b", "", "x/y/z"])
def test_a_name_that_means_nothing_lists_those_that_do(store: ModelStore, source: str) -> None:
    with pytest.raises(ModelNotFound) as refusal:
        store.resolve(source, pull=True)
    assert "deepcoder-14b" in str(refusal.value)


def test_a_known_model_that_is_not_here_says_how_to_get_it(store: ModelStore) -> None:
    for name in NAMES:
        with pytest.raises(ModelNotFound, match=f"codeloop models pull {name}"):
            store.resolve(name, pull=False)


def test_a_hub_that_cannot_be_reached_lists_the_ways_without_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "deploy", "--home", str(tmp_path), "models", "pull", "a/b"]
    environment = {**os.environ, "HF_ENDPOINT": f"http://127.0.0.1:{port}"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    for way in ("--from", "HF_ENDPOINT", "HTTPS_PROXY", "smollm2-135m"):
        assert way in done.stderr


def test_a_disk_without_room_is_named_with_what_is_needed(
    store: ModelStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.model_sources.SPARE_BYTES", 2**60)
    with pytest.raises(ModelError, match="make room"):
        copied(store, folder)
    assert store.list() == []


@pytest.mark.parametrize("source", ["/nowhere/mine", "./mine", "~/mine"])
def test_a_path_that_is_not_there_is_never_a_stored_model_of_its_last_name(
    store: ModelStore, folder: Path, source: str
) -> None:
    copied(store, folder)
    with pytest.raises(ModelNotFound, match="nor a folder"):
        store.resolve(source, pull=True)


def test_a_hub_id_is_never_another_model_of_the_same_last_name(
    store: ModelStore, folder: Path
) -> None:
    path = copied(store, folder, "smollm2-135m")
    manifest = read_manifest(path).model_copy(update={"source": "owner/smollm2-135m"})
    (path / NAME).write_text(manifest.model_dump_json(by_alias=True))
    assert store.resolve("owner/smollm2-135m", pull=False) == path
    for other in ("somebody-else/smollm2-135m", "smollm2-135m"):
        with pytest.raises(ModelError, match="models remove smollm2-135m"):
            store.resolve(other, pull=False)


def test_a_hub_id_with_a_short_name_is_stored_under_that_one(
    store: ModelStore, folder: Path
) -> None:
    path = copied(store, folder, "agentica-org/DeepCoder-14B-Preview")
    assert path.name == "deepcoder-14b"
    assert store.resolve("deepcoder-14b", pull=False) == path


def test_a_damaged_manifest_hides_no_other_model_and_can_be_removed(
    store: ModelStore, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copied(store, folder, "good")
    (copied(store, folder, "bad") / NAME).write_text('{"schema": 2}')
    assert [model.name for model in store.list()] == ["good"]
    assert "models remove bad" in caplog.text
    store.remove("bad")
    assert not (store.root / "bad").exists()


def test_a_file_added_to_a_stored_model_is_found(store: ModelStore, folder: Path) -> None:
    path = copied(store, folder)
    (path / "chat_template.jinja").write_text("{{ messages }}")
    with pytest.raises(ModelCorrupt, match=r"chat_template\.jinja is not in the manifest"):
        store.verify("mine")


def test_what_an_interrupted_download_left_can_be_removed(store: ModelStore) -> None:
    partial = store.root / f"{PARTIAL_PREFIX}deepcoder-14b"
    partial.mkdir(parents=True)
    store.remove("deepcoder-14b")
    assert not partial.exists()


def test_a_failed_pull_leaves_nothing_behind(store: ModelStore, folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(ModelCorrupt):
        copied(store, folder)
    assert not list(store.root.glob(f"{PARTIAL_PREFIX}*"))


def test_a_name_that_is_taken_is_not_quietly_another_folder(
    store: ModelStore, folder: Path
) -> None:
    copied(store, folder)
    with pytest.raises(ModelError, match="codeloop models remove mine"):
        copied(store, folder.rename(folder.with_name("newer")))


def test_forgotten_halves_are_cleared_away_but_none_that_is_at_work(
    store: ModelStore, folder: Path
) -> None:
    for name in ("old", "fresh", "busy"):
        half = store.root / f"{PARTIAL_PREFIX}{name}"
        half.mkdir(parents=True)
        (half / "model.safetensors").write_bytes(b"half")
        for path in (half / "model.safetensors", half):
            if name != "fresh":
                os.utime(path, (0, 0))
    with (store.root / ".lock-busy").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        copied(store, folder)
    left = sorted(path.name for path in store.root.glob(f"{PARTIAL_PREFIX}*"))
    assert left == [f"{PARTIAL_PREFIX}busy", f"{PARTIAL_PREFIX}fresh"]


def test_the_store_brings_no_heavy_library_into_the_gateway() -> None:
    code = "import sys, server.model_store, server.plan; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    heavy = {"torch", "transformers", "vllm", "huggingface_hub"}
    assert heavy.isdisjoint(done.stdout.split())


@pytest.mark.slow
def test_the_embedded_model_is_the_real_one_and_whole(filled: ModelStore) -> None:
    said: list[str] = []
    model = filled.pull("smollm2-135m", progress=said.append)
    tensors = read_manifest(filled.verify("smollm2-135m").path).tensors.values()
    # Tied embeddings: the count on the model's card is the count of what the file holds.
    assert sum(math.prod(tensor.shape) for tensor in tensors) == 134_515_008
    assert model.family == "smollm2"
    filled.pull("smollm2-135m", progress=said.append)
    assert said[-1] == "smollm2-135m is here already"


SAME_TOKENS = """
import pathlib, sys
from tokenizers import Tokenizer
from transformers import AutoTokenizer
text = pathlib.Path(sys.argv[2]).read_text() + "<think>12345</think>"
by_class = AutoTokenizer.from_pretrained(sys.argv[1])
by_file = Tokenizer.from_file(f"{sys.argv[1]}/tokenizer.json")
assert by_class.encode(text) == by_file.encode(text).ids
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["smollm2-135m", "tiny-64k"])
def test_a_made_tokenizer_cuts_code_as_its_file_says(filled: ModelStore, name: str) -> None:
    path = filled.pull(name).path
    command = [sys.executable, "-c", SAME_TOKENS, str(path), __file__]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
