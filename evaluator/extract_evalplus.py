"""EvalPlus' way to a program: the longest run of lines that is Python, then what the function needs.

Source of the behaviour: evalplus/sanitize.py. Written with Python's own parser instead of
tree-sitter, which differs only for text that is not Python.
"""

import ast

_MOST_LINES = 4000
"""Past this the search, which is quadratic, is not made: an answer of that length is no solution."""


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
        for end in range(_last_possible(lines, start), start + 1, -1):
            if weight[end] - weight[start] <= most:
                break
            if _is_python("\n".join(lines[start:end])):
                best, most = (start, end), weight[end] - weight[start]
                break
    return "\n".join(lines[best[0] : best[1]])


def _last_possible(lines: list[str], start: int) -> int:
    """No run goes past a fence: three backticks are Python only inside a string."""
    in_string = False
    for number in range(start, len(lines)):
        line = lines[number]
        if line.count('"""') % 2 or line.count("'''") % 2:
            in_string = not in_string
        if not in_string and line.lstrip().startswith("```"):
            return number
    return len(lines)


def _is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


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
