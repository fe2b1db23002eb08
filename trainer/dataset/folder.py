"""A data set on disk: problems, what was left out, and a manifest that tells a whole one from the rest.

problems.jsonl   one TrainingProblem a line
dropped.jsonl    what was left out, each with its reason
manifest.json    schema, SHA-256 and lines of both, sources, licences, counts, thresholds
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer.dataset.candidate import Drop
from trainer.dataset.problem import TrainingProblem
from trainer.errors import DatasetInvalid

SCHEMA = 1
PROBLEMS, DROPPED, MANIFEST = "problems.jsonl", "dropped.jsonl", "manifest.json"


def check_place(folder: Path) -> None:
    """Raise DatasetInvalid where something else than a data set is there."""
    if folder.exists() and not (folder / MANIFEST).is_file():
        raise DatasetInvalid(
            f"{folder} is there and is no data set: name another folder with --out, or remove it"
        )


def write_dataset(
    folder: Path,
    problems: Sequence[TrainingProblem],
    drops: Sequence[Drop],
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """Write a data set in one rename and return its manifest. Raises DatasetInvalid.

    The folder must not be there, or be a data set, which is replaced.
    """
    check_place(folder)
    folder = folder.resolve()
    made = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        made.mkdir(parents=True)
        files = {
            PROBLEMS: _write_lines(made / PROBLEMS, (one.as_row() for one in problems)),
            DROPPED: _write_lines(made / DROPPED, (one.as_row() for one in drops)),
        }
        manifest = {"schema": SCHEMA, "files": files, **facts}
        _write(made / MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
        _put(made, folder)
    except OSError as error:
        raise DatasetInvalid(
            f"{folder} cannot be written ({error.strerror}): make room, or name another folder"
        ) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return manifest


def _put(made: Path, folder: Path) -> None:
    """A folder cannot be renamed over a full one: the old one steps aside first."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    made.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    text = _text(rows)
    _write(path, text)
    return {"sha256": _sha256(text), "rows": text.count("\n")}


def _text(rows: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=True) + "\n" for row in rows)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a data set. Raises DatasetInvalid."""
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DatasetInvalid(
            f"{folder} is no data set, as it has no {MANIFEST}: make one with codeloop train data build"
        ) from None
    except (OSError, ValueError) as error:
        raise DatasetInvalid(
            f"{path} cannot be read ({error}): build the data set again"
        ) from error
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        schema = found.get("schema") if isinstance(found, dict) else None
        raise DatasetInvalid(
            f"{path} has schema {schema!r}, and this version reads {SCHEMA}: build the data set again"
        )
    return found


def load_dataset(folder: Path) -> list[TrainingProblem]:
    """The problems of a data set that is whole, in their order. Raises DatasetInvalid."""
    files = read_manifest(folder).get("files", {})
    content = {name: _checked(folder / name, files.get(name)) for name in (PROBLEMS, DROPPED)}
    rows = [json.loads(line) for line in content[PROBLEMS].splitlines()]
    problems = [TrainingProblem.from_row(row) for row in rows]
    if not problems:
        raise DatasetInvalid(
            f"{folder} has no problems: every one was left out, and {DROPPED} says why"
        )
    if len({problem.id for problem in problems}) != len(problems):
        raise DatasetInvalid(f"{folder} has a problem twice: build the data set again")
    return problems


def dataset_digest(folder: Path) -> str:
    """SHA-256 of the problems, for the manifests of versions. Raises DatasetInvalid."""
    return str(read_manifest(folder)["files"][PROBLEMS]["sha256"])


def problems_digest(problems: Iterable[TrainingProblem]) -> str:
    """The same of problems that lie in no folder."""
    return _sha256(_text(one.as_row() for one in problems))


def _checked(path: Path, known: Mapping[str, Any] | None) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetInvalid(
            f"{path} cannot be read ({error.strerror}): build the data set again"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if known is None or found != known.get("sha256"):
        raise DatasetInvalid(
            f"{path} has SHA-256 {found[:16]}…, not what its manifest says: copy it again, or build it"
            " again"
        )
    return content
