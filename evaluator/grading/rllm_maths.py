"""DeepCoder's own verdict on a mathematical answer, as rLLM gave it.

An answer counts when its part between the first closing think tag and the next has a last \\boxed
that one of two graders takes for the truth: the first compares texts as the MATH benchmark
normalises them, the second normalises more and then has sympy look at the difference. Source: rLLM
rewards/math_reward.py and rewards/math_utils at 874daa4; behaviour only.

Runs in a worker of `evaluator.grading.math_pool`: sympy may take for ever.
"""

import re
from contextlib import suppress

import sympy  # type: ignore[import-untyped]
from sympy.parsing import sympy_parser  # type: ignore[import-untyped]

from evaluator.grading.latex_text import latex_text

_MOST_LETTERS = 2
_UNITS = (
    "degree", "cm", "centimeter", "meter", "mile", "second", "minute", "hour", "day", "week",
    "month", "year", "foot", "feet", "inch", "yard",
)  # fmt: skip
_HANGS = re.compile(r"\^\{|\^\(|\^[0-9]+\^|\^[0-9][0-9]+")
_FRACTION = re.compile(r"^-?[0-9]+.?/0*[1-9][0-9]*.?$")
_ENCLOSED = re.compile(r"^\\text\{(.+?)\}$")
_HARMLESS = re.compile(
    r"(?:[^\W_]|[-+*/^(), \[\]!|<>=]|(?<![^\W\d_])\.(?![^\W\d_])|(?<=[0-9])_(?=[0-9]))*"
)
"""What is handed to sympy's reader, which evaluates Python: no name with an underscore, no quote, no attribute."""


def is_right(answer: str, truth: str) -> bool:
    """Whether rLLM gives the reward for a whole answer, reasoning included."""
    parts = answer.split("</think>")
    if len(parts) < 2:
        return False
    given = _boxed(parts[1])
    wanted = _boxed(truth) if "\\boxed" in truth else truth
    if given is None or wanted is None:
        return False
    return _math_text(given) == _math_text(wanted) or _equal_by_sympy(given, wanted)


def _boxed(text: str) -> str | None:
    """What the last \\boxed{ holds, escaped braces counted like any."""
    start = text.rfind("\\boxed")
    if start < 0:
        return None
    depth = 0
    for at in range(start, len(text)):
        if text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                whole = text[start : at + 1]
                return whole[7:-1] if whole.startswith("\\boxed{") else None
    return None


def _math_text(answer: str) -> str:
    """The MATH benchmark's normal form; an answer that breaks its rules stays as it is."""
    answer = answer.strip()
    if enclosed := _ENCLOSED.search(answer):
        answer = enclosed[1].strip()
    try:
        return _normal_form(answer)
    except (ValueError, IndexError):
        return answer


def _normal_form(text: str) -> str:
    for old, new in (
        ("\n", ""), ("\\!", ""), ("\\\\", "\\"), ("tfrac", "frac"), ("dfrac", "frac"),
        ("\\left", ""), ("\\right", ""), ("^{\\circ}", ""), ("^\\circ", ""), ("\\$", ""),
    ):  # fmt: skip
        text = text.replace(old, new)
    if "\\text{ " in text:
        # Units stand on the right; two of them are an answer that the rule does not know.
        text, _ = text.split("\\text{ ")
    text = text.replace("\\%", "").replace(" .", " 0.").replace("{.", "{0.")
    if not text:
        return text
    if text[0] == ".":
        text = "0" + text
    sides = text.split("=")
    if len(sides) == 2 and len(sides[0]) <= 2:
        text = sides[1]
    text = _braced_fractions(_braced_roots(text).replace(" ", ""))
    if text == "0.5":
        return "\\frac{1}{2}"
    if re.fullmatch(r"(0|-?[1-9]\d*)/(0|-?[1-9]\d*)", text, re.ASCII):
        return "\\frac{{{}}}{{{}}}".format(*text.split("/"))
    return text


def _braced_roots(text: str) -> str:
    first, *others = text.split("\\sqrt")
    return first + "".join(
        "\\sqrt" + (part if part[0] == "{" else f"{{{part[0]}}}{part[1:]}") for part in others
    )


