"""CRUXEval: 800 short Python functions; predict the output of a call, or an input that gives an output.

Two suites, cruxeval-o and cruxeval-i, each asked directly or, as cruxeval-o-cot and cruxeval-i-cot,
with steps of thought first; the published scores of instruct models are with thought. An answer
stands between [ANSWER] and [/ANSWER] as a whole assertion. The repository runs that assertion, 3 s
at most (see `evaluator.grading.literal`); base models get 10 samples at 0.2 and 0.8 with [/ANSWER] as
stop word. One quirk is not repeated: answers that it refuses to run are left out of n by its older
scripts, here they count as wrong.

The prompts follow the paper's form, task, two worked examples, the question, in our own words.
Source: facebookresearch/cruxeval.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from evaluator.data import DataFolder, SourceFile
from evaluator.problem import LiteralTask, Problem
from evaluator.prompt import Prompt, Text, ask
from evaluator.suite import Suite

FILE = SourceFile(
    path="cruxeval/cruxeval.jsonl.gz",
    url="https://github.com/facebookresearch/cruxeval/raw/main/data/cruxeval.jsonl",
    sha256="2ae4f80997610f7422b66e585e79319f06ff1f6b34d7730f117e84034a503317",
    rows_sha256="5060035a01e2b22b369c2d5c8679f4c85aa3f2602bab0b70f531c615169641af",
    download="https://raw.githubusercontent.com/facebookresearch/cruxeval/main/data/cruxeval.jsonl",
    rows=800,
)
_TASKS = {
    "output": (
        "Below is a Python function and an assertion about one call of it, whose right side is"
        " missing. Work out what the call returns, even if the function looks wrong, and complete"
        " the assertion with that value as a literal: no calls and no expressions left to evaluate."
    ),
    "input": (
        "Below is a Python function f and an assertion about a call of it, whose arguments are"
        " missing. Find arguments for which f returns the given value; any that do are right, give"
        " one. Complete the assertion with them."
    ),
}
_HOW = {
    False: " Write the whole assertion between [ANSWER] and [/ANSWER], and nothing else.",
    True: " First think step by step; then write the whole assertion between [ANSWER] and [/ANSWER].",
}
_EXAMPLES = (
    (
        "def f(words):\n    return [w for w in words if len(w) > 2]",
        '["a", "tree", "is"]',
        '["tree"]',
        "f keeps the words of more than two letters. Of the three only \"tree\" has more than two.",
    ),
    (
        "def f(n, step):\n    while n > 10:\n        n -= step\n    return n",
        "25, 6",
        "7",
        "n goes down in steps of 6 while it is above 10: 25, 19, 13, 7. There it stops.",
    ),
)  # fmt: skip


def load(predict: str, data: DataFolder) -> Sequence[Problem]:
    """The 800 functions. predict: "output" or "input"."""
    return [_problem(row, predict) for row in data.rows(FILE)]


def _problem(row: dict[str, Any], predict: str) -> Problem:
    given, wanted = row["input"], row["output"]
    call = f"f({given})" if predict == "output" else "f(??)"
    value = "??" if predict == "output" else wanted
    return Problem(
        id=row["id"],
        statement=f"{row['code']}\nassert {call} == {value}",
        task=LiteralTask(code=row["code"], given=given, expected=wanted, predict=predict),
        reference=f"[ANSWER]\nassert f({given}) == {wanted}\n[/ANSWER]",
    )


def prompt(predict: str, has_thought: bool, problem: Problem) -> Prompt:
    """Task, two worked examples, the question."""
    return ask(_text(predict, has_thought, problem))


def base_prompt(predict: str, has_thought: bool, problem: Problem) -> Prompt:
    """The same text, begun where the answer or the thought begins."""
    opening = "[THOUGHT]\n" if has_thought else "[ANSWER]\n"
    return Text(text=f"{_text(predict, has_thought, problem)}\n{opening}", stop=("[/ANSWER]",))


def _text(predict: str, has_thought: bool, problem: Problem) -> str:
    parts = [_TASKS[predict] + _HOW[has_thought]]
    for code, given, wanted, thought in _EXAMPLES:
        row = {"id": "", "code": code, "input": given, "output": wanted}
        question = f"[PYTHON]\n{_problem(row, predict).statement}\n[/PYTHON]"
        steps = f"\n[THOUGHT]\n{thought}\n[/THOUGHT]" if has_thought else ""
        answer = f"\n[ANSWER]\nassert f({given}) == {wanted}\n[/ANSWER]"
        parts.append(question + steps + answer)
    parts.append(f"[PYTHON]\n{problem.statement}\n[/PYTHON]")
    return "\n\n".join(parts)


def _suite(predict: str, *, has_thought: bool) -> Suite:
    published = {
        "output": (("DeepSeek-Coder-V2-Instruct", 75.1), ("DeepSeek-Coder-V2-Lite-Instruct", 52.9)),
        "input": (("DeepSeek-Coder-V2-Instruct", 70.0), ("DeepSeek-Coder-V2-Lite-Instruct", 53.0)),
    }[predict]
    note = "with thought, greedy, as run by Qwen"
    return Suite(
        name=f"cruxeval-{predict[0]}" + ("-cot" if has_thought else ""),
        title=f"CRUXEval, {predict} prediction" + (", with thought" if has_thought else ""),
        source="https://github.com/facebookresearch/cruxeval",
        licence="MIT",
        files=(FILE,),
        load=partial(load, predict),
        prompt=partial(prompt, predict, has_thought),
        base_prompt=partial(base_prompt, predict, has_thought),
        extraction="answer",
        official_extraction="answer",
        base_extraction="raw",
        published=tuple((model, score, note) for model, score in published) if has_thought else (),
    )


CRUXEVAL_O = _suite("output", has_thought=False)
CRUXEVAL_O_COT = _suite("output", has_thought=True)
CRUXEVAL_I = _suite("input", has_thought=False)
CRUXEVAL_I_COT = _suite("input", has_thought=True)
