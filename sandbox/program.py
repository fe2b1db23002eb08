"""What is run: a program and its limits. Both are data, checked when they are made."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import PurePosixPath
from typing import Self

from sandbox.errors import InvalidProgram

MIB = 1 << 20
MAX_SOURCE_BYTES = 16 * MIB
"""Largest sum of a program's files: sixty times the longest source of any benchmark."""

MAX_STDIN_BYTES = 64 * MIB
"""Largest stdin. It is held in memory while the program runs."""

MAX_FILES = 1000
MAX_NAME_BYTES = 255
MAX_ARGUMENTS_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program in one language.

    language: name of a toolchain, such as "python" or "cpp". files: relative path → content; the
    first is the one that is run or compiled. arguments: what follows the program's name.
    Raises InvalidProgram for a name or a size that no sandbox would take. What the files say is
    the program's business: a source that is no UTF-8 gets a verdict.
    """

    language: str
    files: Mapping[str, bytes]
    arguments: tuple[str, ...] = ()
    stdin: bytes = b""

    def __post_init__(self) -> None:
        if not self.files:
            raise InvalidProgram("program.files is empty: a program has at least its main file")
        if len(self.files) > MAX_FILES:
            raise InvalidProgram(
                f"program.files has {len(self.files)} files: at most {MAX_FILES} fit; pack them"
            )
        for name in self.files:
            check_file_name(name)
        _check_no_file_is_a_folder(self.files)
        size = sum(len(content) for content in self.files.values())
        if size > MAX_SOURCE_BYTES:
            raise InvalidProgram(
                f"program.files hold {size} bytes: at most {MAX_SOURCE_BYTES} are taken; send data"
                " by stdin"
            )
        if len(self.stdin) > MAX_STDIN_BYTES:
            raise InvalidProgram(
                f"program.stdin holds {len(self.stdin)} bytes: at most {MAX_STDIN_BYTES} are taken"
            )
        _check_arguments(self.arguments)

    @property
    def main(self) -> str:
        """Name of the file that is run or compiled."""
        return next(iter(self.files))


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a program may use. Raises InvalidProgram for a value outside its range.

    A limit of the CPU is the one that decides: waiting for a processor costs a program nothing.
    """

    cpu_seconds: float = field(default=10.0, metadata={"range": (0.01, 86400)})
    """Processor time of all its processes together."""
    wall_seconds: float | None = field(default=None, metadata={"range": (0.01, 86400)})
    """Time from start to end, less what it waited for a processor; None is 2 + 3 times the CPU."""
    memory_bytes: int = field(default=512 * MIB, metadata={"range": (16 * MIB, 1 << 40)})
    """Memory of all its processes together, its files included."""
    processes: int = field(default=64, metadata={"range": (1, 4096)})
    """Processes and threads at one time."""
    output_bytes: int = field(default=MIB, metadata={"range": (0, 1 << 30)})
    """Longest stdout, and longest stderr."""
    file_bytes: int = field(default=64 * MIB, metadata={"range": (64 * 1024, 1 << 36)})
    """All files that it writes together."""
    num_files: int = field(default=4096, metadata={"range": (16, 1 << 20)})
    """Files and folders that it may have."""

    def __post_init__(self) -> None:
        for limit in fields(self):
            value = getattr(self, limit.name)
            if value is None and limit.name == "wall_seconds":
                continue
            low, high = limit.metadata["range"]
            kinds = (int,) if isinstance(limit.default, int) else (int, float)
            if type(value) not in kinds or not math.isfinite(value) or not low <= value <= high:
                raise InvalidProgram(
                    f"limits.{limit.name} is {value!r}: it lies between {low} and {high}"
                )

    @property
    def wall_cap_seconds(self) -> float:
        """The wall time that holds, given or derived."""
        return 2 + 3 * self.cpu_seconds if self.wall_seconds is None else self.wall_seconds

    @classmethod
    def parse(cls, values: Mapping[str, object]) -> Self:
        """Limits from a mapping of outside. Raises InvalidProgram for a name that is none."""
        known = {limit.name for limit in fields(cls)}
        if unknown := sorted(values.keys() - known):
            raise InvalidProgram(
                f"limits.{unknown[0]} is no limit: there are {', '.join(sorted(known))}"
            )
        return cls(**values)  # type: ignore[arg-type]  # __post_init__ looks at every value


def check_file_name(name: str) -> None:
    """Raise InvalidProgram unless the name is a relative path that stays in its folder."""
    path = PurePosixPath(name)
    problem = None
    if not name or "\0" in name:
        problem = "a name is not empty and holds no NUL"
    elif path.is_absolute() or ".." in path.parts or name != str(path) or path.parts == ():
        problem = "a name is a relative path, without .. and without empty parts"
    elif not _is_utf8(name) or max(len(part.encode()) for part in path.parts) > MAX_NAME_BYTES:
        problem = f"a name is UTF-8, each part at most {MAX_NAME_BYTES} bytes"
    elif len(path.parts) > 32:
        problem = "a name is at most 32 folders deep"
    if problem is not None:
        raise InvalidProgram(f"program.files has the name {name[:80]!r}: {problem}")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_no_file_is_a_folder(files: Mapping[str, bytes]) -> None:
    for name in files:
        for parent in PurePosixPath(name).parents:
            if str(parent) in files:
                raise InvalidProgram(
                    f"program.files has {str(parent)!r} as a file and as the folder of {name!r}:"
                    " it is one of the two"
                )


def _check_arguments(arguments: tuple[str, ...]) -> None:
    for argument in arguments:
        if "\0" in argument or not _is_utf8(argument):
            raise InvalidProgram(
                f"program.arguments has {argument[:80]!r}: an argument is UTF-8 without NUL"
            )
    if (size := sum(len(argument.encode()) + 1 for argument in arguments)) > MAX_ARGUMENTS_BYTES:
        raise InvalidProgram(
            f"program.arguments hold {size} bytes: at most {MAX_ARGUMENTS_BYTES} are taken; use stdin"
        )
