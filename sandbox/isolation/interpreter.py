"""The interpreter that runs Python programs: which one, what it can import, and what it needs to see."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass

from sandbox.errors import IsolationUnavailable
from sandbox.settings import SandboxSettings

SYSTEM_PYTHON = "/usr/bin/python3"
OPTIONS = ("-S", "-s", "-B", "-X", "utf8")
"""No site and no user folder: a program sees the standard library and what the settings add."""

_ASK = """
import importlib.util, json, os, sys
sys.path += json.loads(sys.argv[1])
found = [name for name in json.loads(sys.argv[2]) if importlib.util.find_spec(name)]
print(json.dumps([os.path.realpath(sys.executable), sys.base_prefix, sys.version_info[:2], found]))
"""
_OLDEST = (3, 9)


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """command: how it is started. folders: what it reads outside of /usr. preload: what it has of that."""

    command: tuple[str, ...]
    folders: tuple[str, ...]
    python_path: tuple[str, ...]
    preload: tuple[str, ...]
    missing: tuple[str, ...]


def find_interpreter(settings: SandboxSettings) -> Interpreter:
    """Ask the interpreter of the settings about itself. Raises IsolationUnavailable."""
    python = settings.python or (
        SYSTEM_PYTHON if os.access(SYSTEM_PYTHON, os.X_OK) else sys.executable
    )
    paths = tuple(os.path.realpath(os.path.expanduser(path)) for path in settings.python_path)  # noqa: PTH111  # realpath wants text
    for path in paths:
        if not os.path.isdir(path):  # noqa: PTH112
            raise IsolationUnavailable(
                f"sandbox.python_path names {path}: there is no such folder; correct or remove it"
            )
    command = [python, *OPTIONS, "-c", _ASK, json.dumps(paths), json.dumps(settings.preload)]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=True,
            env={"PATH": "/usr/bin:/bin"}, cwd="/",
        )  # fmt: skip
        path, prefix, version, found = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise IsolationUnavailable(
            f"sandbox.python is {python!r}, which does not run ({error}): name a Python interpreter"
        ) from error
    if tuple(version) < _OLDEST:
        raise IsolationUnavailable(
            f"sandbox.python is {python!r}, Python {version[0]}.{version[1]}: programs need at least"
            f" {_OLDEST[0]}.{_OLDEST[1]}"
        )
    outside = [] if prefix.startswith("/usr") else [prefix]
    # Through its real path: a shim of a version manager takes longer than most programs.
    return Interpreter(
        command=(path, *OPTIONS),
        folders=(*outside, *(path for path in paths if not path.startswith("/usr/"))),
        python_path=paths,
        preload=tuple(found),
        missing=tuple(name for name in settings.preload if name not in found),
    )
