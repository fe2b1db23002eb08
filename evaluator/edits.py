"""Files that an answer replaces: each one whole, its path on a line before its fenced block.

    src/clock.py
    ```python
    (the whole new file)
    ```

The path may stand in backticks, bold, a heading, after "File:", or after the fence's language. The
last block of a path counts. Where exactly one file may change, the answer's last fenced block is
that file even if nothing names it. Source: Aider's format "whole".
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

_FENCE = re.compile(r"^[ ]{0,3}(`{3,}|~{3,})[ \t]*([^`\n]*?)[ \t]*$")
_DECORATION = re.compile(r"^(?:#+|[-*+]|\d+[.)])\s+")
_LABEL = re.compile(r"^(?:file|filename|path)\s*:\s*", re.IGNORECASE)
_PATH = re.compile(r"^[\w.@+-]+(?:/[\w.@+-]+)*$")
_SUFFIX = re.compile(r"\.[A-Za-z]\w{0,9}$")


class EditRefused(Exception):
    """An answer changes what it may not change; the text says what and why."""


@dataclass(frozen=True, kw_only=True)
class _Block:
    name: str
    content: str


def parse_edits(answer: str, editable: Collection[str]) -> dict[str, str]:
    """Path → new content of each file that the answer replaces; empty when it replaces none.

    Raises EditRefused for a block whose path is none of `editable`.
    """
    edits: dict[str, str] = {}
    nameless: str | None = None
    for block in _blocks(answer.replace("\r\n", "\n"), editable):
        if not block.name:
            nameless = block.content
            continue
        edits[_allowed(block.name, editable)] = block.content
    if not edits and nameless is not None and len(editable) == 1:
        return {next(iter(editable)): nameless}
    return edits


def render_edits(files: Mapping[str, str]) -> str:
    """An answer in the format that `parse_edits` reads."""
    parts: list[str] = []
    for path, content in files.items():
        fence = "```"
        while fence in content:
            fence += "`"
        ending = "" if content.endswith("\n") else "\n"
        parts.append(f"{path}\n{fence}\n{content}{ending}{fence}\n")
    return "\n".join(parts)


def _allowed(name: str, editable: Collection[str]) -> str:
    if name in editable:
        return name
    # "clock.py" for "src/clock.py" is understood when only one file is meant.
    meant = [path for path in editable if PurePosixPath(path).name == name]
    if len(meant) == 1:
        return meant[0]
    raise EditRefused(
        f"{name} is not editable: an answer may replace {', '.join(editable)} and nothing else"
    )


def _blocks(text: str, editable: Collection[str]) -> Iterator[_Block]:
    """Each fenced block with the path that names it, or ""; an unclosed one ends with the text."""
    fence, name, previous = "", "", ""
    lines: list[str] = []
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if not fence:
            if found:
                fence, lines = found[1], []
                name = _path_in(previous, editable) or _path_in_fence(found[2], editable)
                previous = ""
            elif line.strip():
                previous = line
        elif found and not found[2] and found[1].startswith(fence):
            yield _Block(name=name, content=_joined(lines))
            fence = ""
        else:
            lines.append(line)
    if fence and any(line.strip() for line in lines):
        yield _Block(name=name, content=_joined(lines).rstrip("\n") + "\n")


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _path_in_fence(info: str, editable: Collection[str]) -> str:
    """The path after a fence's language, as in "python src/clock.py" or "python:src/clock.py"."""
    words = re.split(r"[\s:=]+", info)
    return next((name for word in words[1:] if (name := _path_in(word, editable))), "")


def _path_in(line: str, editable: Collection[str]) -> str:
    """The path that a line consists of, or "". A word without a suffix is one if it is editable."""
    text = _DECORATION.sub("", line.strip())
    text = text.strip("*_`:\"' ")
    text = _LABEL.sub("", text).strip("*_`:\"' ")
    text = text.removeprefix("./")
    is_path = text in editable or bool(_PATH.match(text) and _SUFFIX.search(text))
    return text if is_path else ""
