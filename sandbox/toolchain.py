"""Languages as data: how a program of each is compiled and run, one short file each in toolchains/."""

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path, PurePath
from typing import Any

from sandbox.errors import SandboxError, UnknownLanguage
from sandbox.program import Program

FOLDER = Path(__file__).parent / "toolchains"
_PUBLIC_CLASS = re.compile(rb"^\s*public\s+(?:final\s+|abstract\s+)*(?:class|enum|record|interface)\s+(\w+)", re.M)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SelfTest:
    """A program that proves that a language works here: it reads stdin and prints stdout."""

    source: str
    stdin: str
    stdout: str


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """One language.

    main: name of the main file. compile, run: commands; {main} is its name, {stem} its name without
    the suffix, {sources} all files with that suffix. artefacts: what compiling leaves and running
    needs: names, patterns, folders that end in /. version: a command that prints it. packages:
    Debian's. how: where to get it when it is not Debian's. memory_bytes, processes: what its
    runtime or compiler needs to start at all; limits below are raised to that.
    """

    name: str
    title: str
    extensions: tuple[str, ...]
    main: str
    run: tuple[str, ...]
    version: tuple[str, ...]
    self_test: SelfTest
    aliases: tuple[str, ...] = ()
    compile: tuple[str, ...] = ()
    artefacts: tuple[str, ...] = ()
    environment: Mapping[str, str] = None  # type: ignore[assignment]  # filled in when it is read
    packages: tuple[str, ...] = ()
    how: str = ""
    memory_bytes: int = 0
    processes: int = 0

    @property
    def executables(self) -> tuple[str, ...]:
        """Commands that must be installed; not those that it makes itself."""
        first = [command[0] for command in (self.compile, self.run) if command]
        return tuple(dict.fromkeys(word for word in first if not word.startswith("./")))


@cache
def toolchains() -> Mapping[str, Toolchain]:
    """Every language by its name. Raises SandboxError for a file that is not as it should be."""
    found = [_read(path) for path in sorted(FOLDER.glob("*.toml"))]
    return {chain.name: chain for chain in found}


def toolchain(language: str) -> Toolchain:
    """The language of a name or alias, in any case. Raises UnknownLanguage."""
    names = _names()
    if (name := names.get(language.lower())) is not None:
        return toolchains()[name]
    close = difflib.get_close_matches(language.lower(), names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise UnknownLanguage(
        f"language {language!r} is unknown: {hint}there are {', '.join(sorted(toolchains()))}"
    )


def language_of(path: PurePath | str) -> str:
    """The language of a file by its suffix. Raises UnknownLanguage."""
    suffix = PurePath(path).suffix.lower()
    for chain in toolchains().values():
        if suffix in chain.extensions:
            return chain.name
    raise UnknownLanguage(
        f"{str(path)!r} has the suffix {suffix!r}, which is no language's: name the language"
    )


def program(
    language: str, source: str | bytes, *, arguments: Sequence[str] = (), stdin: bytes = b""
) -> Program:
    """A program of one file, named as its language wants it."""
    chain = toolchain(language)
    content = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    name = chain.main
    if chain.name == "java" and (found := _PUBLIC_CLASS.search(content)):
        name = f"{found[1].decode()}.java"
    return Program(
        language=chain.name, files={name: content}, arguments=tuple(arguments), stdin=stdin
    )


@cache
def _names() -> Mapping[str, str]:
    return {
        alias.lower(): chain.name
        for chain in toolchains().values()
        for alias in (chain.name, *chain.aliases)
    }


def _read(path: Path) -> Toolchain:
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        table["self_test"] = SelfTest(**table["self_test"])
        values = {name: _frozen(value) for name, value in table.items()}
        chain = Toolchain(**({"environment": {}, "name": path.stem} | values))
    except (tomllib.TOMLDecodeError, TypeError, KeyError) as error:
        raise SandboxError(f"{path} is no toolchain: {error}; see the fields of Toolchain") from error
    for name in (field.name for field in fields(Toolchain)):
        if name in ("compile", "run", "version") and not isinstance(getattr(chain, name), tuple):
            raise SandboxError(f"{path} has {name} = {getattr(chain, name)!r}: it is a list of words")
    if chain.compile and not chain.artefacts:
        raise SandboxError(f"{path} compiles and names no artefacts: say what running needs")
    return chain


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
