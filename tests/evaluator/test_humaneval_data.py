"""The suites' own right answers pass here, by our rules and by the harnesses'; empty ones do not."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from evaluator.data import DataFolder
from evaluator.errors import DataMissing
from evaluator.grading.bench import Bench
from evaluator.judge import judge_code
from evaluator.judgement import Grade, Judgement
from evaluator.problem import FunctionTask, Problem
from evaluator.selftest import Kind, graded, own_answers, share_killed
from evaluator.suites import suite

pytestmark = pytest.mark.data
NOT_BY_VALUES = {"Mbpp/367"}
"""Its test builds trees of the program's own class: only the official rules can grade that."""

PLUS = {"humaneval+": 164, "humaneval+mini": 164, "mbpp+": 378}


def problems_of(name: str, data: DataFolder) -> Sequence[Problem]:
    try:
        return suite(name).load(data)
    except DataMissing as error:
        pytest.skip(str(error))


def judged(problems: Sequence[Problem], bench: Bench) -> dict[str, Judgement]:
    def judge(problem: Problem) -> Judgement:
        assert problem.reference is not None
        return judge_code(problem, problem.reference, bench)

    with ThreadPoolExecutor(bench.sandbox.num_workers) as pool:
        ids = [problem.id for problem in problems]
        return dict(zip(ids, pool.map(judge, problems), strict=True))


def failed(found: dict[str, Judgement]) -> dict[str, Grade]:
    return {name: one.grade for name, one in found.items() if not one.is_right}


@pytest.mark.parametrize("rules", ["strict_bench", "official_bench"])
def test_all_of_humanevals_canonical_solutions_pass(
    rules: str, data_folder: DataFolder, request: pytest.FixtureRequest
) -> None:
    problems = problems_of("humaneval", data_folder)
    assert len(problems) == 164
    assert not failed(judged(problems, request.getfixturevalue(rules)))


@pytest.mark.parametrize("rules", ["strict_bench", "official_bench"])
def test_all_of_humaneval_plus_minis_canonical_solutions_pass_base_and_plus(
    rules: str, data_folder: DataFolder, request: pytest.FixtureRequest
) -> None:
    problems = problems_of("humaneval+mini", data_folder)
    found = judged(problems, request.getfixturevalue(rules))
    assert not failed(found)
    assert sum(one.scores == {"base": True, "plus": True} for one in found.values()) == 164


@pytest.mark.parametrize("rules", ["strict_bench", "official_bench"])
@pytest.mark.parametrize("name", ["humaneval+", "mbpp+"])
def test_a_sample_of_the_plus_suites_canonical_solutions_passes(
    name: str, rules: str, data_folder: DataFolder, request: pytest.FixtureRequest
) -> None:
    # A seed whose sample has none of the few problems that take seconds each.
    problems = random.Random(24).sample(problems_of(name, data_folder), 40)
    assert not failed(judged(problems, request.getfixturevalue(rules)))


@pytest.mark.proof
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("rules", ["strict_bench", "official_bench"])
@pytest.mark.parametrize("name", PLUS)
def test_all_canonical_solutions_of_the_plus_suites_pass(
    name: str, rules: str, data_folder: DataFolder, request: pytest.FixtureRequest
) -> None:
    problems = problems_of(name, data_folder)
    assert len(problems) == PLUS[name]
    found = judged(problems, request.getfixturevalue(rules))
    assert not failed(found)
    assert all(all(one.scores.values()) for one in found.values())


@pytest.mark.parametrize("rules", ["strict_bench", "official_bench"])
@pytest.mark.parametrize("name", ["mbpp", "mbpp-sanitized"])
def test_a_sample_of_mbpps_own_code_passes_its_asserts(
    name: str, rules: str, data_folder: DataFolder, request: pytest.FixtureRequest
) -> None:
    problems = [one for one in problems_of(name, data_folder) if one.id not in NOT_BY_VALUES]
    sample = random.Random(31).sample(problems, 60)
    assert not failed(judged(sample, request.getfixturevalue(rules)))


@pytest.mark.parametrize("name", ["leetcode-dataset",
                                  "humaneval-infilling-single", "humaneval-infilling-span"])  # fmt: skip
def test_a_sample_of_other_suites_references_passes(
    name: str, data_folder: DataFolder, strict_bench: Bench
) -> None:
    problems = problems_of(name, data_folder)
    whole = [one for one in problems if one.reference is not None and _is_plain(one)]
    found = judged(random.Random(37).sample(whole, 12), strict_bench)
    assert not failed(found)


def _is_plain(problem: Problem) -> bool:
    """Without what a machine may lack, and without trees."""
    text = f"{problem.reference}"
    return not any(word in text for word in ("sortedcontainers", "Sorted", "TreeNode", "numpy"))


def test_empty_answers_never_pass(data_folder: DataFolder, strict_bench: Bench) -> None:
    for name in ("humaneval", "mbpp", "humaneval+mini"):
        problems = random.Random(41).sample(problems_of(name, data_folder), 40)
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda one: judge_code(one, "\n", strict_bench), problems))
        assert not any(one.is_right for one in found)


def test_mutants_of_references_are_told_from_them(
    data_folder: DataFolder, strict_bench: Bench
) -> None:
    sample = random.Random(43).sample(problems_of("humaneval+mini", data_folder), 30)
    found = list(graded(list(own_answers(sample, has_mutants=True)), strict_bench))
    assert all(one.is_as_it_should_be for one in found)
    assert sum(one.kind is Kind.MUTANT for one in found) > 40
    share = share_killed(found)
    assert share is not None
    assert share > 0.85


def test_every_plus_problem_has_inputs_and_a_reference(data_folder: DataFolder) -> None:
    for name in PLUS:
        for problem in problems_of(name, data_folder):
            task = problem.task
            assert isinstance(task, FunctionTask)
            assert task.base_inputs
            assert task.reference
            assert task.entry_point in task.reference
