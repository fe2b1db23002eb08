"""A folder that is not what its manifest, its base and its parent promise is never taken in."""

import itertools
import json
import pathlib
import random
import shutil
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from server.errors import VersionError, VersionNotFound, VersionRefused
from server.store import Store
from server.version_catalog import VersionCatalog
from server.version_states import State

Damage = Callable[[pathlib.Path], object]
Edit = Callable[[dict[str, Any]], object]
SHARD = "model-00002-of-00002.safetensors"
NOT_FINITE = {"nan": b"\xc0\x7f", "inf": b"\x80\x7f", "minus inf": b"\x80\xff"}


def flip(name: str, place: float) -> Damage:
    def damage(folder: pathlib.Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[int(place * len(content))] ^= 0x10
        (folder / name).write_bytes(content)

    return damage


def cut(name: str, num_bytes: int) -> Damage:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-num_bytes])


def overwrite(name: str, offset: int, content: bytes) -> Damage:
    """offset: from the end, before which it ends."""

    def damage(folder: pathlib.Path) -> None:
        whole = bytearray((folder / name).read_bytes())
        start = len(whole) - offset - len(content)
        whole[start : start + len(content)] = content
        (folder / name).write_bytes(whole)

    return damage


def delete(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def write(name: str, content: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(content)


def put(key: str, value: object) -> Edit:
    return lambda manifest: manifest.update({key: value})


def take(key: str) -> Edit:
    return lambda manifest: manifest.pop(key)


def in_manifest(published: Any, edit: Edit) -> Damage:
    return lambda folder: published.edit_manifest(folder, edit)


def in_header(name: str, edit: Edit) -> Damage:
    """Change what a weight file says of its tensors, and leave the numbers."""

    def damage(folder: pathlib.Path) -> None:
        content = (folder / name).read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        edit(header)
        text = json.dumps(header).encode()
        (folder / name).write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])

    return damage


def damages(published: Any) -> Iterator[tuple[str, Damage]]:
    """Name → damage of the files after which the manifest is what it was."""
    draw = random.Random(0)
    files = [*published.SHARDS, "config.json", "tokenizer.json", "model.safetensors.index.json"]
    for number in range(40):
        name = files[number % len(files)]
        yield f"flipped byte {number} of {name}", flip(name, draw.random())
    for name in [*files, "manifest.json"]:
        yield f"without {name}", delete(name)
        yield f"one byte less of {name}", cut(name, 1)
        yield f"nothing of {name}", write(name, b"")
    yield "a file more", write("special_tokens_map.json", b"{}")
    yield "a folder more", lambda folder: (folder / "more").mkdir()
    yield "a link", lambda folder: _link(folder / "tokenizer.json")


def untruths(published: Any) -> Iterator[tuple[str, Damage]]:
    """Name → a change of the manifest alone."""
    for schema in (0, 2, 99, "1", None, 1.5):
        yield f"schema {schema!r}", in_manifest(published, put("schema", schema))
    for key in ("files", "tensors", "tokenizer_sha256", "schema"):
        yield f"manifest without {key}", in_manifest(published, take(key))
    for name, edit in {
        "another tokenizer claimed": put("tokenizer_sha256", "0" * 64),
        "a file's hash forgotten": lambda manifest: manifest["files"]["config.json"].clear(),
        "a tensor's place changed": lambda manifest: manifest["tensors"].clear(),
        "no number in the summary": put("training", {"summary": {"reward": float("nan")}}),
        "a version that leaves the store": put("training", {"version": "../../x"}),
    }.items():
        yield name, in_manifest(published, edit)


