"""The formulas, on cases worked by hand, and what they promise, on simulated runs with fixed seeds."""

import itertools
import math

import numpy as np
import pytest

from evaluator.errors import UsageRefused
from evaluator.interval import (
    clustered_error,
    fixed_set_error,
    grouped_error,
    score_interval,
    wilson,
)
from evaluator.paired import compare_paired, holm, lower_bound, mcnemar, upper_bound
from evaluator.pass_at_k import majority_at_k, pass_at_k, pass_hat_k
from evaluator.power import Design, within_variance


def test_pass_at_k_on_a_case_worked_by_hand() -> None:
    # 8 of 10 wrong: all 5 wrong in C(8,5)/C(10,5) = 56/252 of the draws.
    assert pass_at_k(10, 2, 5) == pytest.approx(1 - 56 / 252)
    assert pass_at_k(5, 2, 1) == pytest.approx(0.4)
    assert pass_at_k(4, 2, 3) == 1.0
    assert pass_at_k(4, 0, 4) == 0.0


@pytest.mark.parametrize(("n", "k"), [(n, k) for n in range(1, 8) for k in range(1, n + 1)])
def test_pass_at_k_is_what_counting_every_draw_gives(n: int, k: int) -> None:
    for c in range(n + 1):
        draws = [sum(i < c for i in draw) for draw in itertools.combinations(range(n), k)]
        assert pass_at_k(n, c, k) == pytest.approx(sum(x > 0 for x in draws) / len(draws))
        assert pass_hat_k(n, c, k) == pytest.approx(sum(x == k for x in draws) / len(draws))


def test_pass_at_k_is_exact_for_a_million_samples() -> None:
    # Three right ones of a million, ten drawn: 3·10/10^6, less the tiny chance of two.
    assert pass_at_k(10**6, 3, 10) == pytest.approx(2.9999730e-5, rel=1e-6)
    assert pass_at_k(10**6, 500_000, 10) == pytest.approx(1 - 0.5**10, rel=1e-4)


def test_more_draws_than_samples_are_refused() -> None:
    with pytest.raises(UsageRefused, match="pass@5 of 4 samples"):
        pass_at_k(4, 1, 5)


def test_a_majority_is_of_the_answers_given_and_ties_are_decided_by_lot() -> None:
    assert majority_at_k(["7", "7", "8", ""], [True, True, False, False], 4) == 1.0
    assert majority_at_k(["7", "8"], [True, False], 2) == 0.5
    assert majority_at_k(["", ""], [False, False], 2) == 0.0
    # Pairs of 7 7 8: {7,7} right, twice {7,8} a tie.
    assert majority_at_k(["7", "7", "8"], [True, True, False], 2) == pytest.approx(2 / 3)
    many = majority_at_k(["7"] * 20 + ["8"] * 20, [True] * 20 + [False] * 20, 11)
    assert many == pytest.approx(0.5, abs=0.05)


def test_wilson_on_a_case_worked_by_hand() -> None:
    # 9 of 10: centre (.9 + .19207)/1.38415 = .78898, half 1.95996/1.38415 · sqrt(.009 + .0096036).
    found = wilson(0.9, 10)
    assert (found.low, found.high) == pytest.approx((0.59585, 0.98212), abs=1e-4)
    assert wilson(1.0, 164).high == 1.0
    assert wilson(0.0, 164).low == 0.0


def test_intervals_of_a_share_hold_near_its_ends_where_two_errors_do_not() -> None:
    generator = np.random.default_rng(1)
    right = generator.binomial(30, 0.95, size=4000)
    holds = [wilson(x / 30, 30).low <= 0.95 <= wilson(x / 30, 30).high for x in right]
    shares = right / 30
    plain = np.abs(shares - 0.95) <= 1.96 * np.sqrt(shares * (1 - shares) / 30)
    assert np.mean(holds) > 0.92
    assert plain.mean() < 0.82


