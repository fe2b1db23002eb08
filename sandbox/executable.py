"""An executable of this machine: where it really is, and what must be visible for it to start."""

import os
import re
import shutil
from functools import cache
from pathlib import Path

SYSTEM_FOLDERS = ("/usr/local/bin", "/usr/bin", "/bin")
_SYSTEM_ROOTS = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
_SHIM_TARGETS = ("rustup", "volta-shim", "mise", "asdf")


def find_executable(name: str, folders: tuple[str, ...] = SYSTEM_FOLDERS) -> str | None:
    """Absolute path of a program; None when it is missing.

    A version manager's shim is not taken: it reads a home that programs must not see, and costs
    more than most runs. Behind rustup's shims the real binary is found, the stable one first.
    """
    try:
        return _find(name, folders)
    except (FileNotFoundError, PermissionError):  # the second: a home that is not ours
        return None


@cache
def _find(name: str, folders: tuple[str, ...]) -> str:
    # What is missing is raised, because only what is returned is cached: it may be installed later.
    for folder in folders:
        found = shutil.which(name, path=folder)
        if found is not None and not _is_shim(Path(found)):
            return found
    home = Path(os.environ.get("RUSTUP_HOME") or "~/.rustup").expanduser()
    real = [path for path in home.glob(f"toolchains/*/bin/{name}") if os.access(path, os.X_OK)]
    if not real:
        raise FileNotFoundError(name)
    return str(min(real, key=_channel_order))


def folders_needed(path: str) -> tuple[str, ...]:
    """What outside of the system's own folders must be visible for the executable at path.

    The whole of its installation, such as /opt/node-22, but never a home: then its own folder, or
    the file alone.
    """
    places = dict.fromkeys((Path(path), Path(path).resolve()))
    outside = [place for place in places if place.parts[1] not in _SYSTEM_ROOTS]
    return tuple(dict.fromkeys(str(_installation(place)) for place in outside))


def _is_shim(path: Path) -> bool:
    real = path.resolve()
    return "shims" in (*path.parts, *real.parts) or real.name in _SHIM_TARGETS


def _channel_order(path: Path) -> tuple[int, list[int]]:
    """Stable first, then the highest version that somebody pinned, then what changes every day."""
    channel = path.parents[1].name
    rank = (
        0 if channel.startswith("stable") else 2 if channel.startswith(("beta", "nightly")) else 1
    )
    return rank, [-int(number) for number in re.findall(r"\d+", channel)]


def _installation(path: Path) -> Path:
    folder = path.parent
    if folder.name == "bin" and not _holds_more(folder.parent):
        return folder.parent
    return path if _holds_more(folder) else folder


def _holds_more(folder: Path) -> bool:
    """Whether other things than one installation live there: /opt, /root, /home/anna, ~/.local."""
    is_home = folder == Path.home() or (folder.parts[1:2] == ("home",) and len(folder.parts) == 3)
    return len(folder.parts) <= 2 or is_home or folder.name == ".local"
