"""The published versions of a run: one folder each, never written twice, the last few kept."""

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.errors import SaveFailed
from trainer.policy import Policy
from trainer.published import remove_unfinished


@dataclass(frozen=True, kw_only=True)
class Published:
    """Weights that a sampler can load."""

    version: int
    folder: Path


class Versions:
    """Folders 000000, 000001 … by the policy's version. keep: how many of the newest stay."""

    def __init__(self, folder: Path, *, keep: int) -> None:
        self._folder, self._keep = folder, keep

    def publish(self, policy: Policy, summary: Mapping[str, Any], *, is_changed: bool) -> Published:
        """Write the policy's weights, unless they are there already. Blocks. Raises SaveFailed.

        is_changed: whether a step was made since they were last published.
        """
        number = policy.version + is_changed
        folder = self._folder / f"{number:06d}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            remove_unfinished(self._folder)
            if is_changed or not folder.exists():
                policy.publish(folder, summary)
        except OSError as error:
            raise SaveFailed(
                f"a version could not be written to {self._folder} ({error.strerror}): free space or mend"
                " the disk, then go on with --resume"
            ) from error
        assert policy.version == number
        return Published(version=number, folder=folder)

    def remove_after(self, version: int) -> None:
        """Forget what a killed run published past its checkpoint; those are learned anew."""
        for number, path in self._all():
            if number > version:
                shutil.rmtree(path, ignore_errors=True)

    def remove_old(self, needed: Collection[int]) -> None:
        """Keep the newest ones and those that are needed."""
        for number, path in self._all()[: -self._keep]:
            if number not in needed:
                shutil.rmtree(path, ignore_errors=True)

    def _all(self) -> list[tuple[int, Path]]:
        if not self._folder.is_dir():
            return []
        found = [(int(one.name), one) for one in self._folder.iterdir() if one.name.isdigit()]
        return sorted(found)
