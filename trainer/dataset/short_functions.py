"""Short functions: some 1,400 kinds made by composition, each with tests that its reference passes.

A family for small models and quick proofs of learning: one sentence, two examples, an answer of one
line. Equal seeds give equal problems. Kinds, not problems, are split into what is trained on and what
is held out; kinds that do the same under other words count as one.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from evaluator.problem import CallTask, Problem
from trainer.dataset import function_prompt
from trainer.dataset.problem import TrainingProblem
from trainer.dataset.short_families import Form, filled, forms
from trainer.dataset.short_inputs import INPUTS, constants
from trainer.dataset.short_tests import ERRORS, LAZY, Function, Test, Tests, chosen_tests

LICENCE = "Apache-2.0"
SOURCE = "short-functions"
CALL_SECONDS = 1.0
NUM_REWARDING, NUM_SHOWN, NUM_HOLDOUT = 8, 2, 4
_POOL, _LARGE_POOL = 24, 240
_NUM_RIVALS = 10
_NUM_PROBES = 60
_EASY_LENGTH, _MEDIUM_LENGTH = 34, 43
_NAMES = ("solve", "func", "f", "compute", "answer")


def short_functions(seed: int = 0, *, versions: int = 2) -> list[TrainingProblem]:
    """The family's problems. versions: of a kind that has constants; the others have one."""
    return list(_made(seed, versions))


@cache
def _made(seed: int, versions: int) -> tuple[TrainingProblem, ...]:
    kinds, rivals = _kinds(), defaultdict[str, list[Form]](list)
    for form in forms():
        if form.rival:
            rivals[form.rival].append(form)
    problems, texts = [], set[tuple[str, str]]()
    for form in forms():
        for version in range(versions if form.has_places else 1):
            draw = random.Random(f"{seed}/{form.kind}/{version}")
            values = constants(draw)
            text = f"Return {filled(form.text, values)}."
            if (form.arguments, text) in texts:
                continue
            texts.add((form.arguments, text))
            others = [one for one in rivals[form.rival] if one is not form]
            others = draw.sample(others, min(_NUM_RIVALS, len(others)))
            near = [_function(one, values) for one in others]
            tests = _tests(form, values, near, draw)
            if tests is not None:
                problems.append(
                    _problem(
                        f"{SOURCE}/{form.kind}/{version}",
                        form,
                        filled(form.expression, values),
                        text,
                        tests,
                        draw.choice(_NAMES),
                        kinds[form.kind],
                    )
                )
    return tuple(problems)


def split(
    problems: Sequence[TrainingProblem], seed: int = 1, *, held_out: float = 0.25
) -> tuple[list[TrainingProblem], list[TrainingProblem]]:
    """Problems to train on, and problems of other kinds: that share of each family's kinds."""
    families = defaultdict[str, set[str]](set)
    for problem in problems:
        families[problem.kind.partition("/")[0]].add(problem.kind)
    kept_out = set[str]()
    for family, kinds in sorted(families.items()):
        shuffled = sorted(kinds)
        random.Random(f"{seed}/{family}").shuffle(shuffled)
        kept_out.update(shuffled[: round(held_out * len(shuffled))])
    return (
        [problem for problem in problems if problem.kind not in kept_out],
        [problem for problem in problems if problem.kind in kept_out],
    )


def _difficulty(expression: str) -> str:
    """A third of the family each: the longer the reference, the rarer a small model finds it."""
    if len(expression) <= _EASY_LENGTH:
        return "easy"
    return "medium" if len(expression) <= _MEDIUM_LENGTH else "hard"


def _function(form: Form, values: Mapping[str, Any]) -> Function:
    """The form as a function of this process: families are this package's own files."""
    made: Function = eval(f"lambda {form.arguments}: {filled(form.expression, values)}")
    return made


def _kinds() -> dict[str, str]:
    """Form's kind → the first kind that does the same on probes under the same constants."""
    draw = random.Random("kinds")
    # Constants under which kinds that differ do differ: divisible by 2 would be even.
    values = constants(draw) | {"a": 7, "b": 20, "d": 5, "k": 4, "n": 2, "q": 3}
    probes = defaultdict[tuple[str, ...], list[tuple[Any, ...]]](list)
    first: dict[tuple[Any, ...], str] = {}
    kinds = {}
    for form in forms():
        given = probes[form.inputs]
        while len(given) < _NUM_PROBES:
            given.append(_arguments(form, values, draw))
        function = _function(form, values)
        does = (form.inputs, *(_told(function, arguments) for arguments in given))
        kinds[form.kind] = first.setdefault(does, form.kind)
    return kinds


def _told(function: Function, arguments: tuple[Any, ...]) -> str:
    try:
        return repr(function(*arguments))
    except ERRORS as error:
        return type(error).__name__


def _arguments(form: Form, values: Mapping[str, Any], draw: random.Random) -> tuple[Any, ...]:
    return tuple(INPUTS[name](draw, values) for name in form.inputs)


def _tests(
    form: Form, values: Mapping[str, Any], rivals: Sequence[Function], draw: random.Random
) -> Tests | None:
    for size in (_POOL, _LARGE_POOL):
        # A result that is rare, such as True for "all of them are", needs many draws.
        found = chosen_tests(
            _pool(form, values, draw, size),
            [*rivals, *LAZY],
            num_rewarding=NUM_REWARDING,
            num_holdout=NUM_HOLDOUT,
            num_shown=NUM_SHOWN,
        )
        if found is not None:
            return found
    return None


def _pool(form: Form, values: Mapping[str, Any], draw: random.Random, size: int) -> list[Test]:
    """Different calls that the reference can do."""
    function, pool = _function(form, values), dict[str, Test]()
    for _ in range(3 * size):
        arguments = _arguments(form, values, draw)
        if len(pool) == size:
            break
        try:
            test = Test(arguments=arguments, expected=function(*arguments))
        except ERRORS:
            continue  # the text says nothing about it, such as the largest of an empty list
        pool.setdefault(repr(arguments), test)
    return list(pool.values())


def _problem(
    number: str,
    form: Form,
    expression: str,
    text: str,
    tests: Tests,
    name: str,
    kind: str,
) -> TrainingProblem:
    shown = tuple(
        f"assert {name}({', '.join(map(repr, test.arguments))}) == {test.expected!r}"
        for test in tests.rewarding[:NUM_SHOWN]
    )

    def task(chosen: Sequence[Test]) -> CallTask:
        calls = tuple((test.arguments, test.expected) for test in chosen)
        return CallTask(function=name, tests=calls, seconds=CALL_SECONDS)

    head = function_prompt.answer_head(name, form.arguments)
    reference = f"{head}\n    return {expression}\n"
    difficulty = _difficulty(expression)
    return TrainingProblem(
        id=number,
        kind=kind,
        source=SOURCE,
        licence=LICENCE,
        difficulty=difficulty,
        messages=function_prompt.messages(name, form.arguments, text, shown),
        stop=function_prompt.STOP,
        answer_head=head,
        problem=Problem(
            id=number,
            statement=text,
            task=task(tests.rewarding),
            reference=reference,
            difficulty=difficulty,
            group=kind,
        ),
        holdout=task(tests.holdout),
    )
