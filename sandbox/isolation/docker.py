"""Isolation in a hardened container that is opened once a worker, with Docker or what speaks its API.

The container has no network, a read-only root, five capabilities that its zygote alone uses, and
this machine's own /usr read-only inside, so that no registry is needed. Programs are forks of its
zygote as another user, behind the same filter as everywhere, one after the other; what they leave
in the shared /tmp is removed in between. With `docker_runtime = "runsc"` gVisor stands in between,
if Docker knows it.
"""

import contextlib
import io
import itertools
import logging
import os
import platform
import shutil
import socket
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sandbox.cgroup import counters_of
from sandbox.errors import IsolationUnavailable
from sandbox.isolation.interpreter import Interpreter, find_interpreter
from sandbox.isolation.link import ENVIRONMENT, PACKAGES, zygote_command
from sandbox.isolation.warm_worker import START_SECONDS, WarmWorker, WorkerConfig
from sandbox.program import MIB
from sandbox.settings import SandboxSettings
from sandbox.toolchain import language_folders
from sandbox.worker.zygote import INSIDE_UID

log = logging.getLogger(__name__)

IMAGE = "codeloop-sandbox:root-2"
LABEL = "codeloop.sandbox"
_API_VERSION = "1.41"
"""Of Docker 20.10; later ones, and what else speaks it, understand it too."""

_SOCKETS = "/run/codeloop"
_PACKAGES = "/opt/codeloop"
"""Where our packages are inside: wherever they lie outside, it is not in a folder that is emptied."""

_ROOT_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_SHOWN_FILES = ("/etc/alternatives", "/etc/ld.so.cache")
_MEMORY_BYTES = 4096 * MIB
"""Where the container's control group cannot be written, all of its programs' memory together."""

_ZYGOTE_BYTES = 48 * MIB
"""The container's own: its zygote, and what of its files and dead processes is not yet given back."""

_WORK_BYTES = 512 * MIB
_WORK_FILES = 20_000
_PROCESSES = 1024
_CAPABILITIES = ["SETUID", "SETGID", "KILL", "DAC_OVERRIDE", "FOWNER"]
_numbers = itertools.count()


class DockerIsolation:
    """Opens workers in containers."""

    name = "docker"

    def __init__(self, settings: SandboxSettings) -> None:
        """Raises IsolationUnavailable when Docker does not answer."""
        self.interpreter = find_interpreter(settings)
        self._settings = settings
        self._client = _connect(settings.docker_url)
        self.description = ""
        _remove_orphans(self._client)
        self._image = settings.docker_image or _own_image(self._client)

    def open_worker(self) -> WarmWorker:
        """A worker in a container of its own. Raises IsolationUnavailable."""
        config = WorkerConfig(
            namespaces=False,
            user_namespace=False,
            many_users=False,
            inside_uid=INSIDE_UID,
            filter=True,
            is_counted=True,
            folders=(),
            python_path=self.interpreter.python_path,
            preload=self.interpreter.preload,
            work="/tmp/work",  # the container's own
            clean=("/tmp", "/dev/shm", "/dev/mqueue"),
            connect=_SOCKETS,
        )
        link = ContainerLink(self._client, self._image, self.interpreter, config, self._settings)
        counters = counters_of(link.process_id)
        if counters is not None:
            counters.others_bytes = _ZYGOTE_BYTES
        runtime = self._settings.docker_runtime or "default runtime"
        held = counters.name if counters else f"rlimits and {_MEMORY_BYTES // MIB} MiB for all"
        self.description = f"docker({runtime}, no network, read-only, seccomp, {held}, own user)"
        return WarmWorker(link, config, counters, self.description)

    def close(self) -> None:
        """Let go of Docker."""
        self._client.close()


class ContainerLink:
    """A zygote that is the init of a container. Raises IsolationUnavailable when it does not start."""

    def __init__(
        self,
        client: Any,
        image: str,
        interpreter: Interpreter,
        config: WorkerConfig,
        settings: SandboxSettings,
    ) -> None:
        self._container: Any = None
        self._folder = Path(tempfile.mkdtemp(prefix="codeloop-docker-"))
        listeners = [_listen(self._folder / str(number)) for number in range(2)]
        try:
            self._container = _start(
                client,
                image,
                zygote_command(interpreter.command, asdict(config), _PACKAGES),
                _shown(interpreter, settings) | {str(self._folder): _SOCKETS},
                settings.docker_runtime,
            )
            self.jobs, self.control = (_accept(listener, self) for listener in listeners)
            self.process_id = int(client.api.inspect_container(self._container.id)["State"]["Pid"])
        except BaseException:
            self._remove()
            raise
        finally:
            for listener in listeners:
                listener.close()

    def last_words(self) -> str:
        """The last line of the container's log."""
        lines = self._container.logs(tail=1).decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def close(self) -> None:
        """Remove the container, whatever it does."""
        self.jobs.close()
        self.control.close()
        self._remove()

    def _remove(self) -> None:
        # Killing a client does not stop a container, so it is done by name.
        if self._container is not None:
            with contextlib.suppress(Exception):  # gone already, or the daemon is
                self._container.remove(force=True)
        shutil.rmtree(self._folder, ignore_errors=True)


