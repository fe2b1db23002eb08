"""Reads a private suite's files into tables, and keeps for each the file and the lines it came from."""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # it comes without stubs

from evaluator.errors import DataInvalid, DataMissing

SUITE_FILES = ("suite.yaml", "suite.yml", "suite.toml")
_MOST_BYTES = 256 << 20


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # it comes without stubs
    """Dates stay text: they are checked where they are used, with their line."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # the library's own way to say it
        first: [(tag, pattern) for tag, pattern in rules if not tag.endswith(":timestamp")]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


@dataclass(frozen=True, kw_only=True)
class Row:
    """One table as written. lines: field path, such as ("stdio", 0, "output") → its line from 1."""

    file: Path
    line: int
    value: Any
    lines: Mapping[tuple[str | int, ...], int] = field(default_factory=dict)

    def line_of(self, path: Sequence[str | int]) -> int:
        """The line of a field, or of the closest one around it."""
        for length in range(len(path), 0, -1):
            if (found := self.lines.get(tuple(path[:length]))) is not None:
                return found
        return self.line


def suite_row(folder: Path) -> Row:
    """suite.yaml or suite.toml. Raises DataMissing, DataInvalid."""
    for name in SUITE_FILES:
        path = folder / name
        if path.is_file():
            return _toml(path) if name.endswith(".toml") else next(_yaml(path))
    raise DataMissing(
        f"{folder} holds no suite.yaml: a private suite is a folder with one; `codeloop eval new"
        f" {folder}` makes an example"
    )


def problem_files(folder: Path) -> list[Path]:
    """The files that hold problems, in the order of their names. Raises DataMissing."""
    found = [
        folder / name for name in ("problems.jsonl", "problems.yaml") if (folder / name).is_file()
    ]
    found += sorted([*(folder / "problems").glob("*.yaml"), *(folder / "problems").glob("*.yml")])
    if not found:
        raise DataMissing(
            f"{folder} holds no problems: put them in problems.jsonl, or in problems/ as YAML files"
        )
    return found


def problem_rows(file: Path) -> Iterator[Row]:
    """Each problem of a file. Raises DataInvalid where the file cannot be read as what it is."""
    if file.suffix == ".jsonl":
        yield from _json_lines(file)
        return
    for row in _yaml(file):
        if not isinstance(row.value, list):
            yield row
            continue
        for number, value in enumerate(row.value):
            lines = {path[1:]: line for path, line in row.lines.items() if path[:1] == (number,)}
            yield Row(file=file, line=lines.pop((), row.line), value=value, lines=lines)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataInvalid(f"{path} is longer than {_MOST_BYTES} bytes: split it")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataInvalid(f"{path} is no UTF-8 at byte {error.start}: save it as UTF-8") from error
    except OSError as error:
        raise DataInvalid(f"{path} cannot be read ({error.strerror}): check its rights") from error


def _json_lines(path: Path) -> Iterator[Row]:
    for number, line in enumerate(_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise DataInvalid(f"{path}, line {number} is no JSON: {error}") from error
        yield Row(file=path, line=number, value=value)


def _toml(path: Path) -> Row:
    text = _text(path)
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataInvalid(f"{path} is no TOML: {error}") from error
    lines: dict[tuple[str | int, ...], int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        lines.setdefault((line.partition("=")[0].strip(),), number)
    return Row(file=path, line=1, value=value, lines=lines)


def _yaml(path: Path) -> Iterator[Row]:
    text = _text(path)
    try:
        loaded = yaml.load(text, Loader=_Loader)
        node = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataInvalid(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    lines = dict(_lines(node, ())) if node is not None else {}
    yield Row(file=path, line=lines.get((), 1), value=loaded, lines=lines)


def _lines(
    node: yaml.Node, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], int]]:
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            yield from _lines(value, inner)
            # A value that is a block begins a line below its name; people look for the name.
            yield inner, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _lines(value, (*path, number))
