"""Files that a command leaves, handed out of the wall: regular files only, links are not followed."""

import fnmatch
import json
import os
import signal
import stat
from typing import Any

_FAILED_TO_START = 127


def run_and_collect(
    command: "list[str]", jobs: Any, channel: int, wanted: "list[str]", folder: str
) -> None:
    """Run a command to its end, write what is wanted of its files to the channel, end as it did.

    wanted: names, patterns for names, and folders, which end in /.
    """
    child = os.fork()
    if child == 0:
        try:
            os.execve(command[0], command, os.environ)
        except OSError as error:
            jobs.send(b"E" + f"{command[0]}: {error.strerror}".encode())
            os._exit(_FAILED_TO_START)
    _, status = os.waitpid(child, 0)
    if status == 0:
        _write(channel, _found(folder, wanted))
    if os.WIFSIGNALED(status):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
        signal.pause()
    os._exit(os.WEXITSTATUS(status))


def _found(folder: str, wanted: "list[str]") -> "list[tuple[str, str]]":
    """(name, path) of every file that is wanted, in order of their names."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in names:
            path = os.path.join(parent, name)
            relative = os.path.relpath(path, folder)
            if any(_is_wanted(relative, pattern) for pattern in wanted):
                found.append((relative, path))
    return sorted(found)


def _is_wanted(name: str, pattern: str) -> bool:
    if pattern.endswith("/"):
        return name.startswith(pattern)
    return fnmatch.fnmatchcase(name, pattern) and name.count("/") == pattern.count("/")


def _write(channel: int, files: "list[tuple[str, str]]") -> None:
    entries, contents = [], []
    for name, path in files:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:  # a link, or a file that its own program may not read
            continue
        state = os.fstat(descriptor)
        if stat.S_ISREG(state.st_mode):
            with os.fdopen(descriptor, "rb") as file:
                content = file.read()
            entries.append((name, len(content), bool(state.st_mode & 0o100)))
            contents.append(content)
        else:
            os.close(descriptor)
    header = json.dumps(entries).encode()
    view = memoryview(b"".join((len(header).to_bytes(4, "little"), header, *contents)))
    while view:
        view = view[os.write(channel, view) :]
