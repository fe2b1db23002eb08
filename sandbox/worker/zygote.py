"""The process inside the wall that programs are forked from.

It builds the wall, imports what programs usually import, and then keeps one fork waiting: the next
program, already in its work folder, without privileges and behind the filter. The host sends a job
to that fork over the socket `jobs`; the zygote never reads a job, so no program can find another
one's in the memory that it inherits. When the fork has ended, the zygote kills whatever it left
running, tells the host over the socket `control` how it ended, and forks the next.

On `control`, host to zygote: K<number> kill the job of that number; F<bytes> <files> a work folder
of that size for the next program, answered by A. Zygote to host: M map my user, R<layers> ready, and
one RESULT a job. On `jobs`, program to host: E<text> it could not be started, which is our fault; C its source
does not compile.
"""

import _socket
import gc
import itertools
import json
import os
import select
import signal
import stat
import struct
import sys
from typing import Any

from sandbox.worker import kernel, program, wall
from sandbox.worker.system_calls import system_call_filter

RESULT = struct.Struct("<QiIdQ")
"""Job number, wait status, processes left over, CPU seconds, peak memory of one process in bytes."""

INSIDE_UID = 1000
_MESSAGE_BYTES = 256


def live(config: "dict[str, Any]") -> program.Started:
    """Serve until the host goes away. Returns only in a program's own process, ready to run.

    config: the fields of the host's `WorkerConfig`.
    """
    jobs, control = _sockets(config)
    if config["namespaces"]:
        _enter_namespaces(config, control)
    elif os.getpid() != 1:
        kernel.adopt_orphans()
    layers = {"proc": _build(config), "user": os.getuid()}
    program.prepare_interpreter(config)
    call_filter = None
    if config["filter"]:
        call_filter = system_call_filter(memory_files=config["is_counted"])
    prepared = program.Prepared(config, call_filter)
    zygote = Zygote(config, control, jobs)
    _freeze()
    control.send(b"R" + json.dumps(layers).encode())
    while True:
        waiting = kernel.fork()
        if waiting == 0:
            return program.wait_for_job(jobs, prepared)
        if not zygote.supervise(waiting):
            os._exit(0)


class Zygote:
    """The zygote's own half after a fork: it watches."""

    def __init__(self, config: "dict[str, Any]", control: Any, jobs: Any) -> None:
        self._control = control
        self._jobs = jobs
        self._clean = config["clean"]
        self._is_init = os.getpid() == 1
        self._number = 0
        self._folder = None
        if config["namespaces"]:
            self._folder = wall.WorkFolder(config["work_bytes"], config["work_files"])
            self._folder.renew()

    def supervise(self, process: int) -> bool:
        """Wait for the end of a fork and tell how it was. Returns False when the host has gone."""
        asked, is_alone = self._wait(process)
        _, status, used = os.wait4(process, 0)
        num_left = self._reap()
        if self._folder is not None:
            self._folder.clear()
        for folder in self._clean:
            empty(folder)
        if asked:
            self._resize(asked)
            self._control.send(b"A")
        elif not is_alone:
            cpu_seconds = used.ru_utime + used.ru_stime
            peak_bytes = used.ru_maxrss * 1024
            self._control.send(RESULT.pack(self._number, status, num_left, cpu_seconds, peak_bytes))
            self._number += 1
        return not is_alone

    def _wait(self, process: int) -> "tuple[bytes, bool]":
        """Until the fork ends. Returns the work folder that it ended for, and if the host has gone."""
        handle = os.pidfd_open(process)
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        poll.register(self._control.fileno(), select.POLLIN)
        asked, is_alone, is_killed = b"", False, False
        while handle not in dict(poll.poll()):
            message = self._control.recv(_MESSAGE_BYTES)
            if message[:1] == b"F":
                asked = message[1:]
            elif not message:
                is_alone = True
                poll.unregister(self._control.fileno())
            elif int(message[1:]) != self._number:
                continue  # it was over before the host's wish came
            _kill(-1 if self._is_init else process)
            is_killed = True
        os.close(handle)
        if is_killed:
            self._drop_job()
        return asked, is_alone

    def _drop_job(self) -> None:
        """Take away the job of a fork that was killed before it took it; the next must not have it."""
        try:
            self._jobs.recv(_MESSAGE_BYTES, _socket.MSG_DONTWAIT)  # its descriptors go as well
        except BlockingIOError:
            return

    def _resize(self, asked: bytes) -> None:
        """A work folder of another size. Where it is not ours alone, the kernel's limits must do."""
        if self._folder is not None:
            self._folder.close()
            work_bytes, work_files = asked.split()
            self._folder = wall.WorkFolder(int(work_bytes), int(work_files))
            self._folder.renew()

    def _reap(self) -> int:
        """Kill and collect everything below us. Returns how many processes there were."""
        num_left = 0
        while True:
            for target in [-1] if self._is_init else _children():
                _kill(target)
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return num_left
            num_left += 1