def test_errors_on_cases_worked_by_hand() -> None:
    # Mean .5, squares .25 + 0 + .25, over 3 · 2.
    assert clustered_error([0.0, 0.5, 1.0]) == pytest.approx(math.sqrt(0.5 / 6))
    assert math.isnan(clustered_error([1.0]))
    # p = 1/2 and 1 of n = 2: sqrt(1/4 / 1) / 2.
    assert fixed_set_error([(1, 2), (2, 2)]) == pytest.approx(0.25)
    assert math.isnan(fixed_set_error([(1, 1), (2, 2)]))


def test_scores_of_one_group_count_as_one_draw() -> None:
    scores = [0.0, 0.0, 1.0, 1.0]
    # Two groups, each sum of deviations -1 and +1: sqrt(2/1 · 2) / 4.
    assert grouped_error(scores, ["a", "a", "b", "b"]) == pytest.approx(0.5)
    assert grouped_error(scores, list("abcd")) == pytest.approx(clustered_error(scores))


def test_clustered_intervals_hold_where_counting_samples_as_independent_does_not() -> None:
    generator = np.random.default_rng(2)
    truth, holds, naive_holds = 0.5, 0, 0
    for _ in range(600):
        difficulty = generator.beta(0.4, 0.4, size=40)
        shares = generator.binomial(16, difficulty) / 16
        found = score_interval(list(shares))
        holds += found.low <= truth <= found.high
        half = 1.96 * math.sqrt(shares.mean() * (1 - shares.mean()) / (40 * 16))
        naive_holds += abs(shares.mean() - truth) <= half
    assert holds / 600 > 0.92
    assert naive_holds / 600 < 0.6


def test_mcnemar_on_a_case_worked_by_hand() -> None:
    # 1 against 6: 2 · (C(7,0) + C(7,1)) / 2^7 = 16/128; mid-p less 7/128.
    assert mcnemar(1, 6) == pytest.approx((16 / 128, 9 / 128))
    assert mcnemar(6, 1) == mcnemar(1, 6)
    assert mcnemar(0, 0) == (1.0, 1.0)
    assert mcnemar(3, 3) == (1.0, 1.0)


def test_a_paired_comparison_says_who_is_better_and_how_surely() -> None:
    a = [0.0] * 20 + [1.0] * 80
    b = [1.0] * 15 + [0.0] * 5 + [1.0] * 78 + [0.0] * 2
    found = compare_paired(a, b)
    assert found.difference == pytest.approx(0.13)
    assert (found.only_a, found.only_b) == (2, 15)
    # d: 15 times 1, twice -1: variance (17 - 100 · .0169) / 99.
    assert found.standard_error == pytest.approx(math.sqrt((17 - 1.69) / 99 / 100))
    assert found.bootstrap.low == pytest.approx(found.t_interval.low, abs=0.01)
    assert found.probability_b_better > 0.99
    assert compare_paired(a, b) == found
    back = compare_paired(b, a)
    assert back.probability_b_better == pytest.approx(1 - found.probability_b_better)


def test_equal_runs_are_equally_likely_better() -> None:
    found = compare_paired([1.0, 0.0, 1.0], [1.0, 0.0, 1.0])
    assert (found.difference, found.probability_b_better, found.p_bootstrap) == (0.0, 0.5, 1.0)


def test_holm_on_a_case_worked_by_hand() -> None:
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03})
    assert found == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})


def test_no_discordant_problem_is_no_proof_of_equality() -> None:
    # The rule of three: 164 equal problems may hide a loss of 1 - .05^(1/164).
    assert lower_bound([0.0] * 164, confidence=0.95) == pytest.approx(-(1 - 0.05 ** (1 / 164)))
    assert upper_bound([0.0] * 164, confidence=0.95) > 0.01


