"""The system calls that a program may make, and the filter that refuses all others.

An allow list: interpreters, compilers and their programs were tried with it. What is not on it
answers EPERM; a number that came with Linux 5.2 or later answers ENOSYS, so that a C library falls
back to what it used before. System V's and POSIX's message queues, semaphores and shared memory are
not on it: what one program leaves there the next would find. (A C library's own shared memory and
semaphores are files, which go.) A call of another architecture (32 bit, x32) kills the program.
"""

import struct

from sandbox.worker.kernel import MACHINE, SystemCallFilter

ALLOWED = """
# files
access 21 -, chdir 80 49, chmod 90 -, chown 92 -, close 3 57, close_range 436 436,
copy_file_range 326 285, creat 85 -, dup 32 23, dup2 33 -, dup3 292 24, faccessat 269 48,
faccessat2 439 439, fadvise64 221 223, fallocate 285 47, fchdir 81 50, fchmod 91 52,
fchmodat 268 53, fchown 93 55, fchownat 260 54, fcntl 72 25, fdatasync 75 83,
fgetxattr 193 10, flistxattr 196 13, flock 73 32, fstat 5 80, fstatfs 138 44, fsync 74 82,
ftruncate 77 46, futimesat 261 -, getcwd 79 17, getdents 78 -, getdents64 217 61,
getxattr 191 8, inotify_add_watch 254 27, inotify_init 253 -, inotify_init1 294 26,
inotify_rm_watch 255 28, ioctl 16 29, lchown 94 -, lgetxattr 192 9, link 86 -, linkat 265 37,
listxattr 194 11, llistxattr 195 12, lseek 8 62, lstat 6 -, mkdir 83 -, mkdirat 258 34,
mknod 133 -, mknodat 259 33, newfstatat 262 79, open 2 -, openat 257 56, openat2 437 437,
pipe 22 -, pipe2 293 59, poll 7 -, ppoll 271 73, pread64 17 67, preadv 295 69,
preadv2 327 286, pselect6 270 72, pwrite64 18 68, pwritev 296 70, pwritev2 328 287,
read 0 63, readahead 187 213, readlink 89 -, readlinkat 267 78, readv 19 65, rename 82 -,
renameat 264 38, renameat2 316 276, rmdir 84 -, select 23 -, sendfile 40 71, splice 275 76,
stat 4 -, statfs 137 43, statx 332 291, symlink 88 -, symlinkat 266 36,
sync_file_range 277 84, tee 276 77, truncate 76 45, umask 95 166, unlink 87 -,
unlinkat 263 35, utime 132 -, utimensat 280 88, utimes 235 -, vmsplice 278 75, write 1 64,
writev 20 66,
# events
epoll_create 213 -, epoll_create1 291 20, epoll_ctl 233 21, epoll_ctl_old 214 -,
epoll_pwait 281 22, epoll_pwait2 441 441, epoll_wait 232 -, epoll_wait_old 215 -,
eventfd 284 -, eventfd2 290 19, signalfd 282 -, signalfd4 289 74, timerfd_create 283 85,
timerfd_gettime 287 87, timerfd_settime 286 86,
# memory
brk 12 214, get_mempolicy 239 236, madvise 28 233, mbind 237 235, membarrier 324 283,
memfd_create 319 279, mincore 27 232, mlock 149 228, mlock2 325 284, mlockall 151 230,
mmap 9 222, mprotect 10 226, mremap 25 216, msync 26 227, munlock 150 229,
munlockall 152 231, munmap 11 215, pkey_alloc 330 289, pkey_free 331 290,
pkey_mprotect 329 288, set_mempolicy 238 237,
# processes
alarm 37 -, arch_prctl 158 -, capget 125 90, clock_nanosleep 230 115, execve 59 221,
execveat 322 281, exit 60 93, exit_group 231 94, fork 57 -, futex 202 98,
futex_waitv 449 449, get_robust_list 274 100, get_thread_area 211 -, getegid 108 177,
geteuid 107 175, getgid 104 176, getgroups 115 158, getitimer 36 102, getpgid 121 155,
getpgrp 111 -, getpid 39 172, getppid 110 173, getpriority 140 141, getresgid 120 150,
getresuid 118 148, getrlimit 97 163, getrusage 98 165, getsid 124 156, gettid 186 178,
getuid 102 174, ioprio_get 252 31, kill 62 129, nanosleep 35 101, pause 34 -,
pidfd_open 434 434, pidfd_send_signal 424 424, prctl 157 167, rseq 334 293,
sched_get_priority_max 146 125, sched_get_priority_min 147 126, sched_getaffinity 204 123,
sched_getattr 315 275, sched_getparam 143 121, sched_getscheduler 145 120,
sched_rr_get_interval 148 127, sched_yield 24 124, set_robust_list 273 99,
set_thread_area 205 -, set_tid_address 218 96, setfsgid 123 152, setfsuid 122 151,
setgid 106 144, setgroups 116 159, setitimer 38 103, setpgid 109 154, setregid 114 143,
setresgid 119 149, setresuid 117 147, setreuid 113 145, setrlimit 160 164, setsid 112 157,
setuid 105 146, tgkill 234 131, times 100 153, tkill 200 130, vfork 58 -, wait4 61 260,
waitid 247 95,
# signals
restart_syscall 219 128, rt_sigaction 13 134, rt_sigpending 127 136, rt_sigprocmask 14 135,
rt_sigqueueinfo 129 138, rt_sigreturn 15 139, rt_sigsuspend 130 133, rt_sigtimedwait 128 137,
rt_tgsigqueueinfo 297 240, sigaltstack 131 132,
# time
clock_getres 229 114, clock_gettime 228 113, gettimeofday 96 169, time 201 -,
timer_create 222 107, timer_delete 226 111, timer_getoverrun 225 109, timer_gettime 224 108,
timer_settime 223 110,
# machine
getcpu 309 168, getrandom 318 278, sysinfo 99 179, uname 63 160,
# sockets
accept 43 202, accept4 288 242, bind 49 200, connect 42 203, getpeername 52 205,
getsockname 51 204, getsockopt 55 209, listen 50 201, recvfrom 45 207, recvmmsg 299 243,
recvmsg 47 212, sendmmsg 307 269, sendmsg 46 211, sendto 44 206, setsockopt 54 208,
shutdown 48 210, socketpair 53 199,
"""
"""Name, number on x86-64, number on aarch64; - where an architecture has none."""

