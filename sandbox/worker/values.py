"""Plain Python data as bytes that keep its types, written inside the wall and read outside.

The bytes are marshal's, version 2: the same for every Python, without references, so equal data of
one structure has equal bytes (sets and dictionaries in their own order). Written by the interpreter
itself; read by us, because the interpreter's own reader trusts its input. What is no plain data is
written as a tagged tuple that begins with `...`; Decimal and Fraction keep their value that way, an
instance of a subclass is written as its base, a dictionary's view as the set that it is equal to. Of
more than LARGE_BYTES there is only a digest: enough to tell whether it is equal to another. Only
exact types are looked at, so no `__eq__`, `__repr__` or `__iter__` of a program takes part.

The reader expects every byte to be hostile: it raises UnreadableValue and nothing else, and takes
time and memory in proportion to what the writer would have written, at most.
"""

import decimal
import fractions
import marshal
import struct
import sys
from _blake2 import blake2b
from typing import Any

MAX_DEPTH = 200
LARGE_BYTES = 4 << 20
_CHUNK_ITEMS = 4096
_MOST_BYTES = LARGE_BYTES + 5
"""Longest that is written: a long sequence's head is not counted."""

_FRACTION_BITS = 100_000
"""Longest numerator and denominator that are read: reducing a fraction takes the square of it."""

_COLLIDING = 100
"""Most keys of one hash that are read."""

_VERSION = 2
_VIEWS: "tuple[type, ...]" = (type({}.keys()), type({}.items()))
_BASES = (bool, int, float, complex, str, bytes, tuple, list, dict, set, frozenset)
_BYTES_CODE, _DIGEST = b"s", b"#"
_OBJECT = marshal.dumps((..., "object", ""), _VERSION)[:-5]
"""How a value that is no plain data begins."""
_FLOAT, _COMPLEX, _INT = struct.Struct("<d"), struct.Struct("<dd"), struct.Struct("<i")


class UnreadableValue(Exception):
    """The bytes are no value of ours."""


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
    """The bytes of a value. Raises RecursionError for one that is deeper than MAX_DEPTH or holds itself."""
    kind = type(value)
    if (kind is list or kind is tuple) and len(value) > _CHUNK_ITEMS:
        return _encode_long(value)
    content = _encode_whole(value)
    return content if len(content) <= LARGE_BYTES else _DIGEST + blake2b(content).digest()


def _encode_whole(value: Any) -> bytes:
    try:
        content = marshal.dumps(value, _VERSION)
    except ValueError:  # something that marshal does not know, or too deep
        return marshal.dumps(_plain(value, 0), _VERSION)
    # marshal takes whatever has a buffer for bytes. Python's own such types are equal to theirs;
    # numpy's numbers are equal to numbers.
    if "numpy" in sys.modules and _BYTES_CODE in content:
        return marshal.dumps(_plain(value, 0), _VERSION)
    return content


def _encode_long(value: "list[Any] | tuple[Any, ...]") -> bytes:
    """A sequence in pieces: it may be larger than the memory has room for twice."""
    kept = [(b"[" if type(value) is list else b"(") + _INT.pack(len(value))]
    size, digest = 0, None
    for start in range(0, len(value), _CHUNK_ITEMS):
        piece = _encode_whole(list(value[start : start + _CHUNK_ITEMS]))[5:]
        size += len(piece)
        if digest is not None:
            digest.update(piece)
            continue
        kept.append(piece)
        if size > LARGE_BYTES:
            digest = blake2b(b"".join(kept))
    return b"".join(kept) if digest is None else _DIGEST + digest.digest()


def is_digest(content: bytes) -> bool:
    """Whether the bytes stand for a value that was too large to be written."""
    return content[:1] == _DIGEST


def may_hold_object(content: bytes) -> bool:
    """Whether something in a value may be no plain data: equal bytes then do not make it equal."""
    return _OBJECT in content


def decode(content: bytes) -> Any:
    """The value of some bytes. Raises UnreadableValue."""
    if len(content) > _MOST_BYTES:
        raise UnreadableValue(f"{len(content)} bytes, where {_MOST_BYTES} are the most")
    if is_digest(content):
        return Opaque("a value too large to be shown")
    reader = _Reader(content)
    try:
        value = reader.value(0)
    except (ValueError, TypeError, LookupError, RecursionError, OverflowError, MemoryError,
            ArithmeticError, struct.error) as error:  # fmt: skip
        raise UnreadableValue(f"{type(error).__name__}: {str(error)[:200]}") from None
    if reader.at != len(content):
        raise UnreadableValue("there is more after the value")
    return value