@pytest.mark.parametrize(
    ("num_problems", "wins", "losses"),
    [(164, 0.0, 0.02), (164, 0.03, 0.05), (378, 0.0, 0.01), (378, 0.05, 0.06), (30, 0.1, 0.2)],
)
def test_a_candidate_worse_by_the_margin_passes_in_at_most_five_of_a_hundred_runs(
    num_problems: int, wins: float, losses: float
) -> None:
    generator = np.random.default_rng(3)
    draws, passed = 800, 0
    for _ in range(draws):
        dice = generator.random(num_problems)
        differences = np.where(dice < wins, 1.0, np.where(dice < wins + losses, -1.0, 0.0))
        passed += lower_bound(list(differences), confidence=0.95) > wins - losses
    # Five percent, and twice the error of so few draws.
    assert passed / draws <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / draws)


def test_the_same_holds_with_several_samples_a_problem() -> None:
    generator = np.random.default_rng(7)
    draws, passed = 1000, 0
    for _ in range(draws):
        before = generator.beta(0.6, 0.6, size=164) * 0.9 + 0.1
        after = before - 0.1 * (generator.random(164) < 0.5)
        differences = (generator.binomial(4, after) - generator.binomial(4, before)) / 4
        passed += lower_bound(list(differences), confidence=0.95) > -0.05
    assert passed / draws <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / draws)


def test_a_candidate_as_good_as_live_passes_a_wide_margin_mostly() -> None:
    generator = np.random.default_rng(5)
    passed = 0
    for _ in range(300):
        dice = generator.random(378)
        differences = np.where(dice < 0.03, 1.0, np.where(dice < 0.06, -1.0, 0.0))
        passed += lower_bound(list(differences), confidence=0.95) > -0.04
    assert passed / 300 > 0.8


def test_the_least_difference_on_cases_worked_by_hand() -> None:
    # HumanEval+, 6 % discordant: 2.80 · sqrt(.06/164) = 5.4 points.
    plus = Design(num_problems=164, between=0.03, within=0.015)
    assert plus.smallest_difference == pytest.approx(0.0536, abs=2e-4)
    # AIME, p(1-p) = .087 on 30 problems, 16 samples: 2.80 · sqrt(2 · .087/16/30) = 5.3 points.
    aime = Design(num_problems=30, num_samples=16, between=0.0, within=0.087)
    assert aime.smallest_fixed_set_difference == pytest.approx(0.0533, abs=2e-4)


def test_a_plan_for_a_difference_shows_that_difference() -> None:
    design = Design(num_problems=164, between=0.02, within=0.04)
    needed = design.samples_for(0.05)
    assert needed is not None
    enough = Design(num_problems=164, num_samples=needed, between=0.02, within=0.04)
    short = Design(num_problems=164, num_samples=needed - 1, between=0.02, within=0.04)
    assert enough.smallest_difference <= 0.05 < short.smallest_difference
    more = Design(num_problems=design.problems_for(0.01), between=0.02, within=0.04)
    assert more.smallest_difference <= 0.01
    assert design.samples_for(0.01) is None


def test_a_plan_holds_in_simulation() -> None:
    generator = np.random.default_rng(6)
    design = Design(num_problems=200, num_samples=4, between=0.0, within=0.1875)
    shift = design.smallest_fixed_set_difference
    seen = 0
    for _ in range(300):
        a = generator.binomial(4, 0.25, size=200) / 4
        b = generator.binomial(4, 0.25 + shift, size=200) / 4
        seen += compare_paired(list(a), list(b), num_resamples=1).t_interval.low > 0
    assert 0.7 < seen / 300 < 0.9


def test_within_variance_does_not_depend_on_the_number_of_samples() -> None:
    # Of 2 samples, half show one right: p̂(1-p̂) is 1/4 there and 0 elsewhere; times 2/(2-1).
    assert within_variance([(1, 2), (1, 2), (0, 2), (2, 2)]) == pytest.approx(0.25)
    assert math.isnan(within_variance([(1, 1)]))


def test_a_plan_for_nothing_is_refused() -> None:
    with pytest.raises(UsageRefused, match="difference of 0"):
        Design(num_problems=10).problems_for(0.0)
    with pytest.raises(UsageRefused, match="compare nothing"):
        Design(num_problems=0)
