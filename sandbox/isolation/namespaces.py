"""The default isolation: user, process, mount, network, IPC and host-name namespaces of our own.

Nothing is installed and no daemon is asked. Root gets a user namespace in which programs are another
user than what watches them; an ordinary user gets one with that user alone; root on a host without
user namespaces gets the other namespaces, and programs run as nobody. What this host gives of
memory, process and CPU control is used, and said in the description.
"""

import logging
import os
from dataclasses import asdict

from sandbox.cgroup import open_counters
from sandbox.errors import IsolationUnavailable
from sandbox.isolation.interpreter import find_interpreter
from sandbox.isolation.link import ChildLink
from sandbox.isolation.warm_worker import WarmWorker, WorkerConfig
from sandbox.settings import SandboxSettings
from sandbox.toolchain import language_folders
from sandbox.worker.kernel import MACHINE
from sandbox.worker.system_calls import allowed_numbers
from sandbox.worker.zygote import INSIDE_UID

log = logging.getLogger(__name__)

NOBODY = 65534
LACKING = (
    "this host gives no namespaces to us: {error}. As root inside a container, start it with a seccomp"
    " profile that allows unshare, setns, mount, umount2 and pivot_root, or with"
    " --security-opt seccomp=unconfined; as an ordinary user,"
    " allow user namespaces (sysctl kernel.unprivileged_userns_clone=1,"
    " kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces>0). Else use"
    " isolation = 'docker' or 'http'"
)


class NamespaceIsolation:
    """Opens workers in namespaces."""

    name = "namespaces"

    def __init__(self, settings: SandboxSettings) -> None:
        """Raises IsolationUnavailable when the interpreter cannot be used."""
        self.interpreter = find_interpreter(settings)
        if self.interpreter.missing:
            log.warning("not there to preload: %s", ", ".join(self.interpreter.missing))
        self._folders = tuple(
            dict.fromkeys((*self.interpreter.folders, *settings.folders, *language_folders()))
        )
        self.description = ""
        self._has_user_namespaces = True

    def open_worker(self) -> WarmWorker:
        """A worker that is ready. Raises IsolationUnavailable with what the host lacks."""
        if self._has_user_namespaces:
            try:
                return self._open(user_namespace=True)
            except IsolationUnavailable as error:
                if os.getuid() != 0:
                    raise IsolationUnavailable(LACKING.format(error=error)) from error
                first = error
        try:
            worker = self._open(user_namespace=False)
        except IsolationUnavailable as error:
            raise IsolationUnavailable(LACKING.format(error=error)) from error
        if self._has_user_namespaces:
            log.warning("no user namespaces here (%s): programs run as nobody", first)
            self._has_user_namespaces = False
        return worker

    def _open(self, *, user_namespace: bool) -> WarmWorker:
        is_root = os.getuid() == 0
        counters = open_counters()
        inside = INSIDE_UID if user_namespace else NOBODY
        config = WorkerConfig(
            namespaces=True,
            user_namespace=user_namespace,
            many_users=is_root and user_namespace,
            inside_uid=inside if is_root else None,
            filter=True,
            is_counted=counters is not None,
            folders=self._folders,
            python_path=self.interpreter.python_path,
            preload=self.interpreter.preload,
            work="",
        )
        namespaces = "user+pid+mount+net+ipc+uts" if user_namespace else "pid+mount+net+ipc+uts"
        layers = [
            namespaces,
            f"seccomp({len(allowed_numbers(MACHINE))} calls)",
            counters.name if counters else "rlimits only",
            "own user" if is_root else "one user",
        ]
        link = ChildLink(
            self.interpreter.command, asdict(config), counters.join if counters else ()
        )
        worker = WarmWorker(link, config, counters, "")
        if not worker.layers["proc"]:
            layers.append("no /proc")
        worker.description = self.description = f"{self.name}({', '.join(layers)})"
        return worker

    def close(self) -> None:
        """Nothing is kept beside the workers."""
