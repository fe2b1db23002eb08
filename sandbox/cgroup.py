"""Memory, processes and CPU time of all of a program's processes together, as the kernel counts them.

A worker has one control group for its life; its programs join it one after the other. Version 1 and
version 2 differ in files only; where neither can be used, `open_counters` returns None and each
process is held to rlimits while the host adds up what it sees in /proc.
"""

import contextlib
import itertools
import logging
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from sandbox.program import Limits

log = logging.getLogger(__name__)

PREFIX = "codeloop-"
REMOVE_SECONDS = 2.0
SETTLE_SECONDS = 0.3
_numbers = itertools.count()


class Counters(ABC):
    """One worker's control group. join: descriptors into which a process writes 0 to join."""

    name: str
    others_bytes = 0
    """Memory for processes in the group that are no program's."""

    def __init__(self, folders: Mapping[str, Path], *, is_ours: bool = True) -> None:
        """folders: the group's folder by controller. is_ours: made here, and removed at the end."""
        self._folders = folders
        self._is_ours = is_ours
        for folder in set(folders.values()) if is_ours else ():
            folder.mkdir()
        self._descriptors: dict[str, int] = {}
        self._values: dict[str, int] = {}
        self.join = tuple(
            os.open(folder / "cgroup.procs", os.O_WRONLY)
            for folder in dict.fromkeys(folders.values())
        )

    @abstractmethod
    def begin(self, limits: Limits, processes: int) -> None:
        """Hold whoever is in the group to these limits, and count anew."""

    @abstractmethod
    def cpu_seconds(self) -> float:
        """CPU time since the group was made."""

    @abstractmethod
    def peak_bytes(self) -> int | None:
        """Most memory since `begin`; None where the kernel cannot say."""

    @abstractmethod
    def num_killed(self) -> int:
        """Processes killed for lack of memory since the group was made."""

    def num_refused(self) -> int:
        """Processes refused at the limit since the group was made."""
        return _field(self._read("pids", "pids.events"), "max")

    def close(self) -> None:
        """Remove the group, once what was in it has ended."""
        for descriptor in (*self.join, *self._descriptors.values()):
            os.close(descriptor)
        for folder in dict.fromkeys(self._folders.values()) if self._is_ours else ():
            remove(folder)

    def _open(self, controller: str, name: str, flags: int = os.O_RDONLY) -> int:
        if name not in self._descriptors:
            self._descriptors[name] = os.open(self._folders[controller] / name, flags)
        return self._descriptors[name]

    def _read(self, controller: str, name: str) -> bytes:
        return os.pread(self._open(controller, name), 4096, 0)

    def _set(self, controller: str, name: str, value: int) -> None:
        """Write a value unless it is there already."""
        if self._values.get(name) != value:
            (self._folders[controller] / name).write_text(f"{value}\n")
            self._values[name] = value


