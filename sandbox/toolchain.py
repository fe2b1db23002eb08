"""Languages as data: how a program of each is compiled and run, one short file each in toolchains/."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePath

from sandbox.errors import SandboxError, ToolchainMissing, UnknownLanguage
from sandbox.executable import SYSTEM_FOLDERS, find_executable, folders_needed
from sandbox.java_name import java_name
from sandbox.program import Program
from sandbox.toolchain_file import read_tables

FOLDER = Path(__file__).parent / "toolchains"


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
    needs: names, patterns, folders that end in /. version: a command that prints it. needs: what
    its commands start themselves. environment: {work} in a value is the work folder. folders: what
    it reads outside of /usr. packages: Debian's. how: where to get it when it is not Debian's.
    memory_bytes, compile_memory_bytes, processes: what its runtime or compiler needs to start at
    all, 0 for nothing; limits below are raised to that.
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
    needs: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    how: str = ""
    memory_bytes: int = 0
    compile_memory_bytes: int = 0
    processes: int = 0

    @property
    def executables(self) -> tuple[str, ...]:
        """Commands that must be installed; not those that it makes itself."""
        first = [command[0] for command in (self.compile, self.run) if command]
        own = (word for word in first if not word.startswith("./"))
        return tuple(dict.fromkeys((*own, *self.needs)))


@cache
def toolchains() -> Mapping[str, Toolchain]:
    """Every language by its name. Raises SandboxError for a file that is not as it should be."""
    return load(FOLDER)


def toolchain(name: str) -> Toolchain:
    """The language of a name or alias, in any case. Raises UnknownLanguage."""
    names = _names()
    if (found := names.get(name.lower())) is not None:
        return toolchains()[found]
    close = difflib.get_close_matches(name[:80].lower(), names, n=3)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    raise UnknownLanguage(
        f"language {name[:80]!r} is unknown: {hint}there are {', '.join(toolchains())}"
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
    """A program of one file, named as its language wants it: in Java, after its main class."""
    chain = toolchain(language)
    content = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    name = f"{java_name(content)}.java" if chain.name == "java" else chain.main
    return Program(
        language=chain.name, files={name: content}, arguments=tuple(arguments), stdin=stdin
    )


def located(chain: Toolchain, folders: Sequence[str] = SYSTEM_FOLDERS) -> Mapping[str, str]:
    """Absolute path of each command that the language needs. Raises ToolchainMissing."""
    places = {name: find_executable(name, tuple(folders)) for name in chain.executables}
    if missing := [name for name, place in places.items() if place is None]:
        raise ToolchainMissing(
            f"language {chain.name!r} needs {', '.join(missing)}, not installed here: {remedy(chain)}"
        )
    return {name: place for name, place in places.items() if place is not None}


def remedy(chain: Toolchain) -> str:
    """How to get a language."""
    if not chain.packages:
        return chain.how
    return (
        f"as root, `codeloop sandbox languages --install {chain.name}` installs Debian's"
        f" {' '.join(chain.packages)}"
    )


def language_folders() -> tuple[str, ...]:
    """What the languages that are installed here read outside of /usr; programs must see it too."""
    found: list[str] = []
    for chain in toolchains().values():
        try:
            places = located(chain)
        except ToolchainMissing:
            continue
        found += [folder for place in places.values() for folder in folders_needed(place)]
        found += [folder for folder in chain.folders if Path(folder).exists()]
    return tuple(dict.fromkeys(found))


def load(folder: Path) -> Mapping[str, Toolchain]:
    """The languages of a folder. Raises SandboxError; no two may share a name or a suffix."""
    chains = {path.stem: _read(path) for path in sorted(folder.glob("*.toml"))}
    _check_unique((chain.name, (chain.name, *chain.aliases)) for chain in chains.values())
    _check_unique((chain.name, chain.extensions) for chain in chains.values())
    return chains


def choose_again() -> None:
    """Look again which of a language's several ways is installed."""
    toolchains.cache_clear()


@cache
def _names() -> Mapping[str, str]:
    return {
        alias.lower(): chain.name
        for chain in toolchains().values()
        for alias in (chain.name, *chain.aliases)
    }


def _read(path: Path) -> Toolchain:
    """The first of a language's ways that is installed here; if none is, the first."""
    ways = [
        Toolchain(**table | {"self_test": SelfTest(**table["self_test"])})
        for table in read_tables(path)
    ]
    present = (way for way in ways if all(map(find_executable, way.executables)))
    return next(present, ways[0])


def _check_unique(claims: Iterable[tuple[str, tuple[str, ...]]]) -> None:
    owners: dict[str, str] = {}
    for language, words in claims:
        for word in words:
            owner = owners.setdefault(word.lower(), language)
            if owner != language:
                raise SandboxError(f"{word!r} belongs to {owner} and {language}: drop it from one")
