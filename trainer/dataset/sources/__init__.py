"""The table of sources: name → the module that reads it. Each `load` gives candidates and drops."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluator.data import DataFolder
from trainer.dataset.candidate import Candidate, Drop
from trainer.errors import DatasetInvalid

SOURCES: dict[str, tuple[str, str]] = {
    "short-functions": ("short", "the built-in family, its kinds to train on; needs no files"),
    "short-functions-held-out": ("short_held_out", "the family's other kinds, to evaluate on"),
    "leetcode": ("leetcode", "LeetCodeDataset v0.2.0, train split"),
    "mbpp": ("mbpp", "MBPP, train split: three asserts each, so pass --least-tests 3"),
    "code-jam": ("code_jam", "Code Jam and Kick Start; solutions come with --solutions"),
    "exercism": ("exercism", "Exercism's canonical cases; solutions come with --solutions"),
    "livecodebench": ("livecodebench", "LiveCodeBench before 2024-08; solutions with --solutions"),
    "taco": ("taco", "taco:FILE, rows as BAAI/TACO or TACO-verified have them"),
    "synthetic-1": ("synthetic", "synthetic-1:FILE, rows as verifiable-coding-problems has them"),
    "deepcoder": ("deepcoder", "deepcoder:FILE, rows as DeepCoder-Preview-Dataset has them"),
}
"""Name → (module of this package, what it is). A folder is an organisation's own suite."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a source's files are. data: the data folder. path: what followed the source's name."""

    data: DataFolder
    path: Path | None = None

    def file(self, source: str) -> Path:
        """The named file. Raises DatasetInvalid when none was named."""
        if self.path is None:
            raise DatasetInvalid(
                f"the source {source} names no file: write {source}:FILE, with JSON lines or a JSON"
                " list, gzip or not, or parquet"
            )
        return self.path


def load(spec: str, data: DataFolder) -> Iterator[Candidate | Drop]:
    """What a source holds. spec: a name, name:FILE, or a folder with a suite of one's own.

    Raises DatasetInvalid for no such source; DataMissing, DataInvalid for its files.
    """
    name, _, path = spec.partition(":")
    if name in SOURCES:
        module, place = SOURCES[name][0], Place(data=data, path=Path(path) if path else None)
    elif Path(spec).is_dir():
        module, place = "own", Place(data=data, path=Path(spec))
    else:
        raise DatasetInvalid(
            f"{spec!r} is no source: there are {', '.join(SOURCES)}, and folders with a suite"
        )
    found: Iterator[Candidate | Drop] = importlib.import_module(f"{__name__}.{module}").load(place)
    return found
