"""A job as bytes, and back what it left: the host's side of what the worker reads and writes."""

import fcntl
import json
import marshal
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sandbox.isolation.isolation import Job, Kind

_SEALS = 0x8 | 0x4 | 0x2  # F_SEAL_WRITE, F_SEAL_GROW, F_SEAL_SHRINK
_F_ADD_SEALS = 1033
_MAX_ENTRIES = 20_000


def encode_job(job: Job, *, data_bytes: int, processes: int) -> bytes:
    """The payload. data_bytes, processes: limits of each process; 0 where a control group holds them."""
    description: dict[str, Any] = {
        "kind": job.kind.value,
        "files": [(name, len(content)) for name, content in job.files.items()],
        "executables": job.executables,
        "main": job.main,
        "command": job.command,
        "arguments": job.arguments,
        "environment": dict(job.environment),
        "collect": job.collect,
        "limits": {
            "cpu": math.ceil(job.limits.cpu_seconds * job.num_parts),
            "file": job.limits.file_bytes,
            "data": data_bytes,
            "processes": processes,
        },
    }
    if job.kind is Kind.CALLS:
        description["calls"] = {
            "function": job.function,
            "arguments": job.calls,
            "is_in_turn": job.call_seconds is not None,
            "cpu_seconds": job.call_seconds or job.limits.cpu_seconds,
            "wall_seconds": job.limits.wall_cap_seconds,
        }
    # Version 2 is read by every Python, and faster than JSON in a process that has just been forked.
    header = marshal.dumps(description, 2)
    return b"".join((len(header).to_bytes(4, "little"), header, *job.files.values()))


def decode_files(collected: bytes, most_bytes: int) -> Mapping[str, tuple[bytes, bool]]:
    """Name → content and whether it is executable. What is not as it should be is left out."""
    try:
        at = 4 + int.from_bytes(collected[:4], "little")
        entries = json.loads(collected[4:at])
        files = {}
        for name, size, is_executable in entries[:_MAX_ENTRIES]:
            if not isinstance(name, str) or not 0 <= size <= most_bytes:
                raise ValueError(name)
            files[name] = (collected[at : at + size], bool(is_executable))
            at += size
    except (ValueError, TypeError, RecursionError):
        return {}
    return files


@contextmanager
def memory_file(content: bytes) -> Iterator[int]:
    """A descriptor to read the content from, from its start; nobody can change it."""
    descriptor = os.memfd_create("job", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.lseek(descriptor, 0, os.SEEK_SET)
        fcntl.fcntl(descriptor, _F_ADD_SEALS, _SEALS)
        yield descriptor
    finally:
        os.close(descriptor)
