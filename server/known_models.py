"""Models whose configs ship with the server, so that a plan needs no download."""

import difflib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from server.errors import ModelNotFound

FOLDER = Path(__file__).parent / "known_configs"


@cache
def known_models() -> Mapping[str, Mapping[str, Any]]:
    """Hub id → config, of which only the keys that decide size, cache and context."""
    files = (json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json")))
    return {entry["source"]: entry["config"] for entry in files}


def exact_known_model(text: str) -> str | None:
    """The hub id that is `text` in any case of letters, with its owner or without; else None."""
    wanted = text.strip().lower()
    return next((hub_id for hub_id in known_models() if wanted in _names(hub_id)), None)


def find_known_model(text: str) -> str:
    """The hub id that `text` means: itself, or the start of it where one model alone starts so.

    Raises ModelNotFound with the candidates or the nearest names.
    """
    if exact := exact_known_model(text):
        return exact
    wanted = text.strip().lower()
    starts = [
        hub_id
        for hub_id in known_models()
        if wanted and any(name.startswith(wanted) for name in _names(hub_id))
    ]
    if len(starts) == 1:
        return starts[0]
    if starts:
        raise ModelNotFound(
            f"{text!r} is the start of {len(starts)} model names: {', '.join(starts)}; give one of"
            " them"
        )
    by_short_name = {_names(hub_id)[1]: hub_id for hub_id in known_models()}
    near = difflib.get_close_matches(wanted.rpartition("/")[2], by_short_name, n=3, cutoff=0.4)
    shown = [by_short_name[name] for name in near] or list(known_models())
    raise ModelNotFound(
        f"no model {text!r} on disk or among those whose size is known:"
        f" {'nearest are' if near else 'known are'} {', '.join(shown)}; give one of them, or the"
        " folder of a model"
    )


def _names(hub_id: str) -> tuple[str, str]:
    return hub_id.lower(), hub_id.rpartition("/")[2].lower()
