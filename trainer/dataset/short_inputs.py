"""Draws constants and arguments of short functions, most of them near where answers change."""

import random
from collections.abc import Callable, Mapping
from typing import Any

Constants = Mapping[str, Any]

_TEXT = (
    "apple banana cat dog echo tree seven level river ant sun moon paper stone kite cab ease odd"
    " under rain green sand total noon arena table east book eye letter zoo idea ox add summer queen"
)
WORDS = _TEXT.split()
_LETTERS = "aeinrst"


def constants(draw: random.Random) -> dict[str, Any]:
    """A value for each name that a text may hold in angle brackets."""
    low = draw.randint(2, 15)
    letter, other = draw.sample(_LETTERS, 2)
    return {
        "a": low,
        "b": low + draw.randint(4, 15),
        "d": draw.randint(3, 7),
        "e": draw.randint(0, 9),
        "g": draw.choice("efghijklmn"),
        "k": draw.randint(3, 6),
        "l": letter,
        "m": draw.randint(2, 9),
        "n": draw.randint(2, 5),
        "o": other,
        "p": draw.choice((7, 11, 13)),
        "q": draw.randint(3, 4),
        "w": draw.choice(WORDS),
        "w5": draw.randint(4, 6),
        "w9": draw.randint(6, 16),
        "y": draw.choice("xyz"),
    }


def _integers(draw: random.Random, known: Constants) -> list[int]:
    numbers: list[int] = []
    for _ in range(0 if draw.random() < 0.03 else draw.randint(1, 8)):
        edge = draw.choice((known["a"], known["b"])) + draw.randint(-1, 1)
        numbers.append(
            draw.choice(
                (
                    draw.randint(-12, 30), draw.randint(-12, 30), draw.randint(30, 120), edge,
                    known["d"] * draw.randint(-2, 6), known["d"] * draw.randint(0, 4) + 1,
                    10 * draw.randint(0, 5) + known["e"], 6 * draw.randint(-1, 6),
                    draw.choice(numbers or [0]),
                )
            )
        )  # fmt: skip
    return sorted(numbers) if draw.random() < 0.1 else numbers


def _word(draw: random.Random, known: Constants) -> str:
    return str(known["w"]) if draw.random() < 0.1 else draw.choice(WORDS)


def _words(draw: random.Random, known: Constants) -> list[str]:
    return [_word(draw, known) for _ in range(draw.randint(1, 6))]


def _text(draw: random.Random, known: Constants) -> str:
    text = " ".join(_word(draw, known) for _ in range(draw.randint(1, 4)))
    if draw.random() < 0.3:
        text += str(draw.randint(0, 99))
    if draw.random() < 0.1:
        text = draw.choice((text[::-1], text[: draw.randint(1, 4)], known["l"] * 3, "1" + text))
    return text


def _number(draw: random.Random, known: Constants) -> int:
    edge = draw.choice((known["a"], known["b"])) + draw.randint(-1, 1)
    near = known["d"] * draw.randint(1, 8) + draw.randint(0, 1)
    square = draw.randint(1, 7) ** 2
    return draw.choice((draw.randint(1, 40), draw.randint(10, 99), edge, near, square, square))


def _dictionary(draw: random.Random, known: Constants) -> dict[str, int]:
    keys = {_word(draw, known) for _ in range(draw.randint(1, 5))}
    edge = known["a"] + draw.randint(-1, 1)
    values = (draw.randint(-9, 30), draw.randint(-9, 30), edge, known["d"] * draw.randint(0, 5))
    return {key: draw.choice(values) + draw.randint(0, 1) for key in sorted(keys)}


def _small(draw: random.Random, _known: Constants) -> int:
    return draw.choice((1, 2, 2, 3, 3, 4, 5, 7))


INPUTS: dict[str, Callable[[random.Random, Constants], Any]] = {
    "integers": _integers,
    "words": _words,
    "text": _text,
    "number": _number,
    "dictionary": _dictionary,
    "small": _small,
}
"""What a family's file may name as the inputs of an argument."""
