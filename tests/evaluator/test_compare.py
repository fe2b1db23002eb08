"""Rules for what programs print: each takes what it says and nothing more."""

import pytest

from evaluator.compare import comparison
from evaluator.errors import UsageRefused

CASES = [
    ("exact", "a b\n", "a b", True),
    ("exact", "a\nb", "a\n b", False),
    ("exact", "a", "", False),
    ("lines", "a\nb\n", " a \r\nb\n\n\n", True),
    ("lines", "a\nb", "a\n\nb", False),
    ("lines", "a b", "a  b", False),
    ("lines", "", "\n", True),
    ("lines", "", "x", False),
    ("lines", "YES", "yes", False),
    ("tokens", "1 2\n3", "1\n2 3", True),
    ("tokens", "1 2 3", "12 3", False),
    ("tokens", "1.0", "1", False),
    ("numbers", "1.0 x", "1 x", True),
    ("numbers", "0.5", ".50", True),
    ("numbers", "1e3", "1000", True),
    ("numbers", "1000", "1_000", False),
    ("numbers", "inf", "infinity", False),
    ("numbers", "nan", "NaN", False),
    ("numbers", "1 2", "1\n2", False),
    ("numbers", "5", "٥", False),
    ("numbers", "100000000000000001", "100000000000000000", False),
    ("numbers", "0.1", "0.10000001", False),
    ("numbers", "1e9999", "1e9999", True),
    ("numbers", "1e9999", "1e99999", False),
    ("float:1e-6", "0.5", "0.5000004", True),
    ("float:1e-6", "0.5", "0.500002", False),
    ("float:1e-6", "1000000.0", "1000000.9", True),
    ("float:1e-6", "1000000.0", "1000001.1", False),
    ("float:1e-6", "1000000", "1000001", False),
    ("float:1e-6", "3", "3.0", True),
    ("float:1e-6", "nan", "0.1", False),
    ("float:1e-6", "0.5", "nan", False),
    ("float:1e-6", "0.5", "inf", False),
    ("float:1e-6", "0.0", "-0.0000001", True),
    ("float:1e-6", "0.5 YES", "0.5", False),
    ("float:1e-6", "0.5 YES", "0.5\nYES", True),
]


@pytest.mark.parametrize(("rule", "expected", "printed", "is_right"), CASES)
def test_rule_says(rule: str, expected: str, printed: str, is_right: bool) -> None:
    assert comparison(rule)(expected, printed) is is_right


@pytest.mark.parametrize("rule", ["float", "float:", "float:much"])
def test_a_tolerance_is_a_number(rule: str) -> None:
    with pytest.raises(UsageRefused, match="float:1e-6"):
        comparison(rule)


def test_an_unknown_rule_names_those_there_are() -> None:
    with pytest.raises(UsageRefused, match="exact, lines, tokens, numbers"):
        comparison("same")


@pytest.mark.parametrize("rule", ["exact", "lines", "tokens", "numbers", "float:1e-6"])
def test_much_or_hostile_output_is_compared_to_its_end(rule: str) -> None:
    for printed in (
        "9" * 1_000_000,
        "1 " * 500_000,
        "\n" * 1_000_000,
        "1e9999 " * 10_000,
        "0" * 10**6 + "1",
    ):
        assert not comparison(rule)("0.5\n" * 3, printed)
        assert not comparison(rule)("0.5 " * 10_000, printed)