_SPECIAL = {
    "x86_64": {
        "clone": 56,
        "clone3": 435,
        "ioctl": 16,
        "prlimit64": 302,
        "sched_setaffinity": 203,
        "sched_setparam": 142,
        "sched_setscheduler": 144,
        "socket": 41,
        "sync": 162,
        "syncfs": 306,
    },
    "aarch64": {
        "clone": 220,
        "clone3": 435,
        "ioctl": 29,
        "prlimit64": 261,
        "sched_setaffinity": 122,
        "sched_setparam": 118,
        "sched_setscheduler": 119,
        "socket": 198,
        "sync": 81,
        "syncfs": 267,
    },
}
_IGNORED = ("sync", "syncfs", "sched_setparam", "sched_setscheduler")
"""Answered as done: the host's disks are no program's business, and a runtime that may not choose its
scheduling says so on stdout."""

_AUDIT_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_FIRST_RECENT = 424
"""Numbers from here on mean the same on every architecture; pidfd_send_signal was the first."""

_NAMESPACE_FLAGS = 0x7E020080
"""CLONE_NEW* for namespaces, time and cgroup ones included."""

_AF_UNIX = 1
_TERMINAL_INJECTIONS = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX put characters into the terminal of somebody else."""

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x50000
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_ARGUMENT_BYTES = 8


class _Program:
    """Instructions of classic BPF; a jump is written as what follows it."""

    def __init__(self) -> None:
        self._instructions: list[bytes] = []

    def add(self, code: int, value: int, if_true: int = 0, if_false: int = 0) -> None:
        self._instructions.append(struct.pack("HBBI", code, if_true, if_false, value))

    def answer(self, number: int, result: int) -> None:
        """This call has this result, whatever its arguments."""
        self.add(_JUMP_EQUAL, number, 0, 1)
        self.add(_RETURN, result)

    def examine(self, number: int, argument: int, test: int, value: int, *results: int) -> None:
        """This call has the first result where its argument passes the test, else the second."""
        if_true, if_false = results
        self.add(_JUMP_EQUAL, number, 0, 4)
        self.add(_LOAD, _FIRST_ARGUMENT + argument * _ARGUMENT_BYTES)
        self.add(test, value, 0, 1)
        self.add(_RETURN, if_true)
        self.add(_RETURN, if_false)

    def search(self, stretches: list[tuple[int, int]]) -> None:
        """Find the call in stretches of (first number, result), by halves.

        The kernel runs the filter once for every call there is when it is installed, so its
        longest path is a cost of every run.
        """
        self._instructions += _halves(stretches)

    def assembled(self) -> bytes:
        return b"".join(self._instructions)


def _halves(stretches: list[tuple[int, int]]) -> list[bytes]:
    if len(stretches) == 1:
        return [struct.pack("HBBI", _RETURN, 0, 0, stretches[0][1])]
    middle = len(stretches) // 2
    lower, upper = _halves(stretches[:middle]), _halves(stretches[middle:])
    pivot = stretches[middle][0]
    return [struct.pack("HBBI", _JUMP_AT_LEAST, len(lower), 0, pivot), *lower, *upper]


def _stretches(allowed: set[int]) -> list[tuple[int, int]]:
    """Neighbouring numbers with one and the same result, as (first number, result)."""
    results = [
        _ALLOW if number in allowed else _ERRNO | (_EPERM if number < _FIRST_RECENT else _ENOSYS)
        for number in range(max(*allowed, _FIRST_RECENT) + 2)
    ]
    return [
        (number, result)
        for number, result in enumerate(results)
        if number == 0 or results[number - 1] != result
    ]


def allowed_numbers(machine: str = MACHINE) -> "dict[str, int]":
    """Name → number of every call that is allowed with any arguments.

    Raises KeyError for a machine that the list was not written for.
    """
    column = {"x86_64": 1, "aarch64": 2}[machine]
    entries = " ".join(line for line in ALLOWED.splitlines() if not line.startswith("#"))
    rows = [entry.split() for entry in entries.split(",") if entry.strip()]
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


def system_call_filter(*, memory_files: bool) -> SystemCallFilter:
    """The filter for this machine."""
    return SystemCallFilter(assemble(MACHINE, memory_files=memory_files))


def assemble(machine: str, *, memory_files: bool = True) -> bytes:
    """The filter's instructions.

    memory_files: whether memfd_create is allowed; where no control group counts it, what is in
    such a file is memory that nobody sees. Raises KeyError for an unknown machine.
    """
    names = allowed_numbers(machine)
    if not memory_files:
        del names["memfd_create"]
    special = _SPECIAL[machine]
    program = _Program()
    program.add(_LOAD, _ARCHITECTURE)
    program.add(_JUMP_EQUAL, _AUDIT_ARCHITECTURE[machine], 1, 0)
    program.add(_RETURN, _KILL)
    program.add(_LOAD, _NUMBER)
    if machine == "x86_64":
        program.add(_JUMP_AT_LEAST, _X32_BIT, 0, 1)
        program.add(_RETURN, _KILL)
    program.answer(special["clone3"], _ERRNO | _ENOSYS)
    for ignored in _IGNORED:
        program.answer(special[ignored], _ERRNO | 0)
    program.examine(special["clone"], 0, _JUMP_ANY_BIT, _NAMESPACE_FLAGS, _ERRNO | _EPERM, _ALLOW)
    program.examine(
        special["socket"], 0, _JUMP_EQUAL, _AF_UNIX, _ALLOW, _ERRNO | _EAFNOSUPPORT
    )  # fmt: skip
    for own_only in ("prlimit64", "sched_setaffinity"):
        program.examine(special[own_only], 0, _JUMP_EQUAL, 0, _ALLOW, _ERRNO | _EPERM)
    _forbid_injection(program, special["ioctl"])
    allowed = set(names.values()) - set(special.values())
    program.search(_stretches(allowed))
    return program.assembled()


def _forbid_injection(program: _Program, ioctl: int) -> None:
    program.add(_JUMP_EQUAL, ioctl, 0, 5)
    program.add(_LOAD, _FIRST_ARGUMENT + _ARGUMENT_BYTES)
    for request, skipped in zip(_TERMINAL_INJECTIONS, (2, 1), strict=True):
        program.add(_JUMP_EQUAL, request, skipped, 0)
    program.add(_RETURN, _ALLOW)
    program.add(_RETURN, _ERRNO | _EPERM)
