"""Makes a whole program's front part of an answer in any language, for tests to be put behind it.

A model that is asked to complete a function returns it whole, with more or less around it: with the
imports, in a class, with a `main` of its own, or only the body. The function must come to stand in
the program once, where the tests can call it: imports of the prompt and of the answer, the answer's
own definitions, no second `main`.

What a problem's notes say: "entry_point"; "stop", texts that end a base model's completion; "closing",
what such a completion lacks then; "class", the class in which the function stands, where it does;
"is_class_open", whether the tests go on inside that class.

Where a block ends is told by its indentation, which no string or comment can mislead.
"""

import re
from dataclasses import dataclass

from evaluator.problem import Problem


@dataclass(frozen=True, kw_only=True)
class Syntax:
    """What of a language has to be known. Patterns are for whole lines; {} is a function's name.

    definition: begins the function. imports: lines that have to stand first. dropped: lines that
    are not wanted at all. mains: begin a block that is not wanted.
    """

    definition: str
    imports: str = r"(?!)"
    dropped: str = r"(?!)"
    mains: str = r"(?!)"


_GO_PROSE = re.compile(r'"(?:\\.|[^"\\\n])*"|`[^`]*`|//[^\n]*|/\*.*?\*/', re.DOTALL)
"""Texts and comments, in which a package's name is only a word."""
_TYPED = r"\s*(?!return\b|else\b|throw\b)(?:[\w:<>,.&*?\[\] ]+[\s&*>\]])?{}\s*\("
_SCRIPT = r"\s*(?:export\s+)?(?:(?:async\s+)?function\s+{}\b|(?:const|let|var)\s+{}\s*[:=])"
SYNTAXES = {
    "cpp": Syntax(
        definition=_TYPED,
        imports=r"\s*#\s*include\b.*|\s*using\s+namespace\b.*;",
        mains=r"(?:signed|int|void|auto)\s+main\s*\(.*",
    ),
    "java": Syntax(
        definition=_TYPED,
        imports=r"\s*import\s+[\w.*\s]+;",
        dropped=r"\s*package\s+.*",
        mains=r"\s*public\s+static\s+void\s+main\s*\(.*|(?:public\s+)?class\s+Main\b.*",
    ),
    "csharp": Syntax(
        definition=_TYPED,
        imports=r"\s*using\s+[\w.=\s]+;",
        mains=r"\s*(?:public\s+|private\s+)?static\s+(?:async\s+)?\w+\s+Main\s*\(.*",
    ),
    "javascript": Syntax(definition=_SCRIPT, dropped=r"\s*module\.exports\b.*"),
    "typescript": Syntax(
        definition=_SCRIPT, dropped=r"\s*export\s*\{.*|\s*declare\s+var\s+require\b.*"
    ),
    "php": Syntax(definition=r"\s*function\s+&?{}\s*\(", dropped=r"\s*(?:<\?php|\?>)\s*"),
    "bash": Syntax(definition=r"\s*(?:function\s+{}\b|{}\s*\(\))", dropped=r"#!.*"),
    "go": Syntax(
        definition=r"func\s+{}\s*[\[(]",
        dropped=r"package\s+\w+.*",
        mains=r"func\s+(?:main|Test\w*)\s*\(.*",
    ),
    "rust": Syntax(
        definition=r"\s*(?:pub\s+)?fn\s+{}\b",
        imports=r"use\s+.*;",
        dropped=r"\s*#\[cfg\(test\)\]\s*|\s*#!\[.*|\s*extern\s+crate\b.*",
        mains=r"(?:pub\s+)?fn\s+main\s*\(.*|mod\s+tests\b.*",
    ),
}


def whole_program(code: str, problem: Problem) -> str:
    """The front part of the program, made of an answer's code block."""
    syntax = SYNTAXES[problem.language]
    lines = [
        line
        for line in _without_blocks(code.rstrip().split("\n"), syntax.mains)
        if not re.fullmatch(syntax.dropped, line)
    ]
    start = _definition(lines, problem)
    if start is None:
        return _continued(code, problem)
    imports = [line for line in lines if re.fullmatch(syntax.imports, line)]
    before, after = (
        [line for line in part if not re.fullmatch(syntax.imports, line)]
        for part in (lines[:start], lines[start:])
    )
    lines, start = before + after, len(before)
    if problem.notes.get("class"):
        lines = _in_class(lines, start, problem)
    if problem.language == "go":
        return _go_program(lines, problem)
    return "\n".join(dict.fromkeys([*preamble(problem), *imports])) + "\n" + "\n".join(lines) + "\n"


