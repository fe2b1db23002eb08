"""Every hostile program, on every isolation that this machine has."""

import gc
import importlib.util
import itertools
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from sandbox.errors import IsolationUnavailable
from sandbox.isolation.docker import DockerIsolation
from sandbox.isolation.interpreter import SYSTEM_PYTHON
from sandbox.isolation.namespaces import NamespaceIsolation
from sandbox.settings import SandboxSettings

ROOT = Path(__file__).parents[2]
RUNNER = Path(__file__).with_name("attack.py")
SECRET = "SECRET-" + "EXPECTED: 42"
"""What no program may find, although we hold it in our memory while it runs."""

pytestmark = pytest.mark.timeout(600)


def load_runner() -> ModuleType:
    """attack.py; the tests' folders are no packages."""
    spec = importlib.util.spec_from_file_location("attack", RUNNER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["attack"] = module
    spec.loader.exec_module(module)
    return module


attack = load_runner()


def left_over() -> dict[str, set[str]]:
    """What a sandbox could leave on its host."""
    gc.collect()
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {
        "descriptors": {path.name for path in Path("/proc/self/fd").iterdir()},
        "children": set(children),
        "groups": {
            str(path) for path in Path("/sys/fs/cgroup").glob(f"*/**/codeloop-{os.getpid()}-*")
        },
    }


def test_there_is_an_attack_of_every_kind() -> None:
    names = [found.name for found in attack.attacks()]
    kinds = {name.partition("_")[0] for name in names}
    assert kinds == {"bomb", "escape", "secret", "persist", "signal", "cheat"}
    assert len(names) >= 60


def test_namespaces_hold_every_attack(settings: SandboxSettings) -> None:
    try:
        NamespaceIsolation(settings).open_worker().close()
    except IsolationUnavailable as error:
        pytest.skip(f"no namespaces here: {error}")
    secret = SECRET * 100
    before = left_over()
    wanted = settings.model_copy(update={"isolation": "namespaces"})
    assert attack.problems(wanted, attack.attacks()) == {}
    assert secret
    assert left_over() == before


@pytest.mark.slow
def test_namespaces_of_an_ordinary_user_hold_every_attack(tmp_path: Path) -> None:
    if os.getuid() != 0 or not os.access(SYSTEM_PYTHON, os.X_OK):
        pytest.skip("not root, or no system Python: there is no other user to become")
    # That user may not be allowed to read where we lie, however deep pytest puts that.
    for folder in itertools.takewhile(_is_private, (tmp_path, *tmp_path.parents)):
        folder.chmod(0o755)
    cache = tmp_path / "cache"
    shutil.copytree(ROOT / "sandbox", tmp_path / "sandbox")
    cache.mkdir(mode=0o777)
    cache.chmod(0o777)
    done = subprocess.run(
        [sys.executable, str(RUNNER), str(cache)],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    if "IsolationUnavailable" in done.stderr:
        pytest.skip(f"no namespaces for ordinary users here: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == {}


@pytest.mark.slow
def test_containers_hold_every_attack(settings: SandboxSettings, docker_url: str) -> None:
    wanted = settings.model_copy(update={"isolation": "docker", "docker_url": docker_url})
    try:
        DockerIsolation(wanted).open_worker().close()
    except IsolationUnavailable as error:
        pytest.skip(f"Docker starts no container here: {error}")
    found = attack.problems(wanted, attack.attacks())
    assert not [problem for problem in found.values() if "ESCAPED" in problem]
    # A container's memory is its zygote's and its programs' together: what a bomb held may still
    # be counted when the next program starts, and then that one is judged alone.
    again = [each for each in attack.attacks() if each.name in found]
    assert attack.problems(wanted, again) == {}


def _is_private(folder: Path) -> bool:
    return not folder.stat().st_mode & stat.S_IXOTH