def forgeries(published: Any) -> Iterator[tuple[str, Damage]]:
    """Name → damage whose manifest is written after it, and agrees."""
    for name, content in NOT_FINITE.items():
        for shard in published.SHARDS:
            for offset in (0, 4):
                yield f"{name} in {shard} {offset}", overwrite(shard, offset, content)
    yield "a shard less", delete(SHARD)
    yield "an index of nothing", write("model.safetensors.index.json", b'{"weight_map": {}}')
    yield "another tokenizer", flip("tokenizer.json", 0.9)
    yield "no tokenizer", delete("tokenizer.json")
    yield "a pickle", write("pytorch_model.bin", b"cos\nsystem\n.")
    yield "code", write("modeling.py", b"import os")
    norm, projection = "model.norm.weight", published.PROJECTION
    headers: Mapping[str, Edit] = {
        "another shape": lambda header: header[projection].update(shape=[2, 8]),
        "another type": lambda header: header[norm].update(dtype="F16"),
        "another name": lambda header: header.update({"model.norm.bias": header.pop(norm)}),
        "offsets past the end": lambda header: header[norm].update(data_offsets=[32, 400]),
    }
    for name, edit in headers.items():
        yield name, in_header(SHARD, edit)
    yield (
        "another vocabulary",
        lambda folder: (folder / "config.json").write_text(
            json.dumps(published.CONFIG | {"vocab_size": 1})
        ),
    )
    yield (
        "other embeddings",
        lambda folder: (folder / "config.json").write_text(
            json.dumps(published.CONFIG | {"tie_word_embeddings": False})
        ),
    )


def adapter_forgeries(published: Any) -> Iterator[tuple[str, Damage]]:
    """The same of adapters."""
    weights = "adapter_model.safetensors"
    (side_a, side_b) = published.ADAPTER[weights]
    for name, content in NOT_FINITE.items():
        yield f"{name} in an adapter", overwrite(weights, 0, content)
    yield (
        "a matrix that is not there",
        in_header(
            weights,
            lambda header: header.update({side_a.replace("q_proj", "x"): header.pop(side_a)}),
        ),
    )
    yield "another width", in_header(weights, lambda h: h[side_b].update(shape=[2, 4]))
    yield "rank 0", lambda folder: (folder / "adapter_config.json").write_text('{"r": 0}')
    yield "an adapter without weights", lambda folder: (folder / weights).unlink()
    yield "an adapter's other tokenizer", flip("tokenizer.json", 0.9)


@pytest.fixture
def catalog(tmp_path: pathlib.Path, published: Any) -> Iterator[VersionCatalog]:
    store = Store(f"sqlite:///{tmp_path / 'codeloop.db'}")
    catalog = VersionCatalog(store, tmp_path / "versions")
    catalog.adopt_base("m", published.write_model(tmp_path / "base"), actor="test")
    catalog.publish("m", published.write_version(tmp_path / "good"), actor="test")
    yield catalog
    store.close()


def test_of_a_hundred_and_more_damaged_folders_none_is_accepted(
    catalog: VersionCatalog, published: Any, tmp_path: pathlib.Path
) -> None:
    plain = itertools.chain(damages(published), untruths(published))
    cases = [(name, published.write_version, damage, False) for name, damage in plain]
    cases += [
        (name, published.write_version, damage, True) for name, damage in forgeries(published)
    ]
    cases += [
        (name, published.write_adapter, damage, True)
        for name, damage in adapter_forgeries(published)
    ]
    assert len(cases) >= 100
    before, there = catalog.versions(), _listing(tmp_path / "versions")
    for number, (name, publish, damage, is_forged) in enumerate(cases):
        folder = publish(tmp_path / f"bad-{number}", seed=number)
        damage(folder)
        if is_forged:
            published.write_manifest(folder)
        with pytest.raises(VersionRefused) as refused:
            catalog.publish("m", folder, actor="test", move=number % 2 == 0)
        assert str(folder) in str(refused.value), name
        assert folder.is_dir()
        assert (catalog.versions(), _listing(tmp_path / "versions")) == (before, there), name


