"""System calls that Python does not offer, with errors as OSError."""

import ctypes
import os
import platform
from typing import Any

CLONE_NEWNS = 0x20000
CLONE_NEWUTS = 0x4000000
CLONE_NEWIPC = 0x8000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

_AT_RECURSIVE = 0x8000
_AT_EMPTY_PATH = 0x1000
_MOUNT_ATTR_RDONLY = 1
_MOUNT_ATTR_NOSUID = 2
_MOUNT_ATTR_NODEV = 4

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_SECUREBITS = 28
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_SECURE_ALL_LOCKED = 0x2F
"""NOROOT, NO_SETUID_FIXUP and NO_CAP_AMBIENT_RAISE, each locked but the first's keep-caps."""

_LAST_CAP = 40
_CAPABILITY_VERSION_3 = 0x20080522

_NUMBERS = {
    "x86_64": {
        "pivot_root": 155, "capset": 126, "mount_setattr": 442, "seccomp": 317,
        "timer_create": 222, "timer_settime": 223,
    },
    "aarch64": {
        "pivot_root": 41, "capset": 91, "mount_setattr": 442, "seccomp": 277,
        "timer_create": 107, "timer_settime": 110,
    },
}  # fmt: skip

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = [*[ctypes.c_char_p] * 3, ctypes.c_ulong, ctypes.c_char_p]
_libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
_libc.unshare.argtypes = [ctypes.c_int]
_raw_fork = ctypes.PyDLL(None).fork
MACHINE = platform.machine()


def _checked(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def _syscall(name: str, *arguments: Any) -> int:
    number = ctypes.c_long(_NUMBERS[MACHINE][name])
    return _checked(_libc.syscall(number, *arguments), name)


def _prctl(option: int, *values: int) -> int:
    return _checked(_libc.prctl(option, *(*values, 0, 0, 0, 0)[:4]), f"prctl {option}")


def fork() -> int:
    """fork(2) alone, for a process with one thread that holds no lock.

    os.fork puts the interpreter's locks and hooks in order, which writes to 200 pages that would
    stay shared otherwise: a third of what a short program costs. What is left to do is the caller's:
    `random` has its parent's state.
    """
    return int(_raw_fork())


class CpuTimer:
    """Sends a signal once this process has used so much CPU time, by the scheduler's exact clock.

    setitimer's ITIMER_PROF counts ticks: on a busy host it rang after 0.8 of its time.
    """

    def __init__(self, signal_number: int) -> None:
        """Raises OSError where the kernel, or what stands for it, has no such timer."""
        event = (ctypes.c_int * 16)(0, 0, signal_number)  # a sigevent: value, signal, SIGEV_SIGNAL
        self._timer = ctypes.c_int()
        of_process = 2  # CLOCK_PROCESS_CPUTIME_ID
        _syscall("timer_create", of_process, ctypes.byref(event), ctypes.byref(self._timer))

    def arm(self, seconds: float) -> None:
        """Let it ring after so much more CPU time, instead of whenever it would have."""
        whole = int(seconds)
        once = (ctypes.c_long * 4)(0, 0, whole, int((seconds - whole) * 1e9))
        _syscall("timer_settime", self._timer, 0, ctypes.byref(once), None)


def unshare(flags: int) -> None:
    """Leave the namespaces of these kinds for new ones."""
    _checked(_libc.unshare(flags), f"unshare {flags:#x}")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """mount(2)."""
    texts = [os.fsencode(text) for text in (source, target, kind, options)]
    mount_encoded(texts[0], texts[1], texts[2], flags, texts[3])


def mount_encoded(source: bytes, target: bytes, kind: bytes, flags: int, options: bytes) -> None:
    """mount(2), with less work after a fork."""
    if _libc.mount(source, target, kind, flags, options) != 0:
        _checked(-1, f"mount {source!r} on {target!r}")


def bind_read_only(source: str, target: str) -> None:
    """Make a file or folder visible at a second place, where nothing can write to it."""
    mount(source, target, "", MS_BIND | MS_REC)
    wanted = _MOUNT_ATTR_RDONLY | _MOUNT_ATTR_NOSUID
    attributes = (ctypes.c_uint64 * 4)(wanted, 0, 0, 0)
    try:
        _syscall(
            "mount_setattr", ctypes.c_int(-100), os.fsencode(target),
            ctypes.c_uint(_AT_RECURSIVE), ctypes.byref(attributes), ctypes.c_size_t(32),
        )  # fmt: skip
    except OSError:  # before Linux 5.12, and what a container's filter does not know
        mount("", target, "", MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID)


def unmount(place: bytes) -> None:
    """Take away what is mounted here, even while something still uses it."""
    _checked(_libc.umount2(place, MNT_DETACH), f"umount {place!r}")


def pivot_root_here() -> None:
    """Make the current folder the root, and let go of the old one."""
    _syscall("pivot_root", b".", b".")
    unmount(b".")
    os.chdir("/")


def die_with_parent() -> None:
    """Be killed when the thread that made this process ends."""
    _prctl(_PR_SET_PDEATHSIG, 9)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def hide_memory() -> None:
    """No process of the same user may look into this one."""
    _prctl(_PR_SET_DUMPABLE, 0)


def sethostname(name: bytes) -> None:
    """Name the machine as this UTS namespace sees it."""
    _checked(_libc.sethostname(name, len(name)), "sethostname")


def drop_bounding_set() -> None:
    """No program that is executed from now on gets a capability."""
    for capability in range(_LAST_CAP + 1):
        try:
            _prctl(_PR_CAPBSET_DROP, capability)
        except OSError:  # a kernel that has fewer
            break


def drop_capabilities() -> None:
    """Give up every capability, for good."""
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    _syscall("capset", ctypes.byref(header), ctypes.byref(none))


def no_new_privileges() -> None:
    """setuid programs are ordinary programs from now on."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


class _Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


class SystemCallFilter:
    """An assembled BPF program, ready to be installed in any process that has it in memory."""

    def __init__(self, program: bytes) -> None:
        self._buffer = ctypes.create_string_buffer(program, len(program))
        self._filter = _Filter(len(program) // 8, ctypes.cast(self._buffer, ctypes.c_void_p))

    def install(self) -> None:
        """Hold this process and all that it starts to the filter, for good."""
        _syscall("seccomp", ctypes.c_uint(1), ctypes.c_uint(0), ctypes.byref(self._filter))
