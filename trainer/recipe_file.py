"""A recipe read from its file: every fault is told with file, table, key, value, rule and way out."""

import difflib
import hashlib
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from trainer.errors import RecipeInvalid
from trainer.recipe import Recipe

_SHIPPED = Path(__file__).parent / "recipes"


def shipped_recipes() -> list[str]:
    """Names of the recipes that come with the product."""
    return sorted(path.name for path in _SHIPPED.glob("*.toml"))


def read_recipe(place: str, changes: Sequence[str] = ()) -> Recipe:
    """The recipe of a file, or of a shipped one by its name, with `table.key=value` changes.

    A change's value is TOML; where it is none, it is taken as text. Raises RecipeInvalid.
    """
    path = Path(place)
    if not path.exists() and place in shipped_recipes():
        path = _SHIPPED / place
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeInvalid(
            f"{place} cannot be read ({error.strerror}): a recipe is a TOML file; name one, or one that"
            f" comes along: {', '.join(shipped_recipes())}"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeInvalid(f"{place} is no TOML: {error}; mend that line") from error
    for change in changes:
        apply_change(tables, change)
    return recipe_of(tables, source=place)


def recipe_of(tables: dict[str, Any], *, source: str) -> Recipe:
    """The recipe of tables as TOML reads them. Raises RecipeInvalid naming the source."""
    try:
        return Recipe.model_validate(tables)
    except ValidationError as error:
        faults = [_sentence(source, fault) for fault in error.errors()]
        raise RecipeInvalid("\n".join(faults)) from error


def recipe_digest(recipe: Recipe) -> str:
    """SHA-256 of what a recipe says, whatever its layout: defaults written out count the same."""
    said = recipe.model_dump(mode="json")
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def apply_change(tables: dict[str, Any], change: str) -> None:
    """Put `table.key=value` into tables as TOML reads them. Raises RecipeInvalid."""
    name, is_change, text = change.partition("=")
    keys = name.strip().split(".")
    if not is_change or not all(keys):
        raise RecipeInvalid(
            f"--set {change} is no change: it is table.key=value, such as batch.prompts=8; name the key"
            " with its table"
        )
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    for key in keys[:-1]:
        tables = tables.setdefault(key, {})
        if not isinstance(tables, dict):
            raise RecipeInvalid(
                f"--set {change}: {key} is a list and not a table; change the list in the file"
            )
    tables[keys[-1]] = value


def _sentence(source: str, fault: ErrorDetails) -> str:
    location = fault["loc"]
    name = f"{source}: {_key_path(location)}"
    if fault["type"] == "extra_forbidden":
        return f"{name} is no key of a recipe: {_known_keys(location)}"
    if fault["type"] == "missing":
        return f"{name} is not set: it has no default; add it"
    if fault["type"] == "value_error":
        return (
            f"{name}: {fault['ctx']['error']}" if location else f"{source}: {fault['ctx']['error']}"
        )
    rule = fault["msg"].replace("Input should", "it should")
    return f"{name} is {_shown(fault['input'])}: {rule}; {_description(location)}"


def _key_path(location: Sequence[str | int]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _table(location: Sequence[str | int]) -> type[BaseModel]:
    """The table that a key stands in."""
    table: type[BaseModel] = Recipe
    for part in location[:-1]:
        if isinstance(part, str) and part in table.model_fields:
            kind = table.model_fields[part].annotation
            inner = [one for one in (kind, *get_args(kind)) if isinstance(one, type)]
            table = next((one for one in inner if issubclass(one, BaseModel)), table)
    return table


def _known_keys(location: Sequence[str | int]) -> str:
    known = list(_table(location).model_fields)
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f"did you mean {close[0]}?" if close else f"known here are {', '.join(known)}; remove it"


def _description(location: Sequence[str | int]) -> str:
    keys = [part for part in location if isinstance(part, str)]
    field = _table(location).model_fields.get(keys[-1]) if keys else None
    text = " ".join((field.description or "").split()) if field else ""
    return f"change it ({text.rstrip('.')})" if text else "change it"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
