"""The fork that becomes a program: first behind the wall, then given its job, then no longer ours."""

import _socket
import gc
import marshal
import os
import random
import resource
import signal
import struct
import sys
import types
from typing import Any, NamedTuple

from sandbox.worker import calls, collect, ending, kernel, wall

_MESSAGE_BYTES = 64
_MAX_DESCRIPTORS = 5
_DESCRIPTOR_BYTES = 4
_OPEN_FILES = 1024
_FAILED_TO_START = 127
_STACK_BYTES = 256 << 20
"""What judges give to C++; a warm Python's own stack stays where its zygote put it."""

_PAYLOAD, _STDIN, _STDOUT, _STDERR, _CHANNEL = range(5)
"""Order of the descriptors that come with a job; the last is where collected files or results go."""

BASE_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp/work",
    "LANG": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
}


class Started(NamedTuple):
    """What the bottom frame needs to run a Python program: nothing of ours stays on its stack."""

    code: Any
    names: "dict[str, Any]"
    finish: Any


def prepare_interpreter(config: "dict[str, Any]") -> None:
    """Import what programs usually import, and make this look like an interpreter of their own."""
    if config["namespaces"]:
        config["work"] = wall.WORK
    os.environ.clear()
    os.environ.update({**BASE_ENVIRONMENT, "HOME": config["work"]})
    sys.path[:] = [path for path in sys.path[1:] if os.path.exists(path)] + config["python_path"]
    sys.argv = ["main.py"]
    import site

    site.setquit()
    site.setcopyright()
    site.sethelper()
    for module in config["preload"]:
        try:
            __import__(module)
        except ImportError:  # the host has warned; the program that imports it will see for itself
            continue


class Prepared:
    """What every program of this worker needs, computed before the forks."""

    def __init__(self, config: "dict[str, Any]", call_filter: Any) -> None:
        self.work: str = config["work"]
        # The memory of a container is its programs' and its zygote's together.
        self.is_in_container = bool(config["connect"])
        self.cgroups = tuple(config["cgroup_fds"])
        self.call_filter = call_filter
        self.user = config["inside_uid"]
        kernel.drop_bounding_set()
        if self.user is not None:
            os.setgroups([])

    def enter(self) -> None:
        """This process gets a work folder and counters, and loses every privilege."""
        for descriptor in self.cgroups:
            os.write(descriptor, b"0")
        os.setsid()
        os.umask(0)
        os.mkdir(self.work, 0o777)
        os.chdir(self.work)
        os.umask(0o022)
        if self.is_in_container:
            _offer_to_memory_killer()
        if self.user is not None:
            # With the last user id that is root's, every capability goes.
            os.setresgid(self.user, self.user, self.user)
            os.setresuid(self.user, self.user, self.user)
        else:
            kernel.drop_capabilities()
        kernel.hide_memory()
        kernel.no_new_privileges()
        if self.call_filter is not None:
            self.call_filter.install()


def wait_for_job(jobs: Any, prepared: Prepared) -> Started:
    """Go behind the inner wall, wait for a job, and start it. Returns only for a Python program."""
    try:
        prepared.enter()
        return _start(prepared.work, jobs, *_receive(jobs))
    except BaseException as error:  # noqa: BLE001  # whatever it is, it is our fault and the host must know
        jobs.send(b"E" + f"{type(error).__name__}: {error}".encode()[:4000])
        os._exit(_FAILED_TO_START)


def _offer_to_memory_killer() -> None:
    """When memory runs out, let this process go and not the zygote."""
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")


def _receive(jobs: Any) -> "tuple[int, tuple[int, ...]]":
    """Size of the next job and its descriptors; ends this process when there will be none."""
    space = _socket.CMSG_LEN(_MAX_DESCRIPTORS * _DESCRIPTOR_BYTES)
    message, ancillary, _, _ = jobs.recvmsg(_MESSAGE_BYTES, space)
    if not message:
        os._exit(0)
    ((_, _, content),) = ancillary
    return int(message), struct.unpack(f"{len(content) // _DESCRIPTOR_BYTES}i", content)


