"""Is this machine ready to serve? One finding a subject, each with its fix."""

import errno
import os
import platform
import socket
import sqlite3
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from deploy.check_engine import engine_finding, torch_finding
from deploy.check_models import model_findings
from deploy.config import Settings
from deploy.finding import Finding, Level
from deploy.machine import (
    Gpu,
    architecture,
    available_memory_bytes,
    cpu_features,
    existing_parent,
    free_disk_bytes,
    gpus,
)

SUPPORTED_MINORS = range(11, 15)
GIB = 2**30
CPU_MEMORY_BYTES = 5 * GIB
"""The default model with its 2 GiB KV cache and vLLM's three processes, measured."""
CPU_DISK_BYTES = 2 * GIB
GPU_DISK_BYTES = 40 * GIB
"""DeepCoder-14B in bfloat16 is 28 GiB."""
HUB_SECONDS = 3.0


def findings(settings: Settings) -> Iterator[Finding]:
    """Look at one thing after the other; the slow ones (engine, hub) come last."""
    try:
        found: Sequence[Gpu] = gpus()
        broken_driver = ""
    except OSError as error:
        found, broken_driver = (), str(error)
    home = settings.deploy.home
    yield _python()
    yield _cpu()
    yield _gpu(found, broken_driver)
    yield _memory(has_gpu=bool(found))
    yield _home(home)
    yield _disk(home, has_gpu=bool(found))
    yield _database(home / "codeloop.db")
    yield _port(settings.server.host, settings.server.port)
    yield engine_finding(has_gpu=bool(found))
    yield torch_finding()
    yield from model_findings(settings.server, home, has_gpu=bool(found))
    yield _hub()


def _python() -> Finding:
    text = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info.minor in SUPPORTED_MINORS:
        return Finding(level=Level.OK, subject="python", text=text)
    return Finding(
        level=Level.FAIL,
        subject="python",
        text=f"{text}: vLLM 0.32 runs on 3.11 to 3.14",
        fix="build the environment on an older one: CODELOOP_PYTHON=python3.12 make serve",
    )


def _cpu() -> Finding:
    features = cpu_features()
    cores = len(os.sched_getaffinity(0))
    text = f"{architecture()}, {cores} cores, {' '.join(features) or 'no vector extensions'}"
    if architecture() == "x86_64" and "avx2" not in features:
        return Finding(
            level=Level.FAIL,
            subject="cpu",
            text=f"{text}: the CPU engine needs AVX2",
            fix="use another machine, or let the virtual machine pass its host's CPU through",
        )
    if architecture() == "x86_64" and "avx512f" not in features:
        return Finding(
            level=Level.WARN,
            subject="cpu",
            text=f"{text}: without AVX-512 the CPU engine is several times slower",
            fix="none needed for a trial or with a GPU",
        )
    return Finding(level=Level.OK, subject="cpu", text=text)


def _gpu(found: Sequence[Gpu], broken_driver: str) -> Finding:
    if broken_driver:
        return Finding(
            level=Level.WARN,
            subject="gpu",
            text=f"the NVIDIA driver does not work ({broken_driver}); the CPU is used",
            fix="reinstall the driver, or load its kernel module; in a container pass --gpus all",
        )
    if not found:
        return Finding(level=Level.OK, subject="gpu", text="no NVIDIA GPU; the CPU engine is used")
    names = ", ".join(f"{gpu.name} {gpu.memory_bytes / GIB:.0f} GiB" for gpu in found)
    return Finding(level=Level.OK, subject="gpu", text=f"{names}, driver {found[0].driver}")


def _memory(*, has_gpu: bool) -> Finding:
    available = available_memory_bytes()
    text = f"{available / GIB:.1f} GiB available"
    if has_gpu or available >= CPU_MEMORY_BYTES:
        return Finding(level=Level.OK, subject="memory", text=text)
    return Finding(
        level=Level.WARN,
        subject="memory",
        text=f"{text}: the default model on a CPU takes about {CPU_MEMORY_BYTES // GIB} GiB",
        fix="free some, or set a smaller kv_cache_bytes for the model",
    )


def _home(home: Path) -> Finding:
    place = existing_parent(home)
    if os.access(place, os.W_OK | os.X_OK):
        text = str(home) if place == home.absolute() else f"{home} (will be made)"
        return Finding(level=Level.OK, subject="home", text=text)
    return Finding(
        level=Level.FAIL,
        subject="home",
        text=f"{home}: {place} is not writable",
        fix=f"give this user the folder (chown), or choose another with --home or deploy.home; now {place} belongs to {_owner(place)}",
    )


def _owner(place: Path) -> str:
    try:
        return place.owner()
    except (KeyError, OSError):
        return f"user {place.stat().st_uid}"


def _disk(home: Path, *, has_gpu: bool) -> Finding:
    free = free_disk_bytes(home)
    wanted = GPU_DISK_BYTES if has_gpu else CPU_DISK_BYTES
    text = f"{free / GIB:.0f} GiB free in {home}"
    if free >= wanted:
        return Finding(level=Level.OK, subject="disk", text=text)
    return Finding(
        level=Level.WARN,
        subject="disk",
        text=f"{text}: the default model and its logs want {wanted // GIB} GiB",
        fix="free some, or choose a folder on a larger disk with --home or deploy.home",
    )


def _database(path: Path) -> Finding:
    if not path.exists():
        return Finding(level=Level.OK, subject="database", text=f"{path} (will be made)")
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            verdict = str(connection.execute("PRAGMA quick_check").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error as error:
        verdict = str(error)
    if verdict == "ok":
        return Finding(level=Level.OK, subject="database", text=str(path))
    return Finding(
        level=Level.FAIL,
        subject="database",
        text=f"{path}: {verdict}",
        fix="restore it from a backup, or move it away: a new one is made, and keys are made anew",
    )


def _port(host: str, port: int) -> Finding:
    text = f"{host}:{port}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            return Finding(level=Level.OK, subject="port", text=f"{text} is free")
        except OSError as error:
            fix = (
                "stop what listens there (maybe codeloop itself), or choose another: --port, server.port"
                if error.errno == errno.EADDRINUSE
                else "choose another with --host and --port, or server.host and server.port"
            )
            return Finding(
                level=Level.FAIL, subject="port", text=f"{text}: {error.strerror or error}", fix=fix
            )


def _hub() -> Finding:
    from huggingface_hub.constants import ENDPOINT

    request = urllib.request.Request(ENDPOINT, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=HUB_SECONDS).close()
    except urllib.error.HTTPError:
        pass  # It answered, and that is all we ask.
    except OSError as error:
        reason = getattr(error, "reason", error)
        return Finding(
            level=Level.WARN,
            subject="hub",
            text=f"{ENDPOINT} cannot be reached ({reason}); only local models and the embedded one",
            fix="none needed offline: copy a model folder here, `codeloop models pull FOLDER`",
        )
    return Finding(level=Level.OK, subject="hub", text=f"{ENDPOINT} answers")
