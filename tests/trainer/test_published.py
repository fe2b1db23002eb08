"""A version folder is whole, verified and read by others, or not there at all."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import safetensors
import torch
from torch import Tensor

from server.errors import ModelCorrupt
from server.model_manifest import read_manifest, verify
from trainer.errors import ModelUnfit, SaveFailed
from trainer.published import Lineage, remove_unfinished, write_version
from trainer.weight_writer import TensorPlan

TENSORS = {"a.weight": torch.arange(6.0).view(2, 3), "b.weight": torch.full((4,), 0.1)}


def write(folder: Path, base: Path, shard_bytes: int = 10**9, **tensors: Tensor) -> None:
    given = tensors or TENSORS
    write_version(
        folder,
        plans=[
            TensorPlan(name=name, dtype=torch.bfloat16, shape=tuple(one.shape))
            for name, one in TENSORS.items()
        ],
        tensors=iter(given.values()),
        lineage=Lineage(
            base=base, run="trial", recipe_sha256="ab", dataset_sha256s={"short": "cd"}
        ),
        training={"version": 3, "parent": 2, "step": 12, "summary": {"reward": 0.4}},
        shard_bytes=shard_bytes,
    )


@contextmanager
def small_disk() -> Iterator[None]:
    """No file may grow past 16 bytes: writing more fails as on a full disk.

    No fixture: between a fixture and its test pytest writes its own output, which may be a file.
    """
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize(("shard_bytes", "num_files"), [(10**9, 1), (8, 2)])
def test_a_version_is_read_by_the_library_and_verified_by_the_server(
    shard_bytes: int, num_files: int, tiny_folder: Path, tmp_path: Path
) -> None:
    write(tmp_path / "000003", tiny_folder, shard_bytes)
    verify(tmp_path / "000003")
    manifest = read_manifest(tmp_path / "000003")
    assert (manifest.name, manifest.family) == ("000003", "generic")
    files = sorted((tmp_path / "000003").glob("*.safetensors"))
    assert len(files) == num_files
    for name, expected in TENSORS.items():
        with safetensors.safe_open(tmp_path / "000003" / manifest.tensors[name].file, "pt") as file:
            assert torch.equal(file.get_tensor(name), expected.bfloat16())
    if num_files == 2:
        index = json.loads((tmp_path / "000003" / "model.safetensors.index.json").read_text())
        assert index["weight_map"]["b.weight"] == "model-00002-of-00002.safetensors"
    training = json.loads((tmp_path / "000003" / "manifest.json").read_text())["training"]
    assert training == {
        "run": "trial", "base": "tiny", "recipe_sha256": "ab", "dataset_sha256s": {"short": "cd"}, "version": 3, "parent": 2, "step": 12,
        "summary": {"reward": 0.4},
    }  # fmt: skip
    assert (tmp_path / "000003" / "tokenizer.json").read_text() == "{}"


def test_a_byte_changed_later_is_noticed(tiny_folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "v", tiny_folder)
    path = tmp_path / "v" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(ModelCorrupt):
        verify(tmp_path / "v")


def test_a_disk_that_is_full_leaves_nothing_behind(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SaveFailed, match="could not be written"), small_disk():
        write(tmp_path / "v", tiny_folder)
    assert list(tmp_path.iterdir()) == []


def test_a_version_never_changes(tiny_folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "v", tiny_folder)
    before = (tmp_path / "v" / "manifest.json").read_bytes()
    with pytest.raises(SaveFailed, match="there already"):
        write(tmp_path / "v", tiny_folder)
    assert (tmp_path / "v" / "manifest.json").read_bytes() == before


def test_a_tensor_of_another_shape_than_announced_is_refused(
    tiny_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelUnfit, match=r"a\.weight has shape \(3,\)"):
        write(tmp_path / "v", tiny_folder, a=torch.zeros(3), b=torch.zeros(4))
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_cleared_away(tiny_folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "v", tiny_folder)
    (tmp_path / ".w.unfinished-12345678").mkdir()
    remove_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["v"]
