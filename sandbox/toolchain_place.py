"""Languages on this machine: which version is here, and how to get what is not."""

import os
import shutil
import subprocess
from collections.abc import Sequence

from sandbox.errors import SandboxError
from sandbox.executable import find_executable
from sandbox.toolchain import Toolchain, choose_again, located, remedy, toolchain

__all__ = ["install", "located", "remedy", "version_of"]

_VERSION_SECONDS = 30


def version_of(chain: Toolchain) -> str:
    """The first line of what it says about itself; empty when it says nothing."""
    place = find_executable(chain.version[0]) or chain.version[0]
    try:
        said = subprocess.run(
            [place, *chain.version[1:]],
            capture_output=True, text=True, errors="replace", timeout=_VERSION_SECONDS, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (said.stdout + said.stderr).strip().splitlines()
    return lines[0] if lines else ""


def install(names: Sequence[str]) -> None:
    """Install the Debian packages of languages. Raises SandboxError with what went wrong."""
    chains = [toolchain(name) for name in names]
    for chain in chains:
        if not chain.packages:
            raise SandboxError(f"language {chain.name!r} has no Debian package: {chain.how}")
    packages = sorted({package for chain in chains for package in chain.packages})
    if shutil.which("apt-get") is None:
        raise SandboxError(
            f"apt-get is not here: install {' '.join(packages)} in this system's way"
        )
    if os.getuid() != 0:
        raise SandboxError(
            f"packages are installed by root: sudo apt-get install {' '.join(packages)}"
        )
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "--quiet"],
        ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages],
    ):
        if subprocess.run(command, env=environment, check=False).returncode != 0:
            raise SandboxError(f"`{' '.join(command)}` failed: see its messages above")
    choose_again()