def _sockets(config: "dict[str, Any]") -> "tuple[Any, Any]":
    """The sockets to the host, inherited or, in a container, found at a path."""
    if config["connect"]:
        config["cgroup_fds"] = ()
        found = [_socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET) for _ in range(2)]
        for number, inside in enumerate(found):
            inside.connect(f"{config['connect']}/{number}")
        return found[0], found[1]
    for descriptor in (config["jobs_fd"], config["control_fd"], *config["cgroup_fds"]):
        os.set_inheritable(descriptor, False)
    return _socket.socket(fileno=config["jobs_fd"]), _socket.socket(fileno=config["control_fd"])


def _enter_namespaces(config: "dict[str, Any]", control: Any) -> None:
    """Continue as the init of new namespaces. The host maps the user in between."""
    flags = kernel.CLONE_NEWNS | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
    user = kernel.CLONE_NEWUSER if config["user_namespace"] else 0
    kernel.unshare(flags | kernel.CLONE_NEWPID | user)
    control.send(b"M")
    if control.recv(1) != b"G":
        os._exit(1)
    child = os.fork()
    if child:
        os.closerange(3, 1 << 16)
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 255)
    kernel.die_with_parent()


def _build(config: "dict[str, Any]") -> bool:
    """Raise the wall. Returns whether there is a /proc of its own inside."""
    has_proc = True
    if config["namespaces"]:
        outer = wall.Wall(config["folders"])
        if config["many_users"]:
            os.setgroups([])
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
        has_proc = outer.build()
        kernel.sethostname(b"sandbox")
    # With a handler, a signal from inside would reach the zygote, although it is the init there.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    kernel.hide_memory()
    return has_proc


def _freeze() -> None:
    """Let forks share as much memory as can be, and forget where we come from."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "sandbox"]:
        del sys.modules[name]
    sys.path_importer_cache.clear()
    gc.collect()
    gc.disable()
    gc.freeze()


def empty(folder: str) -> None:
    """Remove what is in a folder, however deep; no process that could interfere is left."""
    numbers = itertools.count()
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    while names := os.listdir(top):
        for name in names:
            if not stat.S_ISDIR(os.lstat(name, dir_fd=top).st_mode):
                os.unlink(name, dir_fd=top)
                continue
            _lift(top, name, numbers)
            os.rmdir(name, dir_fd=top)
    os.close(top)


def _lift(top: int, name: str, numbers: "itertools.count[int]") -> None:
    """Remove the files of a folder and bring its own folders up, so that nothing is ever deep."""
    os.chmod(name, 0o700, dir_fd=top)
    below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
    for inner in os.listdir(below):
        if stat.S_ISDIR(os.lstat(inner, dir_fd=below).st_mode):
            os.chmod(inner, 0o700, dir_fd=below)
            os.rename(
                inner,
                f"lifted-{os.urandom(8).hex()}-{next(numbers)}",
                src_dir_fd=below,
                dst_dir_fd=top,
            )
        else:
            os.unlink(inner, dir_fd=below)
    os.close(below)


def _children() -> "list[int]":
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return [int(number) for number in file.read().split()]


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return