def _connect(url: str) -> Any:
    import docker

    client: Any = None
    try:
        # With its version given, a client that reaches nothing can be closed.
        options = {"version": _API_VERSION, "timeout": 60}
        client = docker.DockerClient(url, **options) if url else docker.from_env(**options)
        client.ping()
    except (docker.errors.DockerException, OSError) as error:
        if client is not None:
            client.close()
        raise IsolationUnavailable(
            f"Docker does not answer at {url or os.environ.get('DOCKER_HOST', 'its usual socket')}"
            f" ({str(error)[:200]}): start it, name its socket in sandbox.docker_url, or become a"
            " member of its group"
        ) from error
    return client


def _own_image(client: Any) -> str:
    """An image with nothing but folders; what programs need is shown in it when it is started."""
    import docker

    try:
        client.images.get(IMAGE)
    except docker.errors.ImageNotFound:
        name, _, tag = IMAGE.partition(":")
        client.api.import_image_from_data(_empty_root(), repository=name, tag=tag)
    return IMAGE


def _empty_root() -> bytes:
    """A tar of folders, and of this machine's links into /usr."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name in ("usr", "etc", "tmp", "proc", "dev", "sys", "run/codeloop"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            archive.addfile(entry)
        for name in _ROOT_LINKS:
            path = Path("/", name)
            if path.is_symlink():
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname = tarfile.SYMTYPE, str(path.readlink())
                archive.addfile(entry)
        for name, text in (
            ("etc/passwd", "root:x:0:0::/:/bin/sh\nprogram:x:1000:1000::/tmp/work:/bin/sh\n"),
            ("etc/group", "root:x:0:\nprogram:x:1000:\n"),
        ):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    return content.getvalue()


def _shown(interpreter: Interpreter, settings: SandboxSettings) -> dict[str, str]:
    """Folder of this machine → where it is inside, all read-only."""
    real = [f"/{name}" for name in _ROOT_LINKS]
    folders = [
        "/usr",
        *(path for path in real if Path(path).is_dir() and not Path(path).is_symlink()),
    ]
    java = [str(path) for path in Path("/etc").glob("java*")]
    folders += [path for path in (*_SHOWN_FILES, *java) if Path(path).exists()]
    folders += [
        *interpreter.folders,
        *settings.folders,
        *language_folders(),
    ]
    own = {str(PACKAGES / "sandbox"): f"{_PACKAGES}/sandbox"}
    return {folder: folder for folder in folders} | own


def _start(
    client: Any, image: str, command: list[str], shown: Mapping[str, str], runtime: str
) -> Any:
    import docker

    try:
        return client.containers.run(
            image,
            command,
            name=f"codeloop-sandbox-{os.getpid()}-{next(_numbers)}",
            labels={LABEL: f"{os.getpid()}@{platform.node()}"},
            detach=True,
            environment=ENVIRONMENT,
            user="0:0",
            network_mode="none",
            ipc_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            cap_add=_CAPABILITIES,
            security_opt=["no-new-privileges"],
            pids_limit=_PROCESSES,
            mem_limit=_MEMORY_BYTES,
            memswap_limit=_MEMORY_BYTES,
            tmpfs={
                "/tmp": f"size={_WORK_BYTES},nr_inodes={_WORK_FILES},mode=1777,exec",
                "/dev/shm": "size=64m,nr_inodes=1000,mode=1777",
            },
            volumes={
                outside: {"bind": inside, "mode": "ro" if inside != _SOCKETS else "rw"}
                for outside, inside in shown.items()
            },
            **({"runtime": runtime} if runtime else {}),
        )
    except (docker.errors.DockerException, OSError) as error:
        raise IsolationUnavailable(
            f"Docker does not start a container: {str(error)[:300]}"
        ) from error


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(path))
    listener.listen(1)
    listener.settimeout(START_SECONDS)
    return listener


def _accept(listener: socket.socket, link: ContainerLink) -> socket.socket:
    try:
        found, _ = listener.accept()
    except TimeoutError as error:
        raise IsolationUnavailable(f"a container did not start: {link.last_words()}") from error
    found.settimeout(None)
    return found


def _remove_orphans(client: Any) -> None:
    """Remove containers of hosts on this machine that were killed."""
    for container in client.containers.list(all=True, filters={"label": LABEL}):
        process, _, node = container.labels[LABEL].partition("@")
        if node == platform.node() and not Path("/proc", process).exists():
            log.warning("removing the container %s of a host that is gone", container.name)
            with contextlib.suppress(Exception):
                container.remove(force=True)
