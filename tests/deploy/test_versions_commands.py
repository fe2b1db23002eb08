"""`codeloop versions` takes versions in, tells what they are, and never removes what is needed."""

import json
import pathlib
from collections.abc import Callable
from subprocess import CompletedProcess
from typing import Any

import pytest

from server.store import Store
from server.version_catalog import VersionCatalog

Codeloop = Callable[..., CompletedProcess[str]]


@pytest.fixture
def versions(codeloop: Codeloop, tmp_path: pathlib.Path) -> Codeloop:
    """`codeloop versions ...` with a home of its own."""
    return lambda *arguments: codeloop("--home", str(tmp_path / "home"), "versions", *arguments)


@pytest.fixture
def one(published: Any, tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder that was published as tiny@12; the home."""
    home = tmp_path / "home"
    home.mkdir()
    store = Store(f"sqlite:///{home / 'codeloop.db'}")
    catalog = VersionCatalog(store, home / "versions")
    catalog.adopt_base("tiny", published.write_model(tmp_path / "base"), actor="test")
    catalog.publish("tiny", published.write_version(tmp_path / "12", step=12), actor="test")
    store.close()
    return home


def test_a_first_version_names_its_base_once_and_is_listed(
    versions: Codeloop, published: Any, tmp_path: pathlib.Path
) -> None:
    base = published.write_model(tmp_path / "base")
    folder = published.write_version(tmp_path / "1")
    refused = versions("publish", "tiny", str(folder))
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "'tiny'" in refused.stderr
    done = versions("publish", "tiny", str(folder), "--base", str(base))
    assert "tiny@1 is verified" in done.stdout, done.stderr
    listed = json.loads(versions("list", "--json").stdout)
    assert [(each["name"], each["state"]) for each in listed] == [
        ("tiny@0", "live"),
        ("tiny@1", "verified"),
    ]


def test_a_pinned_version_stays_until_it_is_unpinned(versions: Codeloop, one: pathlib.Path) -> None:
    assert versions("pin", "tiny@12", "--reason", "the paper's").returncode == 0
    shown = json.loads(versions("show", "tiny@12", "--json").stdout)
    assert (shown["step"], shown["is_pinned"]) == (12, True)
    assert shown["lineage"] == ["tiny@12", "tiny@0"]
    refused = versions("remove", "tiny@12")
    assert refused.returncode == 1
    assert "is pinned: unpin it first" in refused.stderr
    assert versions("unpin", "tiny@12").returncode == 0
    assert versions("remove", "tiny@12").returncode == 0
    history = versions("history", "tiny").stdout
    assert "the paper's" in history
    assert "removed" in history


def test_what_cannot_be_is_one_line_and_exit_code_1(
    versions: Codeloop, one: pathlib.Path, published: Any, tmp_path: pathlib.Path
) -> None:
    future = published.write_version(tmp_path / "13")
    published.edit_manifest(future, lambda manifest: manifest.update(schema=2))
    for arguments, message in (
        (("remove", "tiny@0"), "is the base model"),
        (("show", "tiny@99"), "no version '99' of tiny"),
        (("publish", "tiny", str(future)), "has schema 2: this codeloop reads schema 1"),
    ):
        refused = versions(*arguments)
        assert refused.returncode == 1, arguments
        assert message in refused.stderr
        assert refused.stderr.count("\n") == 1, refused.stderr
    assert versions("remove", "tiny").returncode == 2


def test_a_collection_tells_what_it_mended_removed_and_kept(
    versions: Codeloop, one: pathlib.Path, published: Any
) -> None:
    place = one / "versions" / "tiny"
    published.write_version(place / "13", seed=3)
    done = json.loads(versions("collect", "--keep", "1", "--json").stdout)
    assert len(done["mended"]) == 1
    assert done["removed"] == ["tiny@12"]
    assert set(done["kept"]) == {"tiny@0", "tiny@13"}
    assert not (place / "12").exists()


def test_a_changed_byte_fails_verification_and_rejects(
    versions: Codeloop, one: pathlib.Path
) -> None:
    config = one / "versions" / "tiny" / "12" / "config.json"
    config.write_text(config.read_text().replace("32768", "32769"))
    refused = versions("verify", "tiny@12")
    assert refused.returncode == 1
    assert "config.json has sha256" in refused.stderr
    assert "rejected" in versions("list").stdout
