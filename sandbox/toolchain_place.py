"""Where a language's compiler and interpreter are on this machine, and how to get them."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from sandbox.errors import SandboxError, ToolchainMissing
from sandbox.toolchain import Toolchain, toolchain

_SYSTEM = "/usr/local/bin:/usr/bin:/bin"
_RUSTUP_BINARIES = "toolchains/*/bin"


def located(chain: Toolchain) -> Mapping[str, str]:
    """Absolute path of each command that the language needs. Raises ToolchainMissing."""
    places = {name: find_executable(name) for name in chain.executables}
    missing = [name for name, place in places.items() if place is None]
    if missing:
        raise ToolchainMissing(
            f"language {chain.name!r} needs {', '.join(missing)}, which is not installed: {remedy(chain)}"
        )
    return {name: place for name, place in places.items() if place is not None}


def remedy(chain: Toolchain) -> str:
    """How to get a language."""
    if chain.packages:
        return (
            f"as root, `codeloop sandbox languages --install {chain.name}` (Debian:"
            f" {' '.join(chain.packages)})"
        )
    return chain.how


@cache
def find_executable(name: str) -> str | None:
    """A program of the system's, not one of a version manager: its shims cost more than most runs."""
    found = shutil.which(name, path=_SYSTEM)
    if found is not None:
        return found
    rustup = Path(os.environ.get("RUSTUP_HOME", "~/.rustup")).expanduser()
    real = sorted(rustup.glob(f"{_RUSTUP_BINARIES}/{name}"))
    return str(real[-1]) if real else None


def folders_needed() -> tuple[str, ...]:
    """Folders outside of /usr that compilers found here read, and programs therefore may."""
    rustc = find_executable("rustc")
    if rustc is None or rustc.startswith("/usr/"):
        return ()
    return (str(Path(rustc).parents[1]),)


def version_of(chain: Toolchain) -> str:
    """The first line of what it says about itself; empty when it says nothing."""
    place = find_executable(chain.version[0]) or chain.version[0]
    try:
        said = subprocess.run(
            [place, *chain.version[1:]],
            capture_output=True, text=True, errors="replace", timeout=30, check=False,
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
            raise SandboxError(f"language {chain.name!r} is not in Debian: {chain.how}")
    packages = sorted({package for chain in chains for package in chain.packages})
    if shutil.which("apt-get") is None:
        raise SandboxError(f"apt-get is not here: install {' '.join(packages)} in this system's way")
    if os.getuid() != 0:
        raise SandboxError(f"packages are installed by root: sudo apt-get install {' '.join(packages)}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "--quiet"],
        ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages],
    ):
        if subprocess.run(command, env=environment, check=False).returncode != 0:
            raise SandboxError(f"`{' '.join(command)}` failed: see its messages above")
    find_executable.cache_clear()
