"""The folder of a run: whose it is, and that only one process writes it.

run.json says what the run was begun with; `lock` is held by the process that writes. Beside them are
log.jsonl, checkpoints/ and, unless the recipe puts them elsewhere, versions/.
"""

import fcntl
import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from trainer.errors import RecipeInvalid, RunRefused, SaveFailed
from trainer.recipe import Recipe

_RUN, _LOCK = "run.json", "lock"
_MAY_CHANGE = frozenset({"limits", "checkpoint", "publish", "evaluation", "pipeline", "sampler"})
"""Tables that may differ when a run is gone on with; of the pipeline the mode may not."""


class RunFolder:
    """Held for the body of a `with`. Raises RunRefused, RecipeInvalid, SaveFailed."""

    def __init__(self, path: Path, recipe: Recipe, *, is_resumed: bool) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = (path / _LOCK).open("w")
        except OSError as error:
            raise _not_written(path, error) from error
        try:
            self._hold()
            self._begin(recipe, is_resumed=is_resumed)
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.close()

    def _hold(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunRefused(
                f"{self.path} is being written by another process: a run has one writer; wait for it, or"
                " name another folder with --out"
            ) from error

    def _begin(self, recipe: Recipe, *, is_resumed: bool) -> None:
        place = self.path / _RUN
        ours = recipe.model_dump(mode="json")
        if not place.exists():
            try:
                place.write_text(json.dumps({"recipe": ours}, indent=1), encoding="utf-8")
            except OSError as error:
                raise _not_written(place, error) from error
            return
        if not is_resumed:
            raise RunRefused(
                f"{self.path} holds a run: two runs are never mixed; go on with it by --resume, or name"
                " another folder with --out"
            )
        try:
            theirs = json.loads(place.read_text(encoding="utf-8"))["recipe"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunRefused(
                f"{place} cannot be read ({type(error).__name__}: {error}): it says what the run was begun"
                " with; put it back, or begin anew in another folder"
            ) from error
        changed = sorted(_changed(theirs, ours))
        if changed:
            raise RecipeInvalid(
                f"the recipe differs from the one that {self.path} was begun with in"
                f" {', '.join(changed)}: a run goes on as it was; only limits, checkpoint, publish,"
                " evaluation, sampler and the pipeline's deadlines may change; begin anew for others"
            )


def _changed(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> set[str]:
    found = {
        name
        for name in theirs.keys() | ours.keys()
        if name not in _MAY_CHANGE and theirs.get(name) != ours.get(name)
    }
    if theirs.get("pipeline", {}).get("mode") != ours["pipeline"]["mode"]:
        found.add("pipeline.mode")
    return found


def _not_written(path: Path, error: OSError) -> SaveFailed:
    return SaveFailed(
        f"{path} cannot be written ({error.strerror}): free space, mend the disk, or name another folder"
        " with --out"
    )
