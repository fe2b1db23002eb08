"""One fault of a settings file as a sentence: file, key, value found, rule, way out."""

import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

RULES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than": lambda limits: f"it must be greater than {limits['gt']}",
    "greater_than_equal": lambda limits: f"it must be at least {limits['ge']}",
    "less_than": lambda limits: f"it must be less than {limits['lt']}",
    "less_than_equal": lambda limits: f"it must be at most {limits['le']}",
    "finite_number": lambda _: "it must be a finite number",
    "int_type": lambda _: "it must be a whole number",
    "int_from_float": lambda _: "it must be a whole number",
    "float_type": lambda _: "it must be a number",
    "bool_type": lambda _: "it must be true or false",
    "string_type": lambda _: 'it must be text in quotes, as in "text"',
    "string_too_short": lambda limits: f"it must have at least {limits['min_length']} character",
    "string_pattern_mismatch": lambda limits: f"it must match {limits['pattern']}",
    "literal_error": lambda limits: f"it must be {limits['expected']}",
    "path_type": lambda _: 'it must be a path in quotes, as in "/srv/codeloop"',
    "tuple_type": lambda _: 'it must be a list, as in ["a", "b"]',
    "model_type": lambda _: "it must be a table, as in { key = value }",
    "value_error": lambda limits: str(limits["error"]),
}
"""Kind of pydantic's error → the rule that was broken, from the limits that it carries."""


def problem(source: str, fault: ErrorDetails, root: type[BaseModel]) -> str:
    """The sentence for one of pydantic's errors.

    source: the name of the file. root: the model that was validated; its fields give the
    default to fall back on and the keys that a misspelt one may have meant.
    """
    location = fault["loc"]
    name = f"{source}: {key_path(location)}"
    if fault["type"] == "extra_forbidden":
        return f"{name} is not a setting: {_known_keys(location, root)}"
    if fault["type"] == "missing":
        return f"{name} is not set: it has no default; add it, or remove its table"
    if fault["type"] == "value_error" and isinstance(fault["input"], dict):
        # A rule about several keys at once: its text names them and the way out.
        return f"{name}: {fault['ctx']['error']}"
    rule = RULES.get(fault["type"])
    text = rule(fault.get("ctx", {})) if rule else fault["msg"]
    return f"{name} is {_shown(fault['input'])}: {text}; {_way_out(location, root)}"


def key_path(location: Sequence[str | int]) -> str:
    """A place in the file as a person would write it: `server.models[0].name`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the file"


def _known_keys(location: Sequence[str | int], root: type[BaseModel]) -> str:
    table = _model_at(location[:-1], root)
    if table is None:
        return "remove it"
    known = list(table.model_fields)
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f"did you mean {near[0]}?" if near else f"known here are {', '.join(known)}"


def _way_out(location: Sequence[str | int], root: type[BaseModel]) -> str:
    field = _field_at(location, root)
    if field is None or field.is_required():
        return "correct it"
    if field.default is None:
        return "correct it, or leave it out"
    if isinstance(field.default, BaseModel):
        return "correct it, or leave it out for the defaults"
    return f"correct it, or leave it out for the default, {_shown(field.default)}"


def _shown(value: object) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _field_at(location: Sequence[str | int], root: type[BaseModel]) -> FieldInfo | None:
    table = _model_at(location[:-1], root)
    return None if table is None else table.model_fields.get(str(location[-1]))


def _model_at(location: Sequence[str | int], root: type[BaseModel]) -> type[BaseModel] | None:
    model: type[BaseModel] | None = root
    for part in location:
        if isinstance(part, int):
            continue
        field = None if model is None else model.model_fields.get(part)
        model = None if field is None else model_within(field.annotation)
    return model


def model_within(annotation: Any) -> type[BaseModel] | None:
    """The settings model inside an annotation such as `tuple[M, ...]` or `M | None`, if any."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (tuple, list, Union, UnionType):
        found = (model_within(part) for part in get_args(annotation))
        return next((model for model in found if model is not None), None)
    return None
