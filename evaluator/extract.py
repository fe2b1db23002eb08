"""Takes the program, or the text to grade, out of an answer: one rule a name.

last_block    ours, and the default: reasoning stripped, then the last fenced block in the problem's
              language, one that defines what is called if there is one; an unclosed fence counts
answer        the whole text without reasoning
raw           the text as it is
transcript    the text with the reasoning before it, which some endpoints send apart
function      the last block that defines the function asked for, as the front part of a program, in
              any language; the function is taken whole and stands there once
first_function  the same of the first block in the language, as DeepSeek's scripts take it
function_completion  the statement and the text up to the first stop text, the function closed
completion    the problem's statement and the text after it, as base models go on
infill        prefix, text and suffix; the text cut where the suffix begins to be repeated
infill_raw    the same without a cut
livecodebench what lies between the last two lines with a fence
rllm          the last whole fenced block of DeepCoder's reward: no CRLF, no tag but one word
evalplus      EvalPlus' sanitize: the longest run of lines that is Python, then what is reachable
              from the function asked for

Sources: LiveCodeBench lcb_runner/utils/extraction_utils.py, rLLM rewards/code_reward.py, EvalPlus
evalplus/sanitize.py; behaviour only.
"""

import ast
import re
import warnings
from collections.abc import Callable, Iterator

from evaluator.errors import UsageRefused
from evaluator.extract_evalplus import sanitized
from evaluator.extract_function import completed, defines, whole_program
from evaluator.problem import CallTask, CheckTask, FunctionTask, Problem

# Of texts that are parsed here: that a model wrote '\w' is no news for who runs an evaluation.
warnings.filterwarnings("ignore", category=SyntaxWarning, module="<unknown>")

_REPEATED_CHARACTERS = 40
"""So much of the suffix in a completion is the suffix, written once more."""

