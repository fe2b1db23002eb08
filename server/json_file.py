"""A JSON object in a file of a model folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from server.errors import ModelCorrupt


def read_json(path: Path) -> Mapping[str, Any]:
    """The object. Raises ModelCorrupt when the file is missing, no JSON, or holds something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelCorrupt(
            f"{path.parent} has no {path.name}: it is no model in Hugging Face's layout; fetch or"
            " convert the model again"
        ) from None
    except (OSError, ValueError) as error:
        raise ModelCorrupt(f"{path} cannot be read as JSON: {error}; fetch it again") from None
    if not isinstance(content, dict):
        raise ModelCorrupt(f"{path} holds no JSON object; fetch it again")
    return content