async def test_of_a_hundred_put_past_the_gate_none_is_served(site: Any, published: Any) -> None:
    """Damaged where they lie, forged with a manifest that agrees, or with another trainer's log-probs."""
    here = site()
    pids = here.server.engine_pids()
    cases: list[tuple[str, Damage | None, bool]] = [(*each, False) for each in damages(published)]
    cases += [(*each, True) for each in forgeries(published)]
    cases += [("gone", shutil.rmtree, False)] * 10
    cases += [("other log-probs", None, False)] * (100 - len(cases))
    random.Random(1).shuffle(cases)
    # The scripted engine gives every token -0.5.
    probe = {"prompt_ids": [1, 2], "answer_ids": [3, 4], "log_probs": [-3.0] * 2}
    for number, (name, damage, is_forged) in enumerate(cases):
        version = f"v{number}"
        more: dict[str, Any] = {} if damage else {"summary": {"probes": [probe]}}
        folder = here.publish(version, **more)
        if damage:
            damage(folder)
        if is_forged:
            published.write_manifest(folder)
        way = ("in_place", "blue_green")[number % 2]
        status, answer = await here.promote(version, way=way)
        assert status in (404, 422), (name, answer)
        assert here.state_of(version) in (State.REJECTED, State.GATED), name
        assert await here.ask() == "scripted@0", name
    assert len(cases) == 100
    assert here.server.engine_pids() == pids


@pytest.mark.parametrize(("is_forged", "told"), [(False, "sha256"), (True, "has digest")])
def test_a_damaged_version_is_rejected_when_it_is_verified_again(
    catalog: VersionCatalog, published: Any, is_forged: bool, told: str
) -> None:
    good = catalog.get("m", "good")
    assert catalog.verify("m", "good", actor="test").state is State.VERIFIED
    flip(SHARD, 0.99)(good.folder)
    if is_forged:
        published.write_manifest(good.folder)
    with pytest.raises(VersionRefused, match=told):
        catalog.verify("m", "good", actor="test")
    assert catalog.get("m", "good").state is State.REJECTED
    assert told in catalog.history("m", "good")[-1].reason


def test_a_base_that_is_not_there_rejects_nothing(
    catalog: VersionCatalog, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "base").rename(tmp_path / "elsewhere")
    with pytest.raises(VersionError, match="the base model m@0, is not there"):
        catalog.verify("m", "good", actor="test")
    assert catalog.get("m", "good").state is State.VERIFIED
    assert len(catalog.reconcile()) == 1
    (tmp_path / "elsewhere").rename(tmp_path / "base")
    assert catalog.reconcile() == []


def test_a_full_disk_is_told_and_nothing_is_left(
    catalog: VersionCatalog, published: Any, tmp_path: pathlib.Path
) -> None:
    before, there = catalog.versions(), _listing(tmp_path / "versions")
    folder = published.write_version(tmp_path / "huge")
    # A hole: more than any disk has, and no byte on this one.
    with (folder / "notes.txt").open("wb") as file:
        file.truncate(shutil.disk_usage(tmp_path).total * 2)
    published.edit_manifest(
        folder,
        lambda manifest: manifest["files"].update(
            {"notes.txt": {"sha256": "0" * 64, "bytes": (folder / "notes.txt").stat().st_size}}
        ),
    )
    with pytest.raises(VersionError, match="are free; make room"):
        catalog.publish("m", folder, actor="test")
    assert (catalog.versions(), _listing(tmp_path / "versions")) == (before, there)


def test_a_version_of_a_model_without_a_base_is_refused(
    catalog: VersionCatalog, published: Any, tmp_path: pathlib.Path
) -> None:
    folder = published.write_version(tmp_path / "first")
    with pytest.raises(VersionNotFound, match="has no base model in the catalog"):
        catalog.publish("other", folder, actor="test")
    with pytest.raises(VersionError, match="cannot name a model"):
        catalog.publish("../m", folder, actor="test")
    with pytest.raises(VersionRefused, match="would be version"):
        catalog.publish("m", folder, version="../x", actor="test")
    with pytest.raises(VersionRefused, match="is not the base of m"):
        catalog.adopt_base("m", published.write_model(tmp_path / "b", seed=7), actor="test")


def _link(path: pathlib.Path) -> None:
    target = path.with_name("tokenizer.txt")
    shutil.copyfile(path, path.parent.parent / target.name)
    path.unlink()
    path.symlink_to(path.parent.parent / target.name)


def _listing(root: pathlib.Path) -> list[pathlib.Path]:
    return sorted(root.rglob("*"))
