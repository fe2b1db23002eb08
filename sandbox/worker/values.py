"""Plain Python data as JSON text that keeps types, written inside the wall and read outside.

None, bool, int, float, str and list are themselves. Everything else is {"~": kind, ...}: tuple, set,
frozenset, dict, bytes, complex, what JSON's numbers cannot hold, and `object` for what is no data.
An instance of a subclass is written as its base with the subclass's name beside it. Only exact types
are looked at, so no `__eq__`, `__repr__` or `__iter__` of a program takes part.

The reader expects every byte to be hostile: it raises UnreadableValue and nothing else.
"""

import json
import math
from typing import Any

MAX_DEPTH = 200
_MAX_PLAIN_INT = 2**53
_BASES = (bool, int, float, complex, str, bytes, tuple, list, dict, set, frozenset)


class UnreadableValue(Exception):
    """The text is no value of ours."""


class Opaque:
    """A value that is no plain data: equal to nothing, not even to itself.

    kind: the name of its type.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<{self.kind}>"


def encode(value: Any) -> bytes:
    """The text of a value. Raises RecursionError for one that is deeper than MAX_DEPTH or holds itself."""
    return json.dumps(_plain(value, 0), separators=(",", ":")).encode("utf-8", "surrogatepass")


def decode(text: bytes) -> Any:
    """The value of a text. Raises UnreadableValue."""
    try:
        return _value(json.loads(text.decode("utf-8", "surrogatepass")), 0)
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError, MemoryError) as error:
        raise UnreadableValue(f"{type(error).__name__}: {str(error)[:200]}") from None


def _plain(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise RecursionError("the value is nested too deep")
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        is_small = -_MAX_PLAIN_INT < value < _MAX_PLAIN_INT
        return value if is_small else {"~": "int", "v": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {"~": "float", "v": repr(value)}
    if kind is list:
        return [_plain(item, depth + 1) for item in value]
    return _tagged(value, kind, depth)


def _tagged(value: Any, kind: type, depth: int) -> Any:
    if kind is complex:
        return {"~": "complex", "v": [_plain(value.real, 0), _plain(value.imag, 0)]}
    if kind is bytes:
        return {"~": "bytes", "v": value.hex()}
    if kind is tuple or kind is set or kind is frozenset:
        return {"~": kind.__name__, "v": [_plain(item, depth + 1) for item in value]}
    if kind is dict:
        pairs = [[_plain(key, depth + 1), _plain(item, depth + 1)] for key, item in value.items()]
        return {"~": "dict", "v": pairs}
    for base in _BASES:
        if issubclass(kind, base):
            content = _plain(_as_base(base, value), depth + 1)
            return {"~": "sub", "n": kind.__name__, "v": content}
    if kind.__module__ == "numpy" and hasattr(value, "tolist"):
        return {"~": "sub", "n": f"numpy.{kind.__name__}", "v": _plain(value.tolist(), depth + 1)}
    return {"~": "object", "v": kind.__name__}


def _as_base(base: type, value: Any) -> Any:
    """The base's own copy of a subclass's instance, without asking the subclass."""
    if base is dict:
        return dict(dict.items(value))
    if base in (tuple, list, set, frozenset):
        return base(base.__iter__(value))
    if base is int:
        return int.__add__(value, 0)
    if base is float:
        return float.__add__(value, 0.0)
    if base is complex:
        return complex.__add__(value, 0j)
    text_or_bytes: Any = base
    return text_or_bytes.__add__(value, text_or_bytes())


def _value(plain: Any, depth: int) -> Any:
    if depth > 2 * MAX_DEPTH:
        raise RecursionError("nested too deep")
    if isinstance(plain, list):
        return [_value(item, depth + 1) for item in plain]
    if not isinstance(plain, dict):
        return plain
    kind, content = plain["~"], plain["v"]
    if kind == "object":
        return Opaque(str(content)[:100])
    if kind == "sub":
        return _value(content, depth + 1)
    if kind in ("int", "float", "bytes", "complex"):
        return _scalar(kind, content)
    return _collection(kind, content, depth)


def _scalar(kind: str, content: Any) -> Any:
    if kind == "int":
        return int(content, 16)
    if kind == "float":
        return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[content]
    if kind == "bytes":
        return bytes.fromhex(content)
    real, imaginary = (_value(part, 0) for part in content)
    return complex(real, imaginary)


def _collection(kind: str, content: Any, depth: int) -> Any:
    if not isinstance(content, list):
        raise TypeError(f"a {kind} of {type(content).__name__}")
    if kind == "tuple":
        return tuple(_value(item, depth + 1) for item in content)
    if kind == "dict":
        pairs = [(_value(key, depth + 1), _value(item, depth + 1)) for key, item in content]
        _refuse_collisions([key for key, _ in pairs])
        return dict(pairs)
    items = [_value(item, depth + 1) for item in content]
    _refuse_collisions(items)
    return {"set": set, "frozenset": frozenset}[kind](items)


def _refuse_collisions(keys: "list[Any]") -> None:
    """Thousands of different keys with one hash would keep the reader busy for minutes."""
    if len(keys) > 1000 and len(set(map(hash, keys))) < len(keys) // 2:
        raise ValueError("too many keys of one hash")
