"""What this host gives a sandbox, layer by layer, and how to give what it lacks."""

import os
import shutil
from pathlib import Path

from sandbox.cgroup import open_counters
from sandbox.errors import IsolationUnavailable, SandboxError
from sandbox.isolation.docker import DockerIsolation
from sandbox.isolation.interpreter import find_interpreter
from sandbox.isolation.namespaces import NamespaceIsolation
from sandbox.settings import SandboxSettings
from sandbox.worker.kernel import MACHINE
from sandbox.worker.system_calls import allowed_numbers

Finding = tuple[str, bool, str]
"""A layer, whether this host gives it, and what that means or how to give it."""


LACKS_CONTROL_GROUPS = (
    "memory, processes and CPU time are limited for each process, and added up by looking: start as"
    " root, or give us a delegated cgroup (systemd: Delegate=yes; a container: a writable"
    " /sys/fs/cgroup)"
)


def findings(settings: SandboxSettings) -> list[Finding]:
    """Every layer tried out here; nothing is left behind."""
    return [
        _system_calls(),
        _interpreter(settings),
        *_namespaces(settings),
        _control_groups(),
        _waits(),
        _docker(settings),
    ]


def _system_calls() -> Finding:
    try:
        num_allowed = len(allowed_numbers(MACHINE))
    except KeyError:
        return "system-call filter", False, f"no list for {MACHINE}: use x86-64 or aarch64"
    return (
        "system-call filter",
        True,
        f"{num_allowed} calls allowed on {MACHINE}, all others refused",
    )


def _interpreter(settings: SandboxSettings) -> Finding:
    try:
        found = find_interpreter(settings)
    except SandboxError as error:
        return "interpreter", False, str(error)
    text = f"{found.command[0]}, {len(found.preload)} modules preloaded"
    if found.missing:
        return "interpreter", False, f"{text}; not installed for it: {', '.join(found.missing)}"
    return "interpreter", True, text


def _namespaces(settings: SandboxSettings) -> list[Finding]:
    try:
        isolation = NamespaceIsolation(settings)
        worker = isolation.open_worker()
    except IsolationUnavailable as error:
        return [("namespaces", False, str(error))]
    worker.close()
    found = [("namespaces", True, isolation.description)]
    has_users = "user+" in isolation.description
    found.append(
        (
            "user namespace",
            has_users,
            "programs are users of their own"
            if has_users
            else "programs run as the host's nobody:"
            " allow user namespaces (user.max_user_namespaces above 0)",
        )
    )
    if os.getuid() != 0:
        text = (
            "programs have your own user, with no capability: start as root for a user of their own"
        )
        found.append(("own user", False, text))
    return found


def _control_groups() -> Finding:
    counters = open_counters()
    if counters is None:
        return (
            "control groups",
            False,
            LACKS_CONTROL_GROUPS,
        )
    counters.close()
    return "control groups", True, f"{counters.name} limits memory, processes and CPU time together"


def _waits() -> Finding:
    has_waits = Path("/proc/self/schedstat").exists()
    return (
        "wait for processors",
        has_waits,
        "given back to programs"
        if has_waits
        else "not counted by this kernel (CONFIG_SCHED_INFO): give wall limits more room",
    )


def _docker(settings: SandboxSettings) -> Finding:
    try:
        isolation = DockerIsolation(settings)
        worker = isolation.open_worker()
    except IsolationUnavailable as error:
        hint = "" if shutil.which("dockerd") else "; not needed where namespaces work"
        return "docker", False, f"{error}{hint}"
    worker.close()
    isolation.close()
    return "docker", True, isolation.description