_MOST_BARE_CHARACTERS = 1 << 20
"""Longest answer without a fence that is looked at for being a program: parsing takes memory."""

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([^\s`]*)[^\n`]*$")
_TAGS = {
    "python": {"python", "py", "python3", "py3", ""},
    "cpp": {"cpp", "c++", "cc", "cxx", ""},
    "csharp": {"csharp", "cs", "c#", ""},
    "javascript": {"javascript", "js", "node", ""},
    "typescript": {"typescript", "ts", ""},
    "bash": {"bash", "sh", "shell", ""},
    "go": {"go", "golang", ""},
    "rust": {"rust", "rs", ""},
}
"""Language → tags of fences that mean it; another language's only tags are its name and none."""


def extracted(rule: str, text: str, problem: Problem) -> str | None:
    """What a rule takes out of an answer; None when there is nothing. Raises UsageRefused."""
    try:
        function = RULES[rule]
    except KeyError:
        raise UsageRefused(
            f"extraction {rule!r} is no rule: there are {', '.join(RULES)}"
        ) from None
    code = function(text, problem)
    return code if code is not None and code.strip() else None


def without_reasoning(text: str) -> str:
    """The text after the last closing think tag; a think tag that never closes hides all after it."""
    after = text.rpartition("</think>")[2]
    return after.partition("<think>")[0]


def _last_block(text: str, problem: Problem) -> str | None:
    answer = without_reasoning(text.replace("\r\n", "\n"))
    blocks = list(_blocks(answer))
    if not blocks:
        return answer if _is_bare_code(answer, problem) else None
    wanted = _TAGS.get(problem.language, {problem.language, ""})
    fitting = [code for tag, code in blocks if tag.lower() in wanted]
    fitting = fitting or [code for _, code in blocks]
    name = _called_name(problem)
    if name:
        pattern = re.compile(rf"(?:def|class)\s+{re.escape(name)}\b|^{re.escape(name)}\s*=", re.M)
        fitting = [code for code in fitting if pattern.search(code)] or fitting
    return fitting[-1]


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Tag and content of each fenced block; one that is not closed ends with the text."""
    fence, tag, lines = "", "", list[str]()
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if not fence:
            if found:
                fence, tag, lines = found[1], found[2], []
        elif found and not found[2] and found[1].startswith(fence):
            yield tag, _dedented(lines)
            fence = ""
        elif found and found[2] and found[1] == fence:
            # A new block opens where the last one was never closed.
            yield tag, _dedented(lines)
            tag, lines = found[2], []
        else:
            lines.append(line)
    if fence and any(line.strip() for line in lines):
        yield tag, _dedented(lines)


def _dedented(lines: list[str]) -> str:
    """The lines without the indentation that they share, as of a block in a list."""
    margins = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    margin = min(margins, default=0)
    return "\n".join(line[margin:] for line in lines) + "\n"


def _is_bare_code(text: str, problem: Problem) -> bool:
    """Whether an answer without any fence is a program by itself; a sentence is none."""
    if problem.language != "python" or len(text) > _MOST_BARE_CHARACTERS:
        return False
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    plain = (ast.Name, ast.Constant, ast.BinOp, ast.Tuple)
    return any(
        not (isinstance(node, ast.Expr) and isinstance(node.value, plain)) for node in tree.body
    )


def _called_name(problem: Problem) -> str:
    """The name that the tests call, or ""."""
    task = problem.task
    if isinstance(task, FunctionTask):
        return task.entry_point
    if isinstance(task, CheckTask):
        return task.entry_point.partition("(")[0]
    if isinstance(task, CallTask):
        return task.function
    return ""


def _answer(text: str, _problem: Problem) -> str | None:
    return without_reasoning(text)


def _raw(text: str, _problem: Problem) -> str | None:
    return text


def _completion(text: str, problem: Problem) -> str | None:
    return problem.statement + text if text.strip() else None


def _function(text: str, problem: Problem) -> str | None:
    blocks = _blocks_or_all(text, problem)
    fitting = [code for code in blocks if defines(code, problem)] or blocks
    return whole_program(fitting[-1], problem) if fitting else None


def _first_function(text: str, problem: Problem) -> str | None:
    blocks = _blocks_or_all(text, problem)
    return whole_program(blocks[0], problem) if blocks else None


def _blocks_or_all(text: str, problem: Problem) -> list[str]:
    """The blocks in the problem's language, else all; the whole text if it has none but the function."""
    answer = without_reasoning(text.replace("\r\n", "\n"))
    blocks = list(_blocks(answer))
    if not blocks:
        return [answer] if defines(answer, problem) else []
    wanted = _TAGS.get(problem.language, {problem.language, ""})
    return [code for tag, code in blocks if tag.lower() in wanted] or [code for _, code in blocks]


def _infill(text: str, problem: Problem) -> str | None:
    prefix, suffix = str(problem.notes["prefix"]), str(problem.notes["suffix"])
    start = suffix.lstrip("\n")[:_REPEATED_CHARACTERS]
    if len(start) == _REPEATED_CHARACTERS and start in text:
        # What comes before the repetition keeps its own line break.
        text = text[: text.index(start)].removesuffix("\n" * suffix.startswith("\n"))
    return prefix + text + suffix


def _infill_raw(text: str, problem: Problem) -> str | None:
    return str(problem.notes["prefix"]) + text + str(problem.notes["suffix"])


def _livecodebench(text: str, _problem: Problem) -> str | None:
    lines = text.split("\n")
    fences = [number for number, line in enumerate(lines) if "```" in line]
    if len(fences) < 2:
        return None
    return "\n".join(lines[fences[-2] + 1 : fences[-1]])


def _rllm(text: str, _problem: Problem) -> str | None:
    found = re.findall(r"```(?:\w+)?\n(.*?)```", text, re.DOTALL)
    return str(found[-1]).strip() if found else None


def _evalplus(text: str, problem: Problem) -> str | None:
    return sanitized(text, _called_name(problem))


RULES: dict[str, Callable[[str, Problem], str | None]] = {
    "last_block": _last_block,
    "answer": _answer,
    "raw": _raw,
    "transcript": _raw,
    "function": _function,
    "first_function": _first_function,
    "function_completion": completed,
    "completion": _completion,
    "infill": _infill,
    "infill_raw": _infill_raw,
    "livecodebench": _livecodebench,
    "rllm": _rllm,
    "evalplus": _evalplus,
}
