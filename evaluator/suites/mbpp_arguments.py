"""How MBPP+'s JSON inputs become Python arguments: JSON has no tuples, sets and complex numbers.

Source of the table: EvalPlus evalplus/data/mbpp.py (mbpp_deserialize_inputs), by task number.
"""

from collections.abc import Callable, Sequence
from typing import Any

Convert = Callable[[Sequence[Any]], tuple[Any, ...]]


def _each_tuple(arguments: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(tuple(argument) for argument in arguments)


def _each_list_of_tuples(arguments: Sequence[Any]) -> tuple[Any, ...]:
    return tuple([tuple(item) for item in argument] for argument in arguments)


def _each_tuple_of_tuples(arguments: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(tuple(tuple(item) for item in argument) for argument in arguments)


def _first_list_of_tuples(arguments: Sequence[Any]) -> tuple[Any, ...]:
    first, *others = arguments
    return ([tuple(item) for item in first], *others)


def _first_tuple(arguments: Sequence[Any]) -> tuple[Any, ...]:
    first, *others = arguments
    return (tuple(first), *others)


def _second_tuple(arguments: Sequence[Any]) -> tuple[Any, ...]:
    first, second = arguments
    return first, tuple(second)


def _list_of_sets(arguments: Sequence[Any]) -> tuple[Any, ...]:
    """An empty list stands for an empty dictionary, as in the source."""
    return ([set(item) if isinstance(item, list) and item else {} for item in arguments[0]],)


def _float_and_complex(arguments: Sequence[Any]) -> tuple[Any, ...]:
    return float(arguments[0]), complex(arguments[1])


def _complex(arguments: Sequence[Any]) -> tuple[Any, ...]:
    first, *others = arguments
    return (complex(first), *others)


def _only_first(arguments: Sequence[Any]) -> tuple[Any, ...]:
    return (tuple(tuple(item) if isinstance(item, list) else item for item in arguments[0]),)


def _deep_tuples(arguments: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(_deep(argument) for argument in arguments)


def _deep(value: Any) -> Any:
    return tuple(map(_deep, value)) if isinstance(value, list) else value


def _dictionary_of_tuples(arguments: Sequence[Any]) -> tuple[Any, ...]:
    first, *others = arguments
    return ({key: tuple(item) for key, item in first.items()}, *others)


_TASKS: dict[Convert, str] = {
    _each_tuple: "2 116 132 143 222 261 273 394 399 421 424 429 470 560 579 596 616 630 726 740"
    " 744 809",
    _each_list_of_tuples: "63 64 70 94 120 237 272 299 400 409 417 438 473 614 780",
    _each_tuple_of_tuples: "259 401 445",
    _first_list_of_tuples: "75 413 444 753",
    _first_tuple: "250 307 405 446 617 720 763 808",
    _second_tuple: "106 750",
    _list_of_sets: "115",
    _float_and_complex: "124",
    _complex: "252",
    _only_first: "278",
    _deep_tuples: "580 615 791",
    _dictionary_of_tuples: "722",
}
_BY_TASK = {
    f"Mbpp/{number}": convert for convert, numbers in _TASKS.items() for number in numbers.split()
}


def python_arguments(task_id: str, inputs: Sequence[Sequence[Any]]) -> tuple[tuple[Any, ...], ...]:
    """The arguments of each call of a task."""
    convert = _BY_TASK.get(task_id, tuple)
    return tuple(convert(arguments) for arguments in inputs)
