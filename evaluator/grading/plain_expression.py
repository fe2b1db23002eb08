"""Python expressions that are only data: read without being run.

value_of takes a literal. call_of takes a call of a named function whose arguments are data too, or
are made of it by operators, by plain types and by methods: such an expression cannot name, change or
see anything but its own parts, and is given back as text that we wrote.
"""

import ast
from typing import Any

_TYPES = frozenset(
    {"dict", "set", "list", "tuple", "frozenset", "range", "str", "int", "float", "bool", "bytes",
     "complex", "len", "sorted", "reversed", "chr", "ord", "bytearray"}
)  # fmt: skip
_PARTS = (
    ast.Constant, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.UnaryOp, ast.unaryop, ast.BinOp,
    ast.operator, ast.Compare, ast.cmpop, ast.BoolOp, ast.boolop, ast.IfExp, ast.Subscript,
    ast.Slice, ast.Starred, ast.keyword, ast.Load, ast.arguments, ast.arg, ast.Lambda, ast.Call,
    ast.Attribute, ast.Name,
)  # fmt: skip
_SHOWN = 80


class PlainExpressionError(Exception):
    """Not the kind of expression that is asked for."""


def value_of(tree: ast.expr) -> Any:
    """The value of a literal. Raises PlainExpressionError."""
    try:
        return ast.literal_eval(tree)
    except (ValueError, TypeError, RecursionError, MemoryError, ArithmeticError):
        raise PlainExpressionError(f"{_text(tree)} is no literal") from None


def variables_of(code: str) -> frozenset[str]:
    """Names that a program's top level assigns."""
    found = (node for node in ast.parse(code).body if isinstance(node, ast.Assign))
    targets = (target for node in found for target in node.targets)
    return frozenset(target.id for target in targets if isinstance(target, ast.Name))


def call_of(tree: ast.expr, function: str, names: frozenset[str] = frozenset()) -> str:
    """The call as text. Raises PlainExpressionError unless it calls the function, on plain data.

    names: variables that may be used as data.
    """
    if (
        not isinstance(tree, ast.Call)
        or not isinstance(tree.func, ast.Name)
        or tree.func.id != function
    ):
        raise PlainExpressionError(f"{_text(tree)} is no call of {function}")
    try:
        for part in (*tree.args, *tree.keywords):
            _check(part, names)
        return ast.unparse(tree)
    except RecursionError:
        raise PlainExpressionError("the arguments are nested too deep") from None


def _check(tree: ast.AST, names: frozenset[str]) -> None:
    """Raise PlainExpressionError unless a tree is plain. names: a lambda's own, which it may use."""
    if not isinstance(tree, _PARTS):
        raise PlainExpressionError(f"{_text(tree)} is more than plain data")
    if isinstance(tree, ast.Name) and tree.id not in names:
        raise PlainExpressionError(f"{tree.id} is a name, not data")
    if isinstance(tree, ast.Attribute) and tree.attr.startswith("_"):
        raise PlainExpressionError(f"{_text(tree)} reaches inside of a value")
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        names |= {tree.func.id} & _TYPES
    if isinstance(tree, ast.Lambda):
        arguments = ast.walk(tree.args)
        names |= {argument.arg for argument in arguments if isinstance(argument, ast.arg)}
    for part in ast.iter_child_nodes(tree):
        _check(part, names)


def _text(tree: ast.AST) -> str:
    try:
        text = ast.unparse(tree)
    except RecursionError:
        return "the answer"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
