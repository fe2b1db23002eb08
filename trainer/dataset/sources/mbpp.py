"""MBPP's train split (ids 601 to 974), asked for as the short functions are; two asserts are shown."""

import ast
from collections.abc import Iterator
from typing import Any

from evaluator.problem import CallTask, CheckTask, Problem
from evaluator.suites.mbpp import MBPP_FILE
from trainer.dataset import function_prompt
from trainer.dataset.calls import plain_calls
from trainer.dataset.candidate import Candidate, Drop
from trainer.dataset.problem import TrainingProblem
from trainer.dataset.sources import Place

NAME = "mbpp"
LICENCE = "CC-BY-4.0"
TRAIN_IDS = range(601, 975)
SECONDS = 5.0
_NUM_SHOWN = 2


def load(place: Place) -> Iterator[Candidate | Drop]:
    """The problems of the train split."""
    for row in place.data.rows(MBPP_FILE):
        if row["task_id"] in TRAIN_IDS:
            yield _candidate(f"{NAME}/{row['task_id']}", row)


def _candidate(name: str, row: dict[str, Any]) -> Candidate | Drop:
    code = row["code"].replace("\r\n", "\n")
    asserts = ast.parse("\n".join(row["test_list"])).body
    called = _called(asserts, code)
    if called is None:
        return Drop(
            id=name, source=NAME, reason="unsupported", detail="asserts call no function of it"
        )
    function, arguments = called
    calls = plain_calls(asserts)
    task: CallTask | CheckTask
    if calls is not None and not row["test_setup_code"]:
        task = CallTask(function=function, tests=calls[1], seconds=SECONDS)
    else:
        task = CheckTask(
            entry_point=function,
            candidate=function,
            test="\n".join([row["test_setup_code"], *row["test_list"]]),
            reference=code,
            seconds=SECONDS,
        )
    shown = tuple(row["test_list"][:_NUM_SHOWN])
    return Candidate(
        problem=TrainingProblem(
            id=name,
            kind=name,
            source=NAME,
            licence=LICENCE,
            messages=function_prompt.messages(function, arguments, row["text"], shown),
            stop=function_prompt.STOP,
            answer_head=function_prompt.answer_head(function, arguments),
            problem=Problem(id=name, statement=row["text"], task=task, reference=code),
        ),
        solutions=(code,),
        num_tests=len(row["test_list"]),
    )


def _called(asserts: list[ast.stmt], code: str) -> tuple[str, str] | None:
    """Name and arguments of the function that asserts call and the code defines."""
    try:
        defined = {
            one.name: one for one in ast.parse(code).body if isinstance(one, ast.FunctionDef)
        }
    except SyntaxError:
        return None
    for assertion in asserts:
        for node in ast.walk(assertion):
            match node:
                case ast.Call(func=ast.Name(id=name)) if name in defined:
                    return name, ast.unparse(defined[name].args)
    return None
