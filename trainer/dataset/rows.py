"""Rows of a file from outside: JSON lines, a JSON list, either with gzip, or parquet."""

import gzip
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainer.errors import DatasetInvalid


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows, read as they are needed. Raises DatasetInvalid with file and line."""
    if not path.is_file():
        raise DatasetInvalid(f"{path} is not there, or no file: place it, or correct the name")
    if path.suffix == ".parquet":
        yield from _parquet(path)
        return
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as lines:
            first = lines.read(1)
            lines.seek(0)
            if first == "[":
                yield from _objects(enumerate(json.load(lines), 1), path)
                return
            parsed = ((n, json.loads(line)) for n, line in enumerate(lines, 1) if line.strip())
            yield from _objects(parsed, path)
    except (OSError, EOFError, ValueError) as error:
        raise DatasetInvalid(
            f"{path} is no JSON lines and no JSON list ({error}): get it again, or convert it"
        ) from error


def _objects(found: Any, path: Path) -> Iterator[dict[str, Any]]:
    for number, row in found:
        if not isinstance(row, dict):
            raise DatasetInvalid(
                f"{path}, row {number}: a row is a JSON object, this is a {type(row).__name__}"
            )
        yield row


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise DatasetInvalid(
            f"{path} is parquet and pyarrow is not installed: install it, or convert the file to JSON"
            " lines"
        ) from None
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=64):
            yield from batch.to_pylist()
