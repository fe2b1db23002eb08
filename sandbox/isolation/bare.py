"""No isolation: resource limits only. For a machine that has nothing to lose; must be asked for by name.

A program runs as the user that started us, in a folder of its own, and can read whatever that user
can. What it leaves running is killed, unless it hides.
"""

import shutil
import tempfile
from dataclasses import asdict

from sandbox.cgroup import open_counters
from sandbox.isolation.interpreter import find_interpreter
from sandbox.isolation.link import ChildLink
from sandbox.isolation.warm_worker import WarmWorker, WorkerConfig
from sandbox.settings import SandboxSettings


class BareIsolation:
    """Opens workers that are held by limits only."""

    name = "bare"

    def __init__(self, settings: SandboxSettings) -> None:
        """Raises IsolationUnavailable when the interpreter cannot be used."""
        self.interpreter = find_interpreter(settings)
        self._folders: list[str] = []
        self.description = "bare(rlimits only)"

    def open_worker(self) -> WarmWorker:
        """A worker that is ready."""
        folder = tempfile.mkdtemp(prefix="codeloop-bare-")
        self._folders.append(folder)
        counters = open_counters()
        self.description = f"bare({counters.name if counters else 'rlimits only'})"
        config = WorkerConfig(
            namespaces=False,
            user_namespace=False,
            many_users=False,
            inside_uid=None,
            filter=False,
            is_counted=counters is not None,
            folders=(),
            python_path=self.interpreter.python_path,
            preload=self.interpreter.preload,
            work=f"{folder}/work",
            clean=(folder,),
        )
        link = ChildLink(
            self.interpreter.command, asdict(config), counters.join if counters else ()
        )
        return WarmWorker(link, config, counters, self.description)

    def close(self) -> None:
        """Remove the work folders."""
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)
        self._folders.clear()
