"""The gate: what it asks, what it answers, and that it neither guesses nor lets a worse model through."""

import json
import math
import pathlib
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from evaluator.errors import GateInvalid, NotComparable, RunIncomplete
from evaluator.gate import Failed, Inconclusive, Passed, decide
from evaluator.gate_file import parse_gate, read_gate
from evaluator.journal import Record, Sample
from evaluator.judgement import Grade, Judgement
from evaluator.results import Results, read_results
from evaluator.suite_results import ProblemResult, SuiteResults

WriteRun = Callable[..., pathlib.Path]
PASS, WRONG = Grade.PASS, Grade.WRONG_ANSWER


def results(rights: Sequence[bool], name: str = "run", **facts: Any) -> Results:
    """A run of one sample a problem, made in memory."""
    problems = tuple(
        ProblemResult(
            id=f"p{i}",
            records=(
                Record(
                    sample=Sample(suite="s", problem=f"p{i}", index=0),
                    judgement=Judgement(grade=PASS if right else WRONG),
                ),
            ),
        )
        for i, right in enumerate(rights)
    )
    suite = SuiteResults(name="s", problems=problems, facts={"recipe": "r", **facts})
    return Results(folder=pathlib.Path(name), rules="strict", suites={"s": suite})


def gate(**suite: Any) -> Any:
    return parse_gate({"suites": {"s": suite}})


def test_a_clear_score_is_held_against_a_floor() -> None:
    good = results([True] * 160 + [False] * 4)
    assert isinstance(decide(gate(floor=0.9), good), Passed)
    assert isinstance(decide(gate(floor=0.999), good), Failed)
    assert isinstance(decide(gate(floor=0.97), good), Inconclusive)


def test_a_checkpoint_that_lost_much_fails_and_one_that_won_much_passes() -> None:
    live = results([True] * 80 + [False] * 84)
    assert isinstance(decide(gate(margin=0.02), results([True] * 50 + [False] * 114), live), Failed)
    better = results([True] * 110 + [False] * 54)
    assert isinstance(decide(gate(margin=0.02, improvement=0.1), better, live), Passed)


def test_an_equal_checkpoint_is_let_through_only_by_a_margin_that_the_problems_can_show() -> None:
    live = results([True] * 80 + [False] * 84)
    assert isinstance(decide(gate(margin=0.02), live, live), Passed)
    # 164 equal problems may hide a loss of 1.8 points.
    assert isinstance(decide(gate(margin=0.01), live, live), Inconclusive)
    assert isinstance(decide(gate(improvement=0.0), live, live), Inconclusive)


def test_the_answer_carries_its_evidence_as_plain_data() -> None:
    live, candidate = results([True] * 3 + [False] * 7), results([False] + [True] * 4 + [False] * 5)
    verdict = decide(gate(floor=0.1, margin=0.9), candidate, live)
    data = json.loads(json.dumps(verdict.as_data()))
    assert data["answer"] == verdict.name == "passed"
    evidence = data["evidence"][0]
    assert (evidence["score"], evidence["live_score"]) == (0.4, 0.3)
    assert evidence["difference"] == pytest.approx(0.1)
    assert (evidence["only_live"], evidence["only_candidate"]) == (1, 2)
    assert evidence["difference_low"] < 0.1 < evidence["difference_high"]
    assert [check["kind"] for check in data["checks"]] == ["floor", "not worse"]


def test_the_same_results_give_the_same_answer() -> None:
    live, candidate = results([True] * 5 + [False] * 5), results([True] * 6 + [False] * 4)
    first = decide(gate(margin=0.3), candidate, live)
    assert first == decide(gate(margin=0.3), candidate, live)


def test_at_most_five_of_a_hundred_worse_checkpoints_pass() -> None:
    dice = random.Random(8)
    asked = gate(margin=0.03)
    runs, passed = 400, 0
    for _ in range(runs):
        before = [dice.random() < 0.6 for _ in range(164)]
        # On average 3 points worse: exactly what the margin forbids.
        after = [not b if dice.random() < (0.065 if b else 0.0225) else b for b in before]
        passed += isinstance(decide(asked, results(after), results(before)), Passed)
    assert passed / runs <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs)


def incomplete(write_run: WriteRun, grades: Mapping[str, Sequence[Grade]], **facts: Any) -> Results:
    return read_results(write_run("run", {"s": grades}, facts=facts))


def test_a_run_that_is_not_whole_is_not_judged(write_run: WriteRun) -> None:
    asked = gate(floor=0.1, samples=2)
    for found, said in (
        (incomplete(write_run, {"p": [PASS, PASS]}, num_problems=2), "1 problems have no sample"),
        (incomplete(write_run, {"q": [PASS]}), "1 samples, the gate asks 2"),
        (results([]), "0 samples, the gate asks 2"),
        (Results(folder=pathlib.Path("run"), rules="strict"), "did not ask this suite"),
        (Results(folder=pathlib.Path("run"), rules="official"), "official rules"),
    ):
        with pytest.raises(RunIncomplete, match=said):
            decide(asked, found)


def test_a_run_that_our_host_failed_at_is_not_judged(write_run: WriteRun) -> None:
    found = incomplete(write_run, {"a": [PASS, PASS], "b": [PASS, Grade.INFRASTRUCTURE]})
    with pytest.raises(RunIncomplete, match=r"25\.0% of the samples"):
        decide(gate(floor=0.1), found)


def test_ungraded_samples_are_not_judged(write_run: WriteRun) -> None:
    found = read_results(write_run("run", {"s": {"p": [PASS]}}, rules="official"))
    with pytest.raises(RunIncomplete, match="not graded under strict rules"):
        decide(gate(floor=0.1), found)


def test_runs_of_other_recipes_sampling_or_problems_are_not_compared() -> None:
    live = results([True, False])
    with pytest.raises(NotComparable, match="recipe: r and other"):
        decide(gate(margin=0.1), results([True, False], recipe="other"), live)
    with pytest.raises(NotComparable, match="1 problems were scored in only one"):
        decide(gate(margin=0.1), results([True, False, True]), live)
    asked = parse_gate({"suites": {"s": {"floor": 0.1}}, "sampling": {"temperature": 0.6}})
    with pytest.raises(NotComparable, match=r"temperature was 0\.0, the gate asks 0\.6"):
        decide(asked, results([True], sampling={"temperature": 0.0}))


def test_a_gate_that_compares_needs_a_live_run() -> None:
    with pytest.raises(RunIncomplete, match="no results of it"):
        decide(gate(margin=0.1), results([True]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "suites: Field required"),
        ("[suites]", "suites is {}"),
        (
            "[suites.s]\nfloor = 12",
            r"suites\.s\.floor is 12: Input should be less than or equal to 1",
        ),
        ("[suites.s]\nfloors = 0.1", r"suites\.s\.floors: Extra inputs are not permitted"),
        ("[suites.s]\nsamples = 0\nfloor = 0.1", r"suites\.s\.samples is 0"),
        ("[suites.s]", r"suites\.s asks nothing"),
        ("confidence = 95\n[suites.s]\nfloor = 0.1", "confidence is 95"),
        ("[suites.s\n", "cannot be read as TOML"),
    ],
)
def test_a_gate_file_that_is_wrong_is_refused_by_key(
    tmp_path: pathlib.Path, text: str, said: str
) -> None:
    path = tmp_path / "gate.toml"
    path.write_text(text)
    with pytest.raises(GateInvalid, match=said):
        read_gate(path)


def test_a_missing_gate_file_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(GateInvalid, match=r"nowhere\.toml cannot be read"):
        read_gate(tmp_path / "nowhere.toml")
