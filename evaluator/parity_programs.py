"""The programs of parity rows: given as text, by the completion of another row, or by a recipe.

A recipe makes a text from a problem's own reference: canonical, prompt_canonical, crlf, with_main,
rename, or mutate:WHAT:N, which changes the N-th comparison, whole number or arithmetic operator.
"""

import ast
import hashlib
from collections.abc import Mapping
from typing import Any

from evaluator.errors import DataInvalid
from evaluator.problem import FunctionTask, Problem

_COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}  # fmt: skip
_OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Div: ast.Mult,
}  # fmt: skip


class _Mutator(ast.NodeTransformer):
    """Changes the n-th place of a kind, in the order in which places are left."""

    def __init__(self, what: str, number: int) -> None:
        self._what, self._number = what, number
        self._seen = 0
        self.is_done = False

    def _is_the_one(self) -> bool:
        self._seen += 1
        is_it = self._seen - 1 == self._number and not self.is_done
        self.is_done |= is_it
        return is_it

    def visit_Compare(self, node: ast.Compare) -> ast.AST:  # ast's name
        self.generic_visit(node)
        kind = type(node.ops[0])
        if self._what == "compare" and kind in _COMPARISONS and self._is_the_one():
            node.ops[0] = _COMPARISONS[kind]()
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if self._what == "const" and type(node.value) is int and self._is_the_one():
            return ast.copy_location(ast.Constant(node.value + 1), node)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        kind = type(node.op)
        if self._what == "arith" and kind in _OPERATORS and self._is_the_one():
            node.op = _OPERATORS[kind]()
        return node


def mutant(source: str, what: str, number: int) -> str | None:
    """The source with one place changed; None when there are fewer places of that kind."""
    mutator = _Mutator(what, number)
    tree = mutator.visit(ast.parse(source))
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n" if mutator.is_done else None


def solution_of(row: Mapping[str, Any], problem: Problem, completions: Mapping[str, str]) -> str:
    """The text that a harness judged. Raises DataInvalid when it cannot be made again."""
    if row.get("has_completion"):
        return problem.statement + completions[row["id"]]
    assert isinstance(problem.task, FunctionTask)
    source = row["solution"] if "solution" in row else _made(row["recipe"], problem, problem.task)
    if source is None or hashlib.sha256(source.encode()).hexdigest() != row["sha256"]:
        raise DataInvalid(
            f"parity row {row['id']}: recipe {row.get('recipe')!r} does not make the text that was"
            " judged; the data is of another edition"
        )
    return source


def _made(recipe: str, problem: Problem, task: FunctionTask) -> str | None:
    source = task.reference
    if recipe in ("canonical", "prompt_canonical"):
        return source
    if recipe == "crlf":
        return source.replace("\n", "\r\n")
    if recipe == "with_main":
        return source + "\n\nif __name__ == '__main__':\n    raise SystemExit(3)\n"
    if recipe == "rename":
        return source.replace(task.entry_point, task.entry_point + "_x")
    _, what, number = recipe.split(":")
    return mutant(source, what, int(number))
