"""The real command, in a process and a home folder of its own."""

import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Mapping

import pytest

COMMAND = (sys.executable, "-c", "from deploy.cli import main; main()")
Codeloop = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def own_environment(tmp_path: pathlib.Path) -> Mapping[str, str]:
    """An environment in which codeloop finds nobody's settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CODELOOP_")}
    return kept | {"HOME": str(tmp_path), "COLUMNS": "100", "NO_COLOR": "1"}


@pytest.fixture
def codeloop(tmp_path: pathlib.Path, own_environment: Mapping[str, str]) -> Codeloop:
    """Run `codeloop ARGUMENTS` in an empty folder; keywords: stdin text, more environment."""

    def run(
        *arguments: str, stdin: str | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            cwd=tmp_path,
            env={**own_environment, **environment},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    return run
