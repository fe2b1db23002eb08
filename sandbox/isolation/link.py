"""How the host holds a zygote: two sockets, and the process that it is on this host."""

import contextlib
import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from sandbox.errors import IsolationUnavailable

PACKAGES = Path(__file__).parents[2]
_MAIN = PACKAGES / "sandbox" / "worker" / "main.py"
ENVIRONMENT = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
"""A fixed seed: the order of a set is the same in every run, and so is a verdict."""

_END_SECONDS = 2.0


def zygote_command(
    interpreter: Sequence[str], config: Mapping[str, Any], packages: str = str(PACKAGES)
) -> list[str]:
    """What starts a zygote. As text: a program sees the bottom frame, and no path of ours in it.

    packages: where the zygote finds our packages.
    """
    return [*interpreter, "-c", _MAIN.read_text(), packages, json.dumps(config)]


class Link(Protocol):
    """A started zygote. jobs, control: sockets to it. process_id: on this host, of it or its keeper."""

    jobs: socket.socket
    control: socket.socket

    @property
    def process_id(self) -> int:
        """On this host, of the zygote or of the process that keeps it."""

    def last_words(self) -> str:
        """The last line that it said, for an error."""

    def close(self) -> None:
        """End it and all that is below it."""


class ChildLink:
    """A zygote that is a child of ours."""

    def __init__(
        self, command: Sequence[str], config: Mapping[str, Any], inherited: Sequence[int] = ()
    ) -> None:
        """command: the interpreter and its options. inherited: descriptors that it gets as well.

        Raises IsolationUnavailable when the interpreter cannot be started.
        """
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the zygote
        self.jobs, jobs_inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control, control_inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with jobs_inside, control_inside:
            settings = {
                **config,
                "jobs_fd": jobs_inside.fileno(),
                "control_fd": control_inside.fileno(),
                "cgroup_fds": tuple(inherited),
            }
            try:
                self._process = subprocess.Popen(
                    zygote_command(command, settings),
                    env=ENVIRONMENT,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=self._log,
                    pass_fds=(jobs_inside.fileno(), control_inside.fileno(), *inherited),
                    cwd="/",
                    # A terminal's Ctrl-C is for the host, which ends its workers itself.
                    start_new_session=True,
                )
            except OSError as error:
                raise IsolationUnavailable(f"{command[0]} cannot be started: {error}") from error

    @property
    def process_id(self) -> int:
        return self._process.pid

    def last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1)
        os.lseek(self._log.fileno(), 0, os.SEEK_SET)
        lines = os.read(self._log.fileno(), 1 << 16).decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def close(self) -> None:
        self.jobs.close()
        self.control.close()
        try:
            self._process.wait(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