def completed(text: str, problem: Problem) -> str | None:
    """The statement and what a base model went on with, as far as the function goes."""
    if not text.strip():
        return None
    for stop in problem.notes["stop"]:
        text = text.partition(stop)[0]
    return _continued(text + problem.notes["closing"], problem)


def _continued(code: str, problem: Problem) -> str:
    whole = problem.statement + code + "\n"
    if problem.language == "go":
        return _go_program(whole.split("\n"), problem)
    return whole + (
        "}\n" if problem.notes.get("class") and not problem.notes["is_class_open"] else ""
    )


def preamble(problem: Problem) -> list[str]:
    """The statement's lines that have to stand first, as they are."""
    syntax = SYNTAXES[problem.language]
    first = rf"{syntax.imports}|\s*<\?php|#!.*"
    return [line for line in problem.statement.split("\n") if re.fullmatch(first, line)]


def defines(code: str, problem: Problem) -> bool:
    """Whether a code block defines the function."""
    return _definition(code.split("\n"), problem) is not None


def _definition(lines: list[str], problem: Problem) -> int | None:
    name = re.escape(problem.notes["entry_point"])
    pattern = re.compile(SYNTAXES[problem.language].definition.replace("{}", name))
    found = (number for number, line in enumerate(lines) if pattern.match(line))
    return next((number for number in found if not lines[number].rstrip().endswith(";")
                 or "{" in lines[number]), None)  # fmt: skip


def _end(lines: list[str], start: int) -> int:
    """The number of the line after a block: where its indentation closes it."""
    head = lines[start]
    if "{" in head and head.count("{") == head.count("}"):
        return start + 1
    margin = head[: len(head) - len(head.lstrip())]
    for number in range(start + 1, len(lines)):
        if lines[number].startswith(margin + "}"):
            return number + 1
    return len(lines)


def _without_blocks(lines: list[str], mains: str) -> list[str]:
    kept: list[str] = []
    number = 0
    while number < len(lines):
        if re.fullmatch(mains, lines[number]):
            number = _end(lines, number)
        else:
            kept.append(lines[number])
            number += 1
    return kept


def _in_class(lines: list[str], start: int, problem: Problem) -> list[str]:
    """The function and what stands beside it, in the class in which the tests look for it."""
    opens = re.compile(r"\s*(?:(?:public|final|static|abstract|internal)\s+)*class\s+\w+.*")
    around = [number for number in range(start) if opens.fullmatch(lines[number])]
    around = [number for number in around if _end(lines, number) > start]
    if around:
        first, last = around[0], _end(lines, around[0])
        is_brace_below = "{" not in lines[first]
        members = lines[first + 1 + is_brace_below : last]
        while members and members[-1].strip() in ("", "}"):
            is_closing = members.pop().strip() == "}"
            if is_closing:
                break
        others = lines[:first] + lines[last:]
    else:
        members, others = lines, []
    others = [re.sub(r"^public\s+(?=[\w\s]*(?:class|interface|enum|record)\b)", "", line)
              for line in others]  # fmt: skip
    closing = [] if problem.notes["is_class_open"] else ["}"]
    return [*others, f"class {problem.notes['class']} {{", *members, *closing]


def _go_program(lines: list[str], problem: Problem) -> str:
    """Go refuses an import that is not used and needs all of them first: they are sorted anew."""
    text = "\n".join(lines)
    named = re.findall(r'^import\s+(?:\w+\s+)?"([^"]+)"|^\s+"([\w/.]+)"\s*$', text, re.M)
    text = re.sub(r"^import\s*\([^)]*\)|^import\s.*$|^package\s.*$", "", text, flags=re.M)
    whole = text + getattr(problem.task, "tail", "")
    return go_imports({*map("".join, named), *problem.notes["imports"]}, whole) + text


def go_imports(paths: set[str], text: str) -> str:
    """The lines that import what of the paths is used in a text."""
    code = _GO_PROSE.sub("", text)
    used = [path for path in sorted(paths) if re.search(rf"\b{path.rpartition('/')[2]}\.", code)]
    return "".join(f'import "{path}"\n' for path in used)
