"""What the hub's sets of contest problems share: tests on standard input or as calls, solutions in fences.

The sets disagree on how a call's result is written: as it is, or in a list of one. Both readings are
offered; whichever a known solution passes is the problem's.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evaluator.problem import CallTask, Problem, StdioTask
from evaluator.prompt import Chat
from evaluator.suites.livecodebench import chat_prompt
from trainer.dataset.candidate import Candidate, Drop
from trainer.dataset.problem import TrainingProblem
from trainer.dataset.tasks import TrainingTask

SECONDS = 12.0
"""Of each test, as DeepCoder's reward has it for these sets."""

MEMORY_MIB = 1024
MOST_SOLUTIONS = 5
"""Of hundreds that some problems have: the first that passes is enough."""

_FENCED = re.compile(r"```(?:python\w*)?\n(.*?)```", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class HubRow:
    """A row of a set, whichever way it is written. function: "" for tests on standard input."""

    id: str
    source: str
    licence: str
    statement: str
    inputs: Sequence[Any]
    outputs: Sequence[Any]
    solutions: Sequence[str]
    function: str = ""
    starter_code: str = ""
    difficulty: str = ""
    uses_all_tests: bool = False


def parsed(value: Any) -> Any:
    """JSON text as what it says; anything else as it is. Raises ValueError."""
    return json.loads(value) if isinstance(value, str) else value


def candidate(row: HubRow) -> Candidate | Drop:
    """The candidate of a row, or why there is none."""
    if len(row.inputs) != len(row.outputs) or not row.inputs:
        detail = f"{len(row.inputs)} inputs, {len(row.outputs)} outputs"
        return Drop(id=row.id, source=row.source, reason="unsupported", detail=detail)
    try:
        first, *others = _calls(row) if row.function else [_stdio(row)]
    except (TypeError, ValueError) as error:
        return Drop(id=row.id, source=row.source, reason="unsupported", detail=f"tests: {error}")
    problem = Problem(
        id=row.id,
        statement=row.statement.rstrip() + "\n\n",
        task=first,
        difficulty=row.difficulty,
        notes={"starter_code": row.starter_code},
    )
    prompt = chat_prompt(problem)
    assert isinstance(prompt, Chat)
    return Candidate(
        problem=TrainingProblem(
            id=row.id,
            kind=row.id,
            source=row.source,
            licence=row.licence,
            difficulty=row.difficulty,
            messages=prompt.messages,
            problem=problem,
        ),
        solutions=tuple(map(unfenced, row.solutions[:MOST_SOLUTIONS])),
        alternatives=tuple(others),
        uses_all_tests=row.uses_all_tests,
    )


def unfenced(solution: str) -> str:
    """The program of a text that may hold it in a fence."""
    found = _FENCED.findall(solution)
    return str(found[-1]) if found else solution


def _stdio(row: HubRow) -> StdioTask:
    pairs = tuple((_text(a), _text(b)) for a, b in zip(row.inputs, row.outputs, strict=True))
    return StdioTask(tests=pairs, compare="numbers", seconds=SECONDS, memory_mib=MEMORY_MIB)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(map(_text, value))
    return value if isinstance(value, str) else json.dumps(value)


def _calls(row: HubRow) -> list[TrainingTask]:
    given = [_arguments(value) for value in row.inputs]
    wanted = [_result(value) for value in row.outputs]
    plain = CallTask(
        function=row.function, tests=tuple(zip(given, wanted, strict=True)), seconds=SECONDS
    )
    if not all(isinstance(value, list) and len(value) == 1 for value in wanted):
        return [plain]
    inner = tuple((arguments, value[0]) for arguments, value in plain.tests)
    return [replace(plain, tests=inner), plain]


def _arguments(value: Any) -> tuple[Any, ...]:
    """A list of arguments, or one JSON value a line. Raises ValueError."""
    if isinstance(value, str):
        return tuple(json.loads(line) for line in value.split("\n") if line.strip())
    if not isinstance(value, list):
        raise ValueError(f"a {type(value).__name__} is no list of arguments")
    return tuple(value)


def _result(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def text_of(row: Mapping[str, Any], *names: str) -> str:
    """The first of these fields that is there and not empty."""
    return next((str(row[name]) for name in names if row.get(name)), "")