def _start(work: str, jobs: Any, size: int, descriptors: "tuple[int, ...]") -> Started:
    job, contents = _read_payload(descriptors[_PAYLOAD], size)
    for target, source in enumerate((_STDIN, _STDOUT, _STDERR)):
        os.dup2(descriptors[source], target)
    for descriptor in descriptors[:_CHANNEL]:
        os.close(descriptor)
    channel = descriptors[_CHANNEL] if len(descriptors) > _CHANNEL else -1
    _write_files(job["files"], job["executables"], contents)
    for name, value in job["environment"].items():
        os.environ[name] = value.replace("{work}", work)
    _limit(job["limits"], is_command=job["kind"] == "command")
    if job["kind"] == "command":
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        _execute(work, jobs, job, channel)
    started = _python(work, jobs, job, contents[0], channel)
    # From here on nothing of ours may be reached through a descriptor, but the calls' own channel.
    if channel > 3:
        os.closerange(3, channel)
    os.closerange(max(channel, 2) + 1, 1 << 30)
    return started


def _python(work: str, jobs: Any, job: "dict[str, Any]", source: bytes, channel: int) -> Started:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    random.seed()
    path = f"{work}/{job['main']}"
    sys.argv = [path, *job["arguments"]]
    sys.path.insert(0, os.path.dirname(path))
    module = types.ModuleType("__main__")
    module.__dict__.update(__file__=path, __builtins__=sys.modules["builtins"])
    sys.modules["__main__"] = module
    finish = ending.Ending(module)
    gc.enable()
    try:
        code = compile(source, path, "exec", dont_inherit=True)
    except BaseException as error:  # deep nesting ends in a RecursionError or MemoryError
        jobs.send(b"C")
        finish(error)
        raise
    if job["kind"] == "calls":
        return Started(code, module.__dict__, calls.Calls(job["calls"], channel, module, finish))
    return Started(code, module.__dict__, finish)


def _read_payload(descriptor: int, size: int) -> "tuple[dict[str, Any], list[bytes]]":
    """The job's description and the contents of its files, in order."""
    payload = os.read(descriptor, size)
    while len(payload) < size:
        payload += os.read(descriptor, size - len(payload))
    at = 4 + int.from_bytes(payload[:4], "little")
    job = marshal.loads(payload[4:at])
    contents = []
    for file in job["files"]:
        contents.append(payload[at : at + file[1]])
        at += file[1]
    return job, contents


def _write_files(
    files: "list[tuple[str, int]]", executables: "list[str]", contents: "list[bytes]"
) -> None:
    for (name, _), content in zip(files, contents):  # noqa: B905  # strict is not in every Python that may be used
        if "/" in name:
            os.makedirs(os.path.dirname(name), exist_ok=True)
        mode = 0o755 if name in executables else 0o644
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.close(descriptor)


def _limit(limits: "dict[str, int]", *, is_command: bool) -> None:
    """Limits that the kernel holds each process to; the host watches all of them together."""
    values = {
        resource.RLIMIT_CPU: limits["cpu"],
        resource.RLIMIT_FSIZE: limits["file"],
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    if is_command:
        values[resource.RLIMIT_STACK] = _STACK_BYTES
    if limits["data"]:
        values[resource.RLIMIT_DATA] = limits["data"]
    if limits["processes"]:
        values[resource.RLIMIT_NPROC] = limits["processes"]
    for kind, value in values.items():
        hard = resource.getrlimit(kind)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # A second more for the hard limit: SIGXCPU can be ignored, the SIGKILL after it cannot.
        later = most + 1 if kind == resource.RLIMIT_CPU and most == value else most
        resource.setrlimit(kind, (most, later))


def _execute(work: str, jobs: Any, job: "dict[str, Any]", channel: int) -> None:
    """Become the command; with something to collect, wait for it instead and pass that on."""
    if job["collect"]:
        collect.run_and_collect(job["command"], jobs, channel, job["collect"], work)
    os.set_inheritable(jobs.fileno(), False)
    os.execve(job["command"][0], job["command"], os.environ)
