"""All that a run goes on from, as one folder that is there whole or not at all.

checkpoints/000040/ holds `policy.pt` (weights, optimiser, random state), `progress.json` (position in the
data, batches in flight, log length, counters), `version/` where answers in flight were drawn from an older
version, and `manifest.json` with every file's hash, written last. It is made beside, forced to the disk,
and renamed: a run that is killed at any moment leaves the last whole one standing.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import torch

from trainer.errors import CheckpointInvalid, SaveFailed

_MANIFEST, _POLICY, _PROGRESS, _VERSION = "manifest.json", "policy.pt", "progress.json", "version"
_PARTIAL = ".partial"
_READ_BYTES = 4 * 2**20
_SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What was saved after an iteration. version_folder: weights of batches in flight, or None."""

    iteration: int
    policy: Mapping[str, Any]
    progress: Mapping[str, Any]
    version_folder: Path | None


class Checkpoints:
    """The folder of them. keep: how many stay."""

    def __init__(self, folder: Path, *, keep: int) -> None:
        self._folder, self._keep = folder, keep

    def iterations(self) -> list[int]:
        """Of those that are there, oldest first; whether they verify is not looked at."""
        if not self._folder.is_dir():
            return []
        return sorted(int(path.name) for path in self._folder.iterdir() if path.name.isdigit())

    def save(
        self,
        iteration: int,
        *,
        policy: Mapping[str, Any],
        progress: Mapping[str, Any],
        version_folder: Path | None = None,
    ) -> int:
        """Write one and remove those past `keep`; its bytes. Blocks.

        Raises SaveFailed; nothing is left of it then, and those before stand.
        """
        final = self._folder / f"{iteration:06d}"
        partial = self._folder / f".{final.name}{_PARTIAL}"
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            facts = {
                _POLICY: _write_policy(partial / _POLICY, policy),
                _PROGRESS: _write(partial / _PROGRESS, orjson.dumps(progress)),
            }
            if version_folder is not None:
                facts |= _copy_version(version_folder, partial / _VERSION)
            manifest = {"schema": _SCHEMA, "iteration": iteration, "files": facts}
            _write(partial / _MANIFEST, json.dumps(manifest, indent=1).encode())
            _force(partial)
            if final.exists():  # of a run that was killed before it could log it
                shutil.rmtree(final)
            partial.rename(final)
            _force(self._folder)
        except (OSError, RuntimeError) as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise SaveFailed(
                f"checkpoint {final} could not be written ({error}): the last good one stands; free"
                " space or mend the disk, then go on with --resume"
            ) from error
        for old in self.iterations()[: -self._keep]:
            shutil.rmtree(self._folder / f"{old:06d}", ignore_errors=True)
        return sum(fact["bytes"] for fact in facts.values())

    def remove_after(self, iteration: int) -> None:
        """Forget those that were not gone on from."""
        for newer in self.iterations():
            if newer > iteration:
                shutil.rmtree(self._folder / f"{newer:06d}")

    def load(self, *, falls_back: bool = False) -> Checkpoint | None:
        """The newest; None where there is none.

        Raises CheckpointInvalid naming the file that does not verify; with falls_back the newest
        that does is taken instead.
        """
        refusal: CheckpointInvalid | None = None
        for iteration in reversed(self.iterations()):
            try:
                return _load(self._folder / f"{iteration:06d}", iteration)
            except CheckpointInvalid as error:
                refusal = refusal or error
                if not falls_back:
                    break
        if refusal is not None:
            raise refusal
        return None


def _load(folder: Path, iteration: int) -> Checkpoint:
    try:
        manifest = json.loads((folder / _MANIFEST).read_bytes())
        facts = manifest["files"]
        for name, fact in facts.items():
            _verify(folder / name, fact)
        progress = orjson.loads((folder / _PROGRESS).read_bytes())
        policy = torch.load(folder / _POLICY, map_location="cpu", weights_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _invalid(
            folder / _MANIFEST, f"it is not whole: {type(error).__name__}: {error}"
        ) from error
    has_version = any(name.startswith(f"{_VERSION}/") for name in facts)
    return Checkpoint(
        iteration=iteration,
        policy=policy,
        progress=progress,
        version_folder=folder / _VERSION if has_version else None,
    )


def _verify(path: Path, fact: Mapping[str, Any]) -> None:
    if not path.is_file():
        raise _invalid(path, "it is missing")
    num_bytes = path.stat().st_size
    if num_bytes != fact["bytes"]:
        raise _invalid(path, f"it has {num_bytes} bytes and had {fact['bytes']}")
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_READ_BYTES):
            digest.update(part)
    if digest.hexdigest() != fact["sha256"]:
        raise _invalid(path, "its SHA-256 is not the manifest's")


def _invalid(path: Path, reason: str) -> CheckpointInvalid:
    return CheckpointInvalid(
        f"{path} cannot be gone on from: {reason}; put the file back, or go on from the one before with"
        " --fall-back"
    )


class _Hashing:
    """A file that is hashed as it is written."""

    def __init__(self, path: Path) -> None:
        self._file, self._digest, self._num_bytes = path.open("wb"), hashlib.sha256(), 0

    def write(self, part: Any) -> int:
        self._digest.update(part)
        written = self._file.write(part)
        self._num_bytes += written
        return written

    def flush(self) -> None:
        self._file.flush()

    def finish(self) -> dict[str, Any]:
        """Force it to the disk; the file's line of the manifest."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        finally:
            self._file.close()
        return {"sha256": self._digest.hexdigest(), "bytes": self._num_bytes}


def _write_policy(path: Path, policy: Mapping[str, Any]) -> dict[str, Any]:
    file = _Hashing(path)
    try:
        torch.save(dict(policy), file)
    finally:
        fact = file.finish()
    return fact


def _write(path: Path, content: bytes) -> dict[str, Any]:
    file = _Hashing(path)
    file.write(content)
    return file.finish()


def _copy_version(source: Path, target: Path) -> dict[str, Any]:
    """A second name for each file where the disk allows it: versions are never written again."""
    target.mkdir()
    facts = {}
    for path in sorted(source.iterdir()):
        copy = target / path.name
        try:
            os.link(path, copy)
            with copy.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            facts[f"{_VERSION}/{path.name}"] = {"sha256": digest, "bytes": copy.stat().st_size}
        except OSError:
            facts[f"{_VERSION}/{path.name}"] = _write(copy, path.read_bytes())
    _force(target)
    return facts


def _force(folder: Path) -> None:
    """A folder's entries to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