class VersionOne(Counters):
    """cgroup v1: one hierarchy a controller."""

    name = "cgroup-v1"

    def begin(self, limits: Limits, processes: int) -> None:
        self._limit_memory(limits.memory_bytes + self.others_bytes)
        self._set("pids", "pids.max", processes)
        os.pwrite(self._open("memory", "memory.max_usage_in_bytes", os.O_RDWR), b"0", 0)
        self._settle(limits.memory_bytes // 2)
        # What is there now is the kernel's cache of files that earlier programs read.
        self._before_bytes = int(self._read("memory", "memory.usage_in_bytes"))

    def _settle(self, most_bytes: int) -> None:
        """Wait a moment until the kernel has given back what the last program held."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while int(self._read("memory", "memory.usage_in_bytes")) > most_bytes + self.others_bytes:
            if time.monotonic() > deadline:
                return
            time.sleep(0.005)

    def _limit_memory(self, limit_bytes: int) -> None:
        names = ["memory.limit_in_bytes"]
        if (self._folders["memory"] / "memory.memsw.limit_in_bytes").exists():
            names.append("memory.memsw.limit_in_bytes")
        # Memory may never be more than memory and swap together, on the way there neither.
        is_raised = limit_bytes > self._values.get(names[0], 1 << 62)
        for name in reversed(names) if is_raised else names:
            self._set("memory", name, limit_bytes)

    def cpu_seconds(self) -> float:
        return int(self._read("cpuacct", "cpuacct.usage")) / 1e9

    def peak_bytes(self) -> int | None:
        return max(0, int(self._read("memory", "memory.max_usage_in_bytes")) - self._before_bytes)

    def num_killed(self) -> int:
        return _field(self._read("memory", "memory.oom_control"), "oom_kill")


class VersionTwo(Counters):
    """cgroup v2: one hierarchy."""

    name = "cgroup-v2"

    def begin(self, limits: Limits, processes: int) -> None:
        self._set("memory", "memory.max", limits.memory_bytes + self.others_bytes)
        if (self._folders["memory"] / "memory.swap.max").exists():
            self._set("memory", "memory.swap.max", 0)
        self._set("pids", "pids.max", processes)
        with contextlib.suppress(OSError):  # before Linux 6.12 a peak cannot be counted anew
            os.pwrite(self._open("memory", "memory.peak", os.O_RDWR), b"0", 0)
            self._values["can reset"] = 1

    def cpu_seconds(self) -> float:
        return _field(self._read("cpu", "cpu.stat"), "usage_usec") / 1e6

    def peak_bytes(self) -> int | None:
        if not self._values.get("can reset"):
            return None
        return int(self._read("memory", "memory.peak"))

    def num_killed(self) -> int:
        return _field(self._read("memory", "memory.events"), "oom_kill")


def open_counters() -> Counters | None:
    """A new group, by the version that this host offers; None when it offers none to us."""
    for kind, parents in ((VersionOne, version_one_parents()), (VersionTwo, version_two_parent())):
        if parents is None:
            continue
        name = f"{PREFIX}{os.getpid()}-{next(_numbers)}"
        try:
            return kind({controller: parent / name for controller, parent in parents.items()})
        except OSError as error:
            log.debug("%s cannot be used: %s", kind.name, error)
    return None


def counters_of(process: int) -> Counters | None:
    """The group that a process is in, such as a container's; None when it cannot be written."""
    root = Path(f"/proc/{process}")
    parents = version_one_parents(root)
    if parents is not None:
        return VersionOne(parents, is_ours=False)
    mounts = [line.split() for line in (root / "mounts").read_text().splitlines()]
    places = [mount[1] for mount in mounts if mount[2] == "cgroup2"]
    folder = Path(places[0] if places else "/", _own_groups(root).get("", "/").lstrip("/"))
    if not places or not os.access(folder / "memory.max", os.W_OK):
        return None
    return VersionTwo(dict.fromkeys(("memory", "pids", "cpu"), folder), is_ours=False)


def version_one_parents(root: Path = Path("/proc/self")) -> Mapping[str, Path] | None:
    """Our own group of each controller that is needed; None unless all can be written."""
    mounted: dict[str, Path] = {}
    for line in (root / "mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup":
            mounted |= {option: Path(place) for option in options.split(",")}
    own = _own_groups(root)
    parents: dict[str, Path] = {}
    for controller in ("memory", "pids", "cpuacct"):
        if controller not in mounted:
            return None
        # In a container the path is the host's, and what is mounted is already our own group.
        inside = mounted[controller] / own.get(controller, "/").lstrip("/")
        parents[controller] = inside if inside.is_dir() else mounted[controller]
    if not all(os.access(parent, os.W_OK) for parent in parents.values()):
        return None
    sweep(set(parents.values()))
    return parents


def version_two_parent(root: Path = Path("/proc/self")) -> Mapping[str, Path] | None:
    """Our own group, prepared to have groups with controllers below it; None when it cannot be."""
    mounts = [line.split() for line in (root / "mounts").read_text().splitlines()]
    places = [Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"]
    if not places:
        return None
    inside = places[0] / _own_groups(root).get("", "/").lstrip("/")
    group = inside if inside.is_dir() else places[0]
    # The leaf that a former call moved us to is no place for groups.
    group = group.parent if group.name == f"{PREFIX}host" else group
    try:
        _delegate(group)
    except OSError as error:
        log.debug("%s has no controllers for us: %s", group, error)
        return None
    sweep({group})
    return dict.fromkeys(("memory", "pids", "cpu"), group)


def _delegate(group: Path) -> None:
    """Enable the controllers below a group. A group with groups below has no processes of its own."""
    wanted = {"memory", "pids", "cpu"}
    offered = set((group / "cgroup.controllers").read_text().split())
    if not wanted <= offered:
        raise OSError(f"it offers {', '.join(sorted(offered)) or 'none'}")
    control = group / "cgroup.subtree_control"
    if wanted <= set(control.read_text().split()):
        return
    if group.joinpath("cgroup.type").exists():  # only the root group may keep its processes
        leaf = group / f"{PREFIX}host"
        leaf.mkdir(exist_ok=True)
        for process in (group / "cgroup.procs").read_text().split():
            (leaf / "cgroup.procs").write_text(process)
    control.write_text(" ".join(f"+{controller}" for controller in sorted(wanted)))


def sweep(parents: set[Path]) -> None:
    """Remove the groups of hosts that were killed."""
    for parent in parents:
        for folder in parent.glob(f"{PREFIX}[0-9]*-[0-9]*"):
            process = folder.name.removeprefix(PREFIX).partition("-")[0]
            if not Path("/proc", process).exists():
                with contextlib.suppress(OSError):
                    folder.rmdir()


def remove(folder: Path) -> None:
    """Remove a group; the kernel may need a moment to see that what was in it has ended."""
    deadline = time.monotonic() + REMOVE_SECONDS
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > deadline:
                log.warning("the control group %s could not be removed", folder)
                return
            time.sleep(0.01)
        else:
            return


def _own_groups(root: Path) -> Mapping[str, str]:
    """Controller → path of our group; the controller of version 2 is the empty name."""
    lines = (root / "cgroup").read_text().splitlines()
    groups = (line.split(":", 2) for line in lines)
    return {name: path for _, names, path in groups for name in names.split(",")}


def _field(text: bytes, name: str) -> int:
    for line in text.decode().splitlines():
        found, _, value = line.partition(" ")
        if found == name:
            return int(value)
    return 0