def _plain(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise RecursionError("the value is nested too deep")
    kind = type(value)
    if value is None or value is ... or kind in (bool, int, float, complex, str, bytes):
        return value
    if kind in (list, tuple, set, frozenset):
        return kind([_plain(item, depth + 1) for item in value])
    if kind is dict:
        return {_plain(key, depth + 1): _plain(item, depth + 1) for key, item in value.items()}
    if kind in _VIEWS:
        return _plain(set(value), depth)
    for base in _BASES:
        if issubclass(kind, base):
            return _plain(_as_base(base, value), depth + 1)
    if kind is decimal.Decimal:
        return (..., "Decimal", str(value))
    if kind is fractions.Fraction:
        return (..., "Fraction", (value.numerator, value.denominator))
    if kind is bytearray:
        return bytes(value)
    if kind.__module__ == "numpy" and hasattr(value, "tolist"):
        return _plain(value.tolist(), depth + 1)
    return (..., "object", kind.__name__)


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


class _Reader:
    """Reads one value after the other. at: where it is."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.at = 0

    def _take(self, size: int) -> bytes:
        if not 0 <= size <= len(self._content) - self.at:
            raise ValueError(f"{size} bytes are announced, fewer are there")
        self.at += size
        return self._content[self.at - size : self.at]

    def _number(self) -> int:
        number: int = _INT.unpack(self._take(4))[0]
        return number

    def value(self, depth: int) -> Any:
        if depth > 2 * MAX_DEPTH:
            raise RecursionError("nested too deep")
        code = self._take(1)
        if code in _CONSTANTS:
            return _CONSTANTS[code]
        if code == b"i":
            return self._number()
        if code == b"u":
            return self._take(self._number()).decode("utf-8", "surrogatepass")
        if code == b"g":
            return _FLOAT.unpack(self._take(8))[0]
        if code in (b"[", b"(", b"<", b">"):
            return self._sequence(code, depth)
        if code == b"{":
            return self._dictionary(depth)
        if code == b"l":
            return self._long()
        if code == b"s":
            return self._take(self._number())
        if code == b"y":
            return complex(*_COMPLEX.unpack(self._take(16)))
        raise ValueError(f"{code!r} begins no plain data")

    def _long(self) -> int:
        """Digits of 15 bits, the lowest first; the sign is the count's."""
        count = self._number()
        digits = struct.unpack(f"<{abs(count)}H", self._take(2 * abs(count)))
        if any(digit >> 15 for digit in digits):
            raise ValueError("a digit of more than 15 bits")
        bits = "".join(format(digit, "015b") for digit in reversed(digits))
        return int(bits or "0", 2) * (-1 if count < 0 else 1)

    def _items(self, depth: int) -> "list[Any]":
        count = self._number()
        if not 0 <= count <= len(self._content) - self.at:
            raise ValueError(f"{count} items are announced, fewer are there")
        return [self.value(depth + 1) for _ in range(count)]

    def _sequence(self, code: bytes, depth: int) -> Any:
        items = self._items(depth)
        if code == b"[":
            return items
        if code == b"(":
            return _tagged(items) if items and items[0] is ... else tuple(items)
        _refuse_collisions(items)
        found = set(items) if code == b"<" else frozenset(items)
        if len(found) < len(items):
            raise ValueError("a set that has an item twice")
        return found

    def _dictionary(self, depth: int) -> "dict[Any, Any]":
        keys, items = [], []
        while self._content[self.at : self.at + 1] != b"0":
            keys.append(self.value(depth + 1))
            items.append(self.value(depth + 1))
        self.at += 1
        _refuse_collisions(keys)
        found = dict(zip(keys, items))  # noqa: B905  # strict is not in every Python that may be used
        if len(found) < len(keys):
            raise ValueError("a dictionary that has a key twice")
        return found


_CONSTANTS: "dict[bytes, Any]" = {b"N": None, b"T": True, b"F": False, b".": ...}


def _tagged(items: "list[Any]") -> Any:
    """What a tuple that begins with `...` stands for."""
    _, kind, content = items
    if kind == "Decimal" and type(content) is str and len(content) < 10_000:
        number = decimal.Decimal(content)
        return Opaque("sNaN") if number.is_snan() else number
    if kind == "Fraction":
        above, below = content
        if type(above) is not int or type(below) is not int:
            raise ValueError("a fraction of something else than two whole numbers")
        if max(above.bit_length(), below.bit_length()) > _FRACTION_BITS:
            return Opaque("a fraction too large to be read")
        return fractions.Fraction(above, below)
    return Opaque(content[:100] if type(content) is str else "an object")


def _refuse_collisions(keys: "list[Any]") -> None:
    """Thousands of different keys with one hash would keep the reader busy for minutes."""
    if len(keys) <= _COLLIDING:
        return
    counts: dict[int, int] = {}
    for key in keys:
        number = hash(key)
        counts[number] = counts.get(number, 0) + 1
        if counts[number] > _COLLIDING:
            raise ValueError("too many keys of one hash")