def _braced_fractions(text: str) -> str:
    """\\frac12 as \\frac{1}{2}; a numerator in braces is left alone, as is a text that breaks off."""
    first, *others = text.split("\\frac")
    whole = first
    for part in others:
        whole += "\\frac"
        if part[0] == "{":
            whole += part
        elif len(part) < 2:
            return text
        elif part[1] == "{":
            whole += f"{{{part[0]}}}{part[1:]}"
        else:
            whole += f"{{{part[0]}}}{{{part[1]}}}{part[2:]}"
    return whole


def _equal_by_sympy(given: str, truth: str) -> bool:
    given, truth = _plain(given), _plain(truth)
    if given == truth:
        return True
    if not given:
        return False
    given_parts, truth_parts = _parts(given), _parts(truth)
    if len(given_parts) != len(truth_parts):
        return False
    if len(truth_parts) > 1 and (truth[0] != given[0] or truth[-1] != given[-1]):
        return False
    return all(map(_equal_parts, truth_parts, given_parts))


def _plain(text: str) -> str:
    """The second grader's normal form: words, units and LaTeX taken away."""
    if enclosed := _ENCLOSED.search(text):
        text = enclosed[1]
    for old, new in (
        ("\\%", "%"), ("\\$", "$"), ("$", ""), ("%", ""), (" or ", " , "), (" and ", " , "),
        ("million", "*10^6"), ("billion", "*10^9"), ("trillion", "*10^12"),
    ):  # fmt: skip
        text = text.replace(old, new)
    for unit in _UNITS:
        text = re.sub(rf"{unit}(es)?(s)? *(\^[0-9]+)?", "", text)
    text = re.sub(r"\^ *\\circ", "", text)
    if text and text[0] == "{" and text[-1] == "}":
        text = text[1:-1]
    text = re.sub(r",\\! *", "", text)
    with suppress(ValueError, OverflowError):
        number = float(text)
        text = str(round(number)) if abs(number - round(number)) <= 1e-7 else text
    if "\\" in text:
        text = _from_latex(text)
    text = re.sub("- *", "-", text)
    # A mixed number: 7 3/4 is 7+3/4.
    text = re.sub("([0-9]) +([0-9])", r"\1+\2", text)
    text = text.replace(" ", "").replace("{", "").replace("}", "").lower()
    return str(int(float(text.replace(",", "")))) if _is_integer(text) else text


def _from_latex(text: str) -> str:
    text = text.replace("\\tfrac", "\\frac").replace("\\dfrac", "\\frac")
    text = latex_text(text.replace("\\frac", " \\frac"))
    for old, new in (("√", "sqrt"), ("π", "pi"), ("∞", "inf"), ("∪", "U"), ("·", "*"), ("×", "*")):
        text = text.replace(old, new)
    return text.strip()


def _without_thousands(text: str) -> str:
    while (shorter := re.sub(r"(\d)(,)(\d\d\d)($|\D)", r"\1\3\4", text)) != text:
        text = shorter
    return text


def _is_integer(text: str) -> bool:
    try:
        number = float(_without_thousands(text))
        return abs(number - round(number)) <= 1e-7
    except (ValueError, OverflowError):
        return False


def _parts(text: str) -> list[str]:
    """The members of a tuple or an interval; anything else is its own only part."""
    text = _without_thousands(text)
    if not text:
        return []
    inside = text[1:-1]
    is_tuple = len(text) > 2 and text[0] in "()[]" and text[-1] in "()[]"
    if is_tuple and not any(letter in "()[]" for letter in inside):
        return [part.strip() for part in inside.split(",")]
    return [text]


def _equal_parts(truth: str, given: str) -> bool:
    if _FRACTION.search(truth) and _FRACTION.search(given):
        return truth == given
    if _is_integer(truth) != _is_integer(given):
        return False
    return _difference_is_zero(truth, given)


def _difference_is_zero(truth: str, given: str) -> bool:
    text = f"({truth})-({given})"
    letters = {
        letter for letter in text.replace("sqrt", "").replace("frac", "") if letter.isalpha()
    }
    if len(letters) > _MOST_LETTERS or _HANGS.search(text) or not _HARMLESS.fullmatch(text):
        return False
    rules = (
        *sympy_parser.standard_transformations,
        sympy_parser.implicit_multiplication_application,
    )
    try:
        difference = sympy_parser.parse_expr(text.replace("^", "**"), transformations=rules)
        return bool(sympy.simplify(difference) == 0)
    except Exception:  # noqa: BLE001
        # The grader takes whatever sympy raises for "not equal", and sympy raises anything.
        return False
