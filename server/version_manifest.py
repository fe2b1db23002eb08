"""manifest.json of a published version: a stored model's, and a table `training` of where it comes from.

Unknown keys are passed over, so that a trainer may say more; another schema is refused by name.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from server.errors import VersionRefused
from server.model_manifest import NAME, SCHEMA, Manifest

LARGEST_BYTES = 256 * 2**20
"""Past any real one: 100,000 tensors take 15 MB."""

ADAPTER_CONFIG = "adapter_config.json"

VersionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class TrainingFacts(BaseModel):
    """What the trainer says of a version; the catalog keeps it and believes none of it."""

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)

    version: VersionName | None = None
    parent: VersionName | None = None
    """The version that training went on from; None, and `0`, is the base model."""
    base: str = ""
    run: str | None = None
    step: int | None = Field(default=None, ge=0)
    recipe_sha256: str | None = None
    dataset_sha256s: Mapping[str, str] = Field(default_factory=dict)
    summary: Mapping[str, Any] = Field(default_factory=dict)
    """Rewards and evaluations as the trainer saw them; not what the gate measured."""


class VersionManifest(Manifest):
    """What a version is, by its trainer."""

    training: TrainingFacts = TrainingFacts()

    @property
    def kind(self) -> Literal["full", "adapter"]:
        """Full weights, or what is loaded beside those of the base model."""
        return "adapter" if ADAPTER_CONFIG in self.files else "full"


def read_version_manifest(folder: Path) -> VersionManifest:
    """The manifest of a published folder. Raises VersionRefused, by name for another schema."""
    path = folder / NAME
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ValueError(f"it is larger than {LARGEST_BYTES} bytes")
        content = json.loads(path.read_bytes(), parse_constant=_refuse_constant)
        if not isinstance(content, dict):
            raise TypeError("it holds no JSON object")
        schema = content.get("schema")
        if schema == SCHEMA:
            return VersionManifest.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        why = f"{'.'.join(map(str, first['loc'])) or 'the text'}: {first['msg']}"
    except (OSError, ValueError, TypeError, RecursionError) as error:
        why = str(error)
    else:
        raise VersionRefused(
            f"{path} has schema {schema!r}: this codeloop reads schema {SCHEMA}; publish with a"
            " trainer of this release, or update the server first"
        )
    raise VersionRefused(f"{path} is no manifest of a version ({why}): publish the folder again")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
