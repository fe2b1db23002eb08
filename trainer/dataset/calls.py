"""Reads tests that are written as Python asserts: plain calls become data, the rest stays code."""

import ast
from collections.abc import Sequence
from typing import Any

Calls = tuple[tuple[tuple[Any, ...], Any], ...]


def plain_calls(asserts: Sequence[ast.stmt]) -> tuple[str, Calls] | None:
    """The function that asserts such as `assert f(1, [2]) == 3` call, with arguments and values.

    Keyword arguments are taken in their order. None where one is anything else, or names differ.
    """
    name, calls = "", []
    for node in asserts:
        match node:
            case ast.Assert(
                test=ast.Compare(
                    left=ast.Call(func=ast.Name(id=called), args=given, keywords=named),
                    ops=[ast.Eq()],
                    comparators=[wanted],
                )
            ) if name in ("", called):
                name = called
                values = [_value(one) for one in (*given, *(word.value for word in named), wanted)]
                if any(value is _NO_VALUE for value in values):
                    return None
                calls.append((tuple(values[:-1]), values[-1]))
            case _:
                return None
    return (name, tuple(calls)) if calls else None


_NO_VALUE = object()


def _value(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError):
        return _NO_VALUE
