"""Real servers over the real engine: started once a session, because each takes a minute."""

import json
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from deploy.launch import Launched, launch
from server.model_store import ModelStore

SETTINGS = """
[[server.models]]
name = "tiny-64k"
aliases = ["gpt-4o-mini"]
context_tokens = 8192
kv_cache_bytes = 1073741824
"""

REASONING_SETTINGS = """
[[server.models]]
name = "deepcoder-tiny"
source = "{folder}"
context_tokens = 4096
kv_cache_bytes = 268435456
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this folder starts the real engine."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def test_home() -> Path:
    """Where models stay between runs, so that each is made once on a machine."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    return cache / "codeloop" / "test-home"


@pytest.fixture(scope="session")
def tiny_folder(test_home: Path) -> Path:
    """The tiny random model."""
    return ModelStore(test_home / "models").resolve("tiny-64k", pull=True)


@pytest.fixture(scope="session", autouse=True)
def without_compiler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """As on a bare machine: a request that makes the engine compile something would end it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXX", "/nonexistent/c++")
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.mktemp("inductor")))
        yield


def start(home: Path, models: Path, settings: str) -> Iterator[Launched]:
    home.mkdir(parents=True)
    (home / "models").symlink_to(models)
    with launch(home, settings=settings) as server:
        yield server


@pytest.fixture(scope="session")
def server(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    """The tiny model with a window of 8192 tokens."""
    home = tmp_path_factory.mktemp("server") / "home"
    yield from start(home, tiny_folder.parent, SETTINGS)


@pytest.fixture(scope="module")
def reasoning_server(
    tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Launched]:
    """The tiny model under DeepCoder's name: its family turns the reasoning parser on."""
    folder = tmp_path_factory.mktemp("models") / "deepcoder-tiny"
    shutil.copytree(tiny_folder, folder)
    (folder / "manifest.json").unlink()  # it says where the weights really come from
    config = json.loads((folder / "config.json").read_text())
    config.pop("_name_or_path", None)
    (folder / "config.json").write_text(json.dumps(config))
    home = tmp_path_factory.mktemp("reasoning") / "home"
    yield from start(home, tiny_folder.parent, REASONING_SETTINGS.format(folder=folder))


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120)) as session:
        yield session
