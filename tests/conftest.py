"""Before any test: our import names are ours, and tests that this machine cannot run say so."""

import asyncio
import importlib.util
import inspect
import os
import pathlib
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

ROOT = pathlib.Path(__file__).resolve().parent.parent
REAL_ENGINE = ROOT / "tests" / "end_to_end"
PARTS = ("deploy", "evaluator", "sandbox", "server", "trainer")


def pytest_configure() -> None:
    """Refuse to run when one of our generic import names belongs to somebody else."""
    # Else litellm's import asks the network for prices, and again, and again.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    for part in PARTS:
        ours = ROOT / part / "__init__.py"
        spec = importlib.util.find_spec(part)
        if spec is None or spec.origin != str(ours):
            found = spec and spec.origin
            raise pytest.UsageError(f"import name {part!r} resolves to {found}, not to {ours}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The real engine's tests first, for they take longest; skip what needs a GPU where there is none."""
    items.sort(key=lambda item: REAL_ENGINE not in item.path.parents)
    if shutil.which("nvidia-smi") is not None:
        return
    for item in items:
        if item.get_closest_marker("gpu") is not None:
            item.add_marker(pytest.mark.skip(reason="no NVIDIA GPU here"))


class Together(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Which tests share a process where several run side by side: a file's, and all of the real engine."""

    def _split_scope(self, nodeid: str) -> str:
        file = ROOT / nodeid.partition("::")[0]
        return str(REAL_ENGINE if REAL_ENGINE in file.parents else file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """Instead of the one that `--dist` names."""
    return Together(config, log)


def _load(name: str) -> Any:
    """A module of this folder; the tests' folders are no packages."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A frozen dataclass looks its module up by name.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def litellm() -> Iterator[Any]:
    """The module, if it is here; what it holds open for its next calls is closed after the test."""
    module = pytest.importorskip("litellm")
    # It takes the thread's event loop even where nothing is awaited, and would make one of its own.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield module
    asyncio.set_event_loop(None)
    loop.close()
    kept = module.in_memory_llm_clients_cache
    for client in list(kept.cache_dict.values()):
        if not inspect.iscoroutinefunction(getattr(client, "close", None)):
            client.close()
    kept.flush_cache()


@pytest.fixture
def endpoint() -> Iterator[Any]:
    """An `Endpoint` of endpoint.py."""
    with _load("endpoint").Endpoint() as served:
        yield served


@pytest.fixture(scope="session")
def published() -> Any:
    """The module published.py: tiny models and versions as a trainer publishes them."""
    return _load("published")


@pytest.fixture(scope="session")
def promotion_site() -> Any:
    """The module promotion_site.py: a server whose versions are promoted."""
    return _load("promotion_site")
