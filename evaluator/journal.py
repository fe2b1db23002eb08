"""A run's only state: a folder with a manifest and a journal that is only appended to.

    <run>/manifest.json     what is needed to repeat the run; written once, by one rename
    <run>/journal.jsonl     one JSON object a line: samples, then judgements of them

A line that a crash cut short is left out on reading, and cut off before the next one is written.
For two rows of one key the last one counts, so a new grading replaces an old one and both stay.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from evaluator.errors import JournalBroken
from evaluator.judgement import Judgement

MANIFEST, JOURNAL = "manifest.json", "journal.jsonl"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One answer of the model. suite, problem, index name it; attempt is 1 or 2, for suites with a second try.

    error: why there is no answer, after every retry; "" where there is one. The rest as in
    `evaluator.completer.Completion`.
    """

    suite: str
    problem: str
    index: int
    attempt: int = 1
    text: str = ""
    reasoning: str = ""
    finish_reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency_seconds: float = 0.0
    first_token_seconds: float | None = None
    num_retries: int = 0
    cost: float | None = None
    model_version: str = ""
    seed: int | None = None
    error: str = ""
    is_code: bool = False
    """The text is the program itself, as in samples of other tools: nothing is extracted."""

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What names a sample in its run."""
        return self.suite, self.problem, self.index, self.attempt


@dataclass(frozen=True, kw_only=True)
class Record:
    """A sample with its last judgement under the run's rules, if it was graded."""

    sample: Sample
    judgement: Judgement | None


class Journal:
    """A run folder that is written. One process at a time: a lock on the journal says so.

    Use it in a `with`. Safe for one thread; rows are on the disk after `sync`.
    """

    def __init__(self, folder: Path) -> None:
        """Open or make the folder. Raises JournalBroken."""
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with contextlib.ExitStack() as stack:
                self._file = stack.enter_context((folder / JOURNAL).open("ab+"))
                _lock(self._file.fileno(), folder)
                _cut_torn_line(self._file)
                stack.pop_all()
        except OSError as error:
            raise JournalBroken(
                f"{folder} cannot be written ({error.strerror}): free space or choose another --out"
            ) from error

    def write_sample(self, sample: Sample) -> None:
        """Append a sample."""
        self._write({"kind": "sample", **vars(sample)})

    def write_judgement(self, sample: Sample, rules: str, judgement: Judgement) -> None:
        """Append a judgement of a sample under rules such as "strict"."""
        suite, problem, index, attempt = sample.key
        self._write(
            {"kind": "judgement", "suite": suite, "problem": problem, "index": index,
             "attempt": attempt, "rules": rules, **judgement.as_row()}
        )  # fmt: skip

    def _write(self, row: dict[str, Any]) -> None:
        try:
            self._file.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        except OSError as error:
            raise self._full(error) from error

    def sync(self) -> None:
        """Have everything that was written on the disk. Raises JournalBroken."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._full(error) from error

    def _full(self, error: OSError) -> JournalBroken:
        return JournalBroken(
            f"{self.folder / JOURNAL} cannot be written ({error.strerror}): free space, then run"
            " the same command with --resume; nothing that was written is lost"
        )

    def close(self) -> None:
        """Write what is left and let go of the folder. Raises JournalBroken."""
        try:
            self.sync()
        finally:
            # After a failed write the same bytes fail again, and sync has told.
            with contextlib.suppress(OSError):
                self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest by one rename. Raises JournalBroken."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{MANIFEST}.{os.getpid()}"
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(manifest, file, indent=2, ensure_ascii=False, sort_keys=True)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / MANIFEST)
    except OSError as error:
        raise JournalBroken(f"{folder / MANIFEST} cannot be written ({error.strerror})") from error


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run folder. Raises JournalBroken."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise JournalBroken(f"{path} is not there: {folder} is no run folder") from None
    except (OSError, ValueError) as error:
        raise JournalBroken(f"{path} cannot be read: {error}") from error
    if not isinstance(manifest, dict):
        raise JournalBroken(f"{path} holds no object: it is no manifest of a run")
    return manifest


def read_records(folder: Path, rules: str) -> Iterator[Record]:
    """Every sample with its last judgement under the rules, in the order of the journal.

    Raises JournalBroken for a line in the middle that is no row; the last line may be torn.
    """
    samples: dict[tuple[str, str, int, int], Sample] = {}
    judgements: dict[tuple[str, str, int, int], Judgement] = {}
    for number, row in enumerate(_rows(folder / JOURNAL), 1):
        try:
            if row["kind"] == "sample":
                known = {name: row[name] for name in Sample.__dataclass_fields__ if name in row}
                sample = Sample(**known)
                samples[sample.key] = sample
            elif row["kind"] == "judgement" and row["rules"] == rules:
                key = row["suite"], row["problem"], row["index"], row["attempt"]
                judgements[key] = Judgement.from_row(row)
        except (KeyError, TypeError, ValueError) as error:
            raise JournalBroken(f"{folder / JOURNAL}, line {number}: {error!r}") from error
    for key, sample in samples.items():
        yield Record(sample=sample, judgement=judgements.get(key))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise JournalBroken(f"{path}, line {number} is no JSON: {error}") from error
    except FileNotFoundError:
        return
    except OSError as error:
        raise JournalBroken(f"{path} cannot be read ({error.strerror})") from error


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise JournalBroken(
            f"{folder} is in use by another command: wait for it, or choose another --out"
        ) from None


def _cut_torn_line(file: Any) -> None:
    """A crash may have left half a line; what follows must not be glued to it."""
    size = file.seek(0, os.SEEK_END)
    while size > 0:
        start = max(0, size - (1 << 16))
        file.seek(start)
        newline = file.read(size - start).rfind(b"\n")
        if newline >= 0:
            file.truncate(start + newline + 1)
            break
        size = start
    else:
        file.truncate(0)
    file.seek(0, os.SEEK_END)
