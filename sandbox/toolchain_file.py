"""A language's file, parsed and checked: what is wrong with it is said with its name and the rule."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.errors import SandboxError

_TEXTS = ("title", "main", "how")
_LISTS = (
    "aliases", "extensions", "compile", "artefacts", "run", "version", "needs", "folders", "packages",
)  # fmt: skip
_NUMBERS = ("memory_bytes", "compile_memory_bytes", "processes")
_TABLES = ("environment", "self_test")
_REQUIRED = ("title", "extensions", "main", "run", "version", "self_test")
_SELF_TEST = ("source", "stdin", "stdout")
_COMMANDS = "commands"
_PLACEHOLDERS = {"{main}", "{stem}", "{sources}"}
_PLACEHOLDER = re.compile(r"\{[a-z_]+\}")


def read_tables(path: Path) -> list[dict[str, Any]]:
    """Fields of a Toolchain, one mapping for each way to have the language, the best first.

    A file says several ways in [[commands]]: each repeats the fields in which it differs.
    Raises SandboxError.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SandboxError(f"{path} is no TOML: {error}; correct it") from error
    ways = table.pop(_COMMANDS, [{}])
    if not isinstance(ways, list) or not ways or not all(isinstance(way, dict) for way in ways):
        raise _wrong(path, _COMMANDS, ways, "it is tables, each headed [[commands]]")
    return [_checked(path, table | way) for way in ways]


def _checked(path: Path, table: Mapping[str, Any]) -> dict[str, Any]:
    known = (*_TEXTS, *_LISTS, *_NUMBERS, *_TABLES)
    if unknown := sorted(table.keys() - set(known)):
        raise SandboxError(f"{path} has {unknown[0]!r}: a language has {', '.join(known)}; drop it")
    if missing := [key for key in _REQUIRED if key not in table]:
        raise SandboxError(f"{path} has no {missing[0]!r}: every language has one; add it")
    for key, value in table.items():
        _check_type(path, key, value)
    _check_commands(path, table)
    for extension in table["extensions"]:
        if not re.fullmatch(r"\.[a-z0-9]+", extension):
            raise _wrong(path, "extensions", extension, "it is a dot and small letters or digits")
    if not table.get("packages") and not table.get("how"):
        raise _wrong(path, "packages", [], "name Debian's, or say in `how` where to get it")
    lists = {key: tuple(value) for key, value in table.items() if key in _LISTS}
    return {"name": path.stem, **table, **lists}


def _check_type(path: Path, key: str, value: Any) -> None:
    if key in _TEXTS and not (isinstance(value, str) and value):
        raise _wrong(path, key, value, "it is a text")
    if key in _LISTS and not (isinstance(value, list) and _all_texts(value)):
        raise _wrong(path, key, value, 'it is a list of words, ["such", "as", "this"]')
    if key in _NUMBERS and not (type(value) is int and value >= 0):
        raise _wrong(path, key, value, "it is a whole number from 0 on")
    if key in _TABLES and not (isinstance(value, dict) and _all_texts(list(value.values()))):
        raise _wrong(path, key, value, "it is a table of texts")


def _check_commands(path: Path, table: Mapping[str, Any]) -> None:
    for key in ("run", "version"):
        if not table[key]:
            raise _wrong(path, key, table[key], "it is a command of at least one word")
    if bool(table.get("compile")) != bool(table.get("artefacts")):
        raise SandboxError(
            f"{path} has one of compile and artefacts: what compiling leaves is what running needs;"
            " give both or neither"
        )
    for key in ("compile", "run"):
        for found in _PLACEHOLDER.findall(" ".join(table.get(key, ()))):
            if found not in _PLACEHOLDERS:
                raise _wrong(path, key, found, f"filled in are {', '.join(sorted(_PLACEHOLDERS))}")
    for name in table.get("artefacts", ()):
        if name.startswith("/") or ".." in name.split("/"):
            raise _wrong(path, "artefacts", name, "it is a name inside the work folder")
    test = table["self_test"]
    if sorted(test) != sorted(_SELF_TEST) or not test["source"].strip() or not test["stdout"]:
        raise _wrong(path, "self_test", sorted(test), "it is a source, its stdin and its stdout")


def _all_texts(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _wrong(path: Path, key: str, value: object, rule: str) -> SandboxError:
    return SandboxError(f"{path} has {key} = {value!r}: {rule}; correct it")
