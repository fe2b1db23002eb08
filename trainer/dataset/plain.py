"""Python values as JSON and back: what JSON has no form for is an object with the key "!"."""

from typing import Any

from trainer.errors import DatasetInvalid

_MARK = "!"
_BY_ITEMS = {"tuple": tuple, "set": set, "frozenset": frozenset}


def to_json(value: Any) -> Any:
    """Plain data for `json.dumps`. Raises DatasetInvalid for what is no plain data.

    Sets are sorted by their items' text, so that equal values have equal JSON.
    """
    if type(value) is complex:
        return {_MARK: "complex", "items": [value.real, value.imag]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value) and _MARK not in value:
            return {key: to_json(item) for key, item in value.items()}
        return {_MARK: "dict", "items": [[to_json(k), to_json(v)] for k, v in value.items()]}
    if isinstance(value, bytes):
        return {_MARK: "bytes", "items": list(value)}
    name = type(value).__name__
    if name in _BY_ITEMS:
        items = value if name == "tuple" else sorted(value, key=repr)
        return {_MARK: name, "items": [to_json(item) for item in items]}
    raise DatasetInvalid(
        f"a value of type {name} is no plain data: tests hold numbers, texts, lists,"
        " tuples, sets and dictionaries; leave the problem out"
    )


def from_json(value: Any) -> Any:
    """The value again. Raises DatasetInvalid for a mark that is none of ours."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _MARK not in value:
        return {key: from_json(item) for key, item in value.items()}
    kind, items = value[_MARK], value.get("items", [])
    if kind == "dict":
        return {from_json(key): from_json(item) for key, item in items}
    if kind == "complex":
        return complex(*items)
    if kind == "bytes":
        return bytes(items)
    if kind not in _BY_ITEMS:
        raise DatasetInvalid(
            f"a value is marked {kind!r}: there are tuple, set, frozenset, dict, complex and bytes;"
            " the data set is of a later version, or damaged"
        )
    return _BY_ITEMS[kind](from_json(item) for item in items)
