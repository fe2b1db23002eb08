"""Before against after: the difference, and an interval that counts kinds, not problems."""

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from scipy import special

from evaluator.paired import compare_paired
from trainer.errors import EvaluationsDiffer
from trainer.gain import gain, solve_interval

Row = dict[str, Any]


def evaluated(shares: Mapping[str, Sequence[tuple[int, int]]], *, temperature: float = 0.7) -> Row:
    """By kind, (right, counted) of each of its problems."""
    by_problem = {f"{k}/{i}": list(one) for k, some in shares.items() for i, one in enumerate(some)}
    kinds = {name: name.rpartition("/")[0] for name in by_problem}
    return {"iteration": 0, "temperature": temperature, "by_problem": by_problem, "kinds": kinds}


def test_difference_and_its_error_are_those_of_a_case_worked_by_hand() -> None:
    before = evaluated({"a": [(0, 4), (0, 4)], "b": [(1, 4), (1, 4)], "c": [(2, 4), (2, 4)]})
    after = evaluated({"a": [(4, 4), (4, 4)], "b": [(3, 4), (1, 4)], "c": [(2, 4), (2, 4)]})
    # Differences 1, 1, .5, 0, 0, 0, mean 5/12; sums about it by kind 14/12, -4/12, -10/12.
    found = gain(before, after)
    assert (found.num_problems, found.num_kinds, found.num_better, found.num_worse) == (6, 3, 3, 0)
    assert found.difference == pytest.approx(5 / 12)
    error = math.sqrt(3 / 2 * ((14 / 12) ** 2 + (4 / 12) ** 2 + (10 / 12) ** 2)) / 6
    assert found.standard_error == pytest.approx(error)
    half = error * float(special.stdtrit(2, 0.975))
    assert found.t_interval.low == pytest.approx(max(-1.0, 5 / 12 - half))
    assert found.interval.low <= found.bootstrap.low <= found.difference <= found.bootstrap.high


def test_with_a_problem_a_kind_it_is_the_paired_comparison_of_the_evaluator() -> None:
    dice = random.Random(1)
    rights = [(dice.randrange(5), dice.randrange(5)) for _ in range(80)]
    before = evaluated({f"k{i}": [(a, 4)] for i, (a, _) in enumerate(rights)})
    after = evaluated({f"k{i}": [(b, 4)] for i, (_, b) in enumerate(rights)})
    names = sorted(before["by_problem"])
    scores = [[row["by_problem"][name][0] / 4 for name in names] for row in (before, after)]
    found, expected = gain(before, after), compare_paired(*scores)
    assert found.difference == pytest.approx(expected.difference)
    assert found.standard_error == pytest.approx(expected.standard_error)
    assert found.t_interval.low == pytest.approx(expected.t_interval.low)
    assert found.bootstrap.low == pytest.approx(expected.bootstrap.low, abs=0.006)
    assert found.bootstrap.high == pytest.approx(expected.bootstrap.high, abs=0.006)


def test_problems_that_move_together_are_no_more_evidence_than_one_of_them() -> None:
    dice = random.Random(2)
    moves = [dice.choice((0, 0, 1, 4)) for _ in range(30)]
    one = [evaluated({f"k{i}": [(m * s, 4)] for i, m in enumerate(moves)}) for s in (0, 1)]
    ten = [evaluated({f"k{i}": [(m * s, 4)] * 10 for i, m in enumerate(moves)}) for s in (0, 1)]
    few, many = gain(*one), gain(*ten)
    assert many.num_problems == 10 * few.num_problems
    assert many.standard_error == pytest.approx(few.standard_error)
    assert many.interval.low == pytest.approx(few.interval.low, abs=0.01)
    assert many.interval.high == pytest.approx(few.interval.high, abs=0.01)


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    """120 experiments of 25 kinds of unequal size; 95% of intervals hold the true gain of .2."""
    hits = 0
    for seed in range(120):
        dice = random.Random(seed)
        before, after = {}, {}
        for kind in range(25):
            effect = dice.choice((0.0, 0.4))
            size = dice.choice((1, 2, 5))
            before[f"k{kind}"] = [
                (sum(dice.random() < 0.3 for _ in range(4)), 4) for _ in range(size)
            ]
            after[f"k{kind}"] = [
                (sum(dice.random() < 0.3 + effect for _ in range(4)), 4) for _ in range(size)
            ]
        interval = gain(evaluated(before), evaluated(after)).interval
        hits += interval.low <= 0.2 <= interval.high
    assert 0.91 * 120 <= hits <= 120


def test_kinds_that_all_agree_still_leave_a_doubt() -> None:
    before = evaluated({f"k{i}": [(0, 4)] for i in range(10)})
    found = gain(before, before)
    assert found.difference == 0
    assert found.interval.low < -0.2
    assert found.interval.high > 0.2
    assert found.least_difference > 0.2
    alone = gain(evaluated({"k": [(0, 4)] * 5}), evaluated({"k": [(4, 4)] * 5}))
    assert alone.interval.low == -1


def test_problems_without_a_verdict_on_a_side_are_left_out_and_counted() -> None:
    before = evaluated({"a": [(0, 4), (2, 4)], "b": [(1, 4)], "c": [(4, 4)]})
    after = evaluated({"a": [(4, 4), (0, 0)], "b": [(1, 4)]})
    found = gain(before, after)
    assert (found.num_problems, found.num_left_out) == (2, 2)
    assert found.difference == pytest.approx(0.5)


def test_families_are_told_where_kinds_have_them() -> None:
    before = evaluated({f"{f}/k{i}": [(0, 4)] for f in ("lists", "words") for i in range(4)})
    after = evaluated(
        {f"{f}/k{i}": [(4 if f == "lists" else 0, 4)] for f in ("lists", "words") for i in range(4)}
    )
    found = {one.name: one for one in gain(before, after).families}
    assert found["lists"].difference == 1
    assert found["words"].difference == 0
    assert found["words"].num_kinds == 4
    flat = evaluated({"a": [(0, 1)], "b": [(1, 1)]})
    assert gain(flat, flat).families == ()


def test_what_cannot_be_paired_is_refused() -> None:
    a, b = evaluated({"a": [(1, 2)]}), evaluated({"b": [(1, 2)]})
    with pytest.raises(EvaluationsDiffer, match="none in common"):
        gain(a, b)
    with pytest.raises(EvaluationsDiffer, match=r"0\.7 and 0\.0"):
        gain(a, evaluated({"a": [(1, 2)]}, temperature=0.0))


def test_interval_of_one_evaluation_is_over_kinds_too() -> None:
    rate, loose = solve_interval(evaluated({f"k{i}": [(i % 2 * 4, 4)] * 8 for i in range(20)}))
    _, tight = solve_interval(evaluated({f"k{i}": [(i % 2 * 4, 4)] for i in range(160)}))
    assert rate == 0.5
    assert loose.high - loose.low > 2 * (tight.high - tight.low)
    nothing, whole = solve_interval({"by_problem": {}})
    assert math.isnan(nothing)
    assert (whole.low, whole.high) == (0, 1)
