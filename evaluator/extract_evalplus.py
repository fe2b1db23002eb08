"""EvalPlus' way to a program: the longest run of lines that is Python, then what the function needs.

Source of the behaviour: evalplus/sanitize.py. Written with Python's own parser instead of
tree-sitter, which differs only for text that is not Python.
"""

import ast

_MOST_LINES = 4000
"""Past this nothing is looked at: the search takes the square of it, and no solution is as long."""


def sanitized(text: str, entry_point: str) -> str:
    """Imports, then the first definition of each name that entry_point reaches.

    entry_point: "" keeps every definition. With nothing of that, the whole run of lines.
    """
    source = _longest_python(text)
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    named: dict[str, ast.stmt] = {}
    for node in body:
        name = _defined_name(node)
        if name:
            named.setdefault(name, node)
    wanted = _reachable(entry_point, named) if entry_point else named.keys()
    kept = [*imports, *(node for name, node in named.items() if name in wanted)]
    return "\n".join(ast.get_source_segment(source, node) or "" for node in kept) or source


def _longest_python(text: str) -> str:
    """The run of at least two lines with most that are not blank; else the first line."""
    lines = text.split("\n")
    if len(lines) > _MOST_LINES:
        lines = lines[:_MOST_LINES]
    weight = [0]
    for line in lines:
        weight.append(weight[-1] + bool(line.strip()))
    best, most = (0, 1), 0
    for start in range(len(lines)):
        if weight[-1] - weight[start] <= most:
            break
        if lines[start][:1] in (" ", "\t") and lines[start].strip():
            continue  # nothing that is Python begins indented
        end = len(lines)
        while end > start + 1 and weight[end] - weight[start] > most:
            wrong = _wrong_line("\n".join(lines[start:end]))
            if wrong is None:
                best, most = (start, end), weight[end] - weight[start]
                break
            # No run that holds the line is Python, however it goes on.
            end = min(end - 1, start + wrong - 1)
    return "\n".join(lines[best[0] : best[1]])


def _wrong_line(source: str) -> int | None:
    """The number of the first line, from 1, up to which this cannot be Python; None if all of it is."""
    try:
        ast.parse(source)
    except SyntaxError as error:
        # A fault inside an f-string may be told with a line of the string's own.
        is_known = error.lineno is not None and "f-string" not in error.msg
        return error.lineno if is_known else source.count("\n") + 1
    except (ValueError, RecursionError, MemoryError):
        return source.count("\n", 0, source.find("\0") if "\0" in source else None) + 1
    return None


def _defined_name(node: ast.stmt) -> str:
    """What a top-level statement defines for EvalPlus; "" for what it drops."""
    if isinstance(node, ast.ClassDef) and not node.decorator_list:
        return node.name
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.decorator_list:
        has_return = any(isinstance(inner, ast.Return) for inner in ast.walk(node))
        return node.name if has_return else ""
    target = None
    if isinstance(node, ast.Assign):
        target = node.targets[0]
    elif isinstance(node, ast.AnnAssign):
        target = node.target
    return target.id if isinstance(target, ast.Name) else ""


def _reachable(entry_point: str, named: dict[str, ast.stmt]) -> set[str]:
    found, open_names = set[str](), [entry_point]
    while open_names:
        name = open_names.pop()
        if name in found:
            continue
        found.add(name)
        if name in named:
            names = {inner.id for inner in ast.walk(named[name]) if isinstance(inner, ast.Name)}
            open_names += [other for other in names if other in named]
    return found
