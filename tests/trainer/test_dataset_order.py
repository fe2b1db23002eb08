"""The order of problems: by the seed, resumable, easy first where asked, live ones where asked."""

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from evaluator.problem import CallTask, Problem
from evaluator.prompt import Message
from trainer.dataset.order import Order
from trainer.dataset.problem import TrainingProblem
from trainer.errors import DatasetInvalid


def problems(count: int) -> list[TrainingProblem]:
    task = CallTask(function="f", tests=(((1,), 1),))
    return [
        TrainingProblem(
            id=f"p{number}",
            kind=f"p{number}",
            source="test",
            licence="none",
            difficulty=("hard", "easy", "medium")[number % 3],
            messages=(Message(role="user", content="?"),),
            problem=Problem(id=f"p{number}", statement="?", task=task),
        )
        for number in range(count)
    ]


def ids(order: Order, count: int) -> list[str]:
    return [problem.id for problem in order.take(count)]


def test_every_epoch_has_every_problem_once_in_an_order_of_its_own() -> None:
    order = Order(problems=problems(10), seed=1)
    first, second = ids(order, 10), ids(order, 10)
    assert sorted(first) == sorted(second) == sorted(f"p{n}" for n in range(10))
    assert first != second
    assert ids(Order(problems=problems(10), seed=1), 20) == first + second
    assert ids(Order(problems=problems(10), seed=2), 10) != first


@pytest.mark.parametrize("options", [{}, {"has_curriculum": True}, {"is_filtered": True}])
def test_order_resumed_from_json_goes_on_as_if_undisturbed(options: dict[str, Any]) -> None:
    def noted(order: Order, count: int) -> list[str]:
        taken = ids(order, count)
        for name in taken:
            order.note(name, int(name[1:]) % 3, 2)
        return taken

    whole = Order(problems=problems(10), seed=3, **options)
    begun = Order(problems=problems(10), seed=3, **options)
    expected = noted(whole, 14) + noted(whole, 14)
    first = noted(begun, 14)
    resumed = Order(problems=problems(10), seed=3, **options)
    resumed.restore(json.loads(json.dumps(begun.state())))
    assert first + noted(resumed, 14) == expected


def test_curriculum_has_the_easy_ones_first_and_the_often_solved_before_the_others() -> None:
    listed = problems(9)
    listed[4] = replace(listed[4], solve_rate=0.9)
    found = Order(problems=listed, seed=1, has_curriculum=True).take(9)
    assert [problem.difficulty for problem in found] == ["easy"] * 3 + ["medium"] * 3 + ["hard"] * 3
    assert found[0].id == "p4"


def test_filter_asks_live_problems_again_and_a_share_of_the_others() -> None:
    order = Order(problems=problems(10), seed=1, is_filtered=True, others_share=0.25)
    for name in ids(order, 10):
        order.note(name, {"p0": 1, "p1": 3}.get(name, 0), 4)
    second = Counter(ids(order, 4))
    assert {"p0", "p1"} <= second.keys()
    assert len(second) == 4
    assert order.place.epoch == 1


def test_filter_without_a_live_problem_asks_them_all() -> None:
    order = Order(problems=problems(6), seed=1, is_filtered=True)
    for name in ids(order, 6):
        order.note(name, 0, 4)
    assert sorted(ids(order, 6)) == sorted(f"p{n}" for n in range(6))


def test_state_of_another_data_set_is_refused() -> None:
    order = Order(problems=problems(6), seed=1, is_filtered=True)
    order.note("p5", 1, 2)
    with pytest.raises(DatasetInvalid, match="has not"):
        Order(problems=problems(3), seed=1, is_filtered=True).restore(order.state())
