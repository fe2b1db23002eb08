"""Values that come from a hostile process: read whole, refused, or equal to nothing; never a failure of ours."""

import math
import random
import struct
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from evaluator.values import ORACLES, are_close, are_equal
from sandbox.worker.values import (
    LARGE_BYTES,
    Opaque,
    UnreadableValue,
    decode,
    encode,
    is_digest,
    may_hold_object,
)

PLAIN = [
    None, True, False, ..., 0, -1, 2**31, -(2**70), 0.1, -0.0, math.inf, 1j, "", "é\ud800", b"\0\xff",
    (), (1, (2,)), [], [[1], [None]], set(), {1, "a"}, frozenset({2}), {}, {"a": {1: [2]}, (1, 2): None},
    Decimal("1.50"), Decimal("-Infinity"), Fraction(-2, 3), [Decimal(1), {Fraction(1, 2)}],
]  # fmt: skip


# No repr of a set in a name: it differs from process to process.
@pytest.mark.parametrize("value", PLAIN, ids=lambda value: type(value).__name__)
def test_plain_data_is_read_as_it_was_written(value: Any) -> None:
    found = decode(encode(value))
    assert found == value
    assert type(found) is type(value)
    assert not may_hold_object(encode(value))


@pytest.mark.parametrize(
    "value", [object(), [object()], {1: (print,)}, {"a": iter([])}, range(3), open]
)
def test_what_is_no_plain_data_equals_nothing_not_even_itself(value: Any) -> None:
    content = encode(value)
    assert may_hold_object(content)
    found = decode(content)
    assert found != decode(content)
    assert not are_equal(found, decode(content), 1.0)


def test_a_digest_equals_by_its_bytes_only() -> None:
    large = list(range(2_000_000))
    content = encode(large)
    assert is_digest(content)
    assert content == encode(list(range(2_000_000)))
    assert content != encode([*large[:-1], 0])
    assert isinstance(decode(content), Opaque)


FORGED = {
    "nothing": b"",
    "an unknown type": b"R\0\0\0\0",
    "code": b"c" + b"\0" * 40,
    "a cut number": b"i\1",
    "more after it": b"TT",
    "a length below zero": b"[\xff\xff\xff\xff",
    "a length beyond the end": b"[\xff\xff\xff\x7fN",
    "text that is no UTF-8": b"u\2\0\0\0\xff\xff",
    "a digit of 16 bits": b"l\1\0\0\0\xff\xff",
    "an unhashable key": b"{[\0\0\0\0N0",
    "an unhashable member": b"<\1\0\0\0[\0\0\0\0",
    "a member twice": b"<\2\0\0\0TT",
    "a key twice": b"{TNTN0",
    "a dictionary without an end": b"{TN",
    "nesting without an end": b"[\1\0\0\0" * 100_000,
    "a tag alone": b"(\1\0\0\0.",
    "a tag of two": b"(\2\0\0\0..",
    "a fraction by zero": b"(\3\0\0\0.u\x08\0\0\0Fraction(\2\0\0\0i\1\0\0\0i\0\0\0\0",
    "a fraction of a text": b"(\3\0\0\0.u\x08\0\0\0Fraction(\1\0\0\0u\x0b\0\0\x001e999999999",
    "a fraction of a float": b"(\3\0\0\0.u\x08\0\0\0Fraction(\2\0\0\0g" + b"\0" * 8 + b"T",
    "a decimal of a word": b"(\3\0\0\0.u\x07\0\0\0Decimalu\4\0\0\0four",
    "too many bytes": b"s" + struct.pack("<i", 5 << 20) + b"\0" * (5 << 20),
    "keys of one hash": b"<\xe8\3\0\0"
    + b"".join(encode(number * ((1 << 61) - 1)) for number in range(1, 1001)),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_bytes_are_refused(name: str) -> None:
    with pytest.raises(UnreadableValue):
        decode(FORGED[name])


@pytest.mark.parametrize(
    "content",
    [
        b"(\3\0\0\0.u\x07\0\0\0Decimalu\4\0\0\0sNaN",
        b"(\3\0\0\0.u\x06\0\0\0objectu\4\0\0\0list",
        b"(\3\0\0\0.u\x04\0\0\0evilN",
        b"(\3\0\0\0.NN",
        encode((..., "Decimal", "9" * 20_000)),
        encode((..., "Fraction", (3**200_000, 2**200_000))),
        b"#" + b"\0" * 64,
        b"#",
    ],
)
def test_forged_marks_are_equal_to_nothing(content: bytes) -> None:
    found = decode(content)
    others: tuple[Any, ...] = (found, decode(content), 0, None, list, [], "list")
    assert not any(are_equal(other, found, 1e6) for other in others)


def test_any_bytes_are_read_or_refused() -> None:
    chance = random.Random(11)
    whole = [encode(value) for value in PLAIN] + list(FORGED.values())[:12]
    for _ in range(20_000):
        content = bytearray(chance.choice(whole) + chance.choice(whole) or b"N")
        for _ in range(chance.randint(0, 4)):
            content[chance.randrange(len(content))] = chance.choice(
                b"\0\1\2\xff\x7f[(<>{lius#.NTF0gy"
            )
        try:
            found = decode(bytes(content))
        except UnreadableValue:
            continue
        for expected in (1, 0.5, [1.0, 2.0], "a", {1: 2}, {1, 2}, None, (1, 2)):
            are_equal(expected, found, 0.0)
            are_equal(expected, found, 1e-6)
            for name, oracle in ORACLES.items():
                arguments = ([3, -4, 1],) if name == "root" else (3, 4)
                oracle(arguments, expected, found, 1e-6)


def test_a_value_that_holds_itself_is_not_written() -> None:
    itself: list[Any] = []
    itself.append(itself)
    with pytest.raises(RecursionError):
        encode([object(), itself])


@pytest.mark.parametrize(
    ("expected", "got", "tolerance", "is_close"),
    [
        (1.0, 1.0 + 5e-7, 1e-6, True),
        ([1.0, [2.0]], [1.0, [2.0 + 5e-7]], 1e-6, True),
        ([1.0], [1.0, 1.0], 1e-6, False),
        ([1.0], 1.0, 1e-6, False),
        (1e12, 1e12 + 1e4, 1e-6, True),  # a ten millionth of it
        (1e12, 1e12 + 2e5, 1e-6, False),
        (math.inf, math.inf, 1e-6, True),
        (math.inf, 1e308, 1e-6, False),
        (math.nan, math.nan, 1e-6, False),
        (1.0, math.nan, math.inf, False),
        (1.0, 10**400, 1e-6, False),
        ("a", "a", 1e-6, False),
        (1.0, None, 1e-6, False),
        (1.0, complex(1.0, 5e-7), 1e-6, True),
    ],
)
def test_numbers_are_close_within_both_tolerances(
    expected: Any, got: Any, tolerance: float, is_close: bool
) -> None:
    assert are_close(expected, got, tolerance) is is_close


def test_large_values_are_written_in_pieces_as_if_whole() -> None:
    for value in ([1.5] * 5000, ("a",) * 4097, [[1, 2]] * 9000):
        assert decode(encode(value)) == value
    assert len(encode([1.5] * (LARGE_BYTES // 9))) <= LARGE_BYTES + 5
