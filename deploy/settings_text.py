"""Settings as TOML for people: an annotated example made from the models, and the values in force.

In the example a line of prose begins with "# ", a default with "#" alone. So removing that "#"
gives a file that says what codeloop does anyway (a test does it).
"""

import json
import math
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from deploy.settings_problem import model_within

EXAMPLE_VALUES: Mapping[str, object] = {"server.models.name": "smollm2-135m"}
"""What the example says for keys that have no default."""

SECRETS = ("sandbox.node.keys", "sandbox.node_key")
"""What `codeloop config show` keeps to itself: its output goes into reports."""

HEAD = """\
# Settings of codeloop. Everything is optional: a key that is left out has the default shown here.
# To change a key, remove the "#" before it and before the [table] that it stands under.
# Check the file with `codeloop config check`, see all of it in force with `codeloop config show`.
"""

Origin = Callable[[str], str]
"""Dotted path of a key → where its value came from."""


def example(root: type[BaseModel]) -> str:
    """A settings file with every key, its meaning and its default, all commented out."""
    return HEAD + "\n".join(_example_table("", root))


def effective(settings: BaseModel, origin: Origin) -> str:
    """The settings in force as TOML that loads again; a comment tells where each came from."""
    return "\n".join(_effective_table("", settings, origin)).strip() + "\n"


def toml_value(value: object) -> str:
    """A settings value as TOML writes it."""
    if isinstance(value, Path):
        return json.dumps(str(value), ensure_ascii=False)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, tuple):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False)


def _example_table(path: str, model: type[BaseModel]) -> Iterator[str]:
    for key, field in _values_first(model):
        here = f"{path}.{key}".lstrip(".")
        inner = model_within(field.annotation)
        if inner is not None:
            yield ""
            yield from _prose(field.description)
            yield from _example_subtable(here, field, inner)
            continue
        yield from _prose(field.description)
        default = EXAMPLE_VALUES.get(here, field.get_default(call_default_factory=True))
        if default is None or default is PydanticUndefined:
            yield f"# {key} = …"
        else:
            yield f"#{key} = {toml_value(_for_anybody(default))}"


def _for_anybody(default: object) -> object:
    """The default as it reads on any machine: a path in the user's own folder begins with ~."""
    if isinstance(default, Path) and default.is_relative_to(Path.home()):
        return "~" / default.relative_to(Path.home())
    return default


def _example_subtable(here: str, field: FieldInfo, inner: type[BaseModel]) -> Iterator[str]:
    default = field.default
    if default is None:
        # Nothing to uncomment: the keys have no defaults, and the default is no table at all.
        yield f"# [{here}]"
        yield from ("# " + line.lstrip("# ") for line in _example_table(here, inner))
    elif isinstance(default, tuple):
        yield f"#[[{here}]]"
        yield from _example_table(here, inner)
    else:
        yield f"#[{here}]"
        if any(inner_field.is_required() for inner_field in inner.model_fields.values()):
            yield from _example_values(default)
        else:
            yield from _example_table(here, inner)


def _example_values(table: BaseModel) -> Iterator[str]:
    """The keys of a table whose defaults are its owner's, such as one lane of several."""
    for key, field in type(table).model_fields.items():
        yield from _prose(field.description)
        yield f"#{key} = {toml_value(getattr(table, key))}"


def _effective_table(path: str, table: BaseModel, origin: Origin) -> Iterator[str]:
    for key, _ in _values_first(type(table)):
        here = f"{path}.{key}".lstrip(".")
        value = getattr(table, key)
        if isinstance(value, BaseModel):
            yield f"\n[{here}]"
            yield from _effective_table(here, value, origin)
        elif _is_tables(value):
            for index, item in enumerate(value):
                yield f"\n[[{here}]]"
                yield from _effective_table(here, item, _of_item(here, index, origin))
        elif value is None:
            yield f"# {key} is unset"
        elif here in SECRETS and value:
            yield f"# {key} is set, and not shown  # {origin(here)}"
        else:
            yield f"{key} = {toml_value(value)}  # {origin(here)}"


def _of_item(list_path: str, index: int, origin: Origin) -> Origin:
    """The origin of keys in one table of a list: TOML's headers repeat the path without the index."""

    def item_origin(key: str) -> str:
        return origin(key.replace(list_path, f"{list_path}[{index}]", 1))

    return item_origin


def _is_tables(value: object) -> TypeGuard[tuple[BaseModel, ...]]:
    return isinstance(value, tuple) and bool(value) and isinstance(value[0], BaseModel)


def _values_first(model: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    """The fields, tables last: what follows a table's header would belong to that table."""
    fields = model.model_fields.items()
    return sorted(fields, key=lambda item: model_within(item[1].annotation) is not None)


def _prose(text: str | None) -> list[str]:
    return textwrap.wrap(
        " ".join((text or "").split()), 98, initial_indent="# ", subsequent_indent="# "
    )


def given_keys(tables: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The dotted path of every value that a parsed file sets: `server.models[0].name`."""
    for key, value in tables.items():
        here = f"{path}.{key}".lstrip(".")
        if isinstance(value, dict):
            yield from given_keys(value, here)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for index, item in enumerate(value):
                yield from given_keys(item, f"{here}[{index}]")
        else:
            yield here
