"""What is taken out of an answer: the last fitting block, reasoning stripped, or each harness's own way."""

import ast
import random
from collections.abc import Mapping
from typing import Any

import pytest

from evaluator.errors import UsageRefused
from evaluator.extract import RULES, extracted, without_reasoning
from evaluator.extract_evalplus import sanitized
from evaluator.grading.bench import Bench
from evaluator.journal import Sample
from evaluator.judge import MOST_CODE_BYTES, judge_answer
from evaluator.judgement import Grade, Judgement
from evaluator.problem import CallTask, FunctionTask, Problem, StdioTask
from evaluator.prompt import ask
from evaluator.suite import Suite

F = "def f(x):\n    return x\n"
G = "def g(x):\n    return x\n"
TASK = FunctionTask(entry_point="f", reference=F, base_inputs=((1,), ("a",)))
PROBLEM = Problem(id="p", statement="def f(x):\n", task=TASK)
ANY = Problem(id="p", statement="", task=StdioTask(tests=()))
INFILL = Problem(
    id="p",
    statement="",
    task=TASK,
    notes={
        "prefix": "def f(x):\n",
        "suffix": "\ndef after_the_function(xs):\n    return sorted(xs)\n",
    },
)


def block(code: str, tag: str = "python", fence: str = "```") -> str:
    return f"{fence}{tag}\n{code}{fence}\n"


LAST_BLOCK: Mapping[str, tuple[str, str | None]] = {
    "one block": (f"Sure:\n{block(F)}Done.", F),
    "the last of two": (block("def f(x):\n    return 0\n") + "Better:\n" + block(F), F),
    "one that defines what is called": (block(F) + "Use it:\n" + block("print(f(1))\n"), F),
    "an assignment defines too": (block("f = abs\n") + block("print(f(1))\n"), "f = abs\n"),
    "a block of another language": (block(F) + "Run:\n" + block("pip install x\n", "bash"), F),
    "no tag": (block(F, ""), F),
    "another tag only": (block(F, "text"), F),
    "tag with more": (block(F, "python title=main.py"), F),
    "capital tag": (block(F, "Python"), F),
    "tildes": (block(F, fence="~~~"), F),
    "four backticks": (block(block(F), "markdown", "````") + block(F), F),
    "never closed": (f"Sure:\n```python\n{F.rstrip()}", F),
    "never closed, then another": (f"```python\nx = 1\n```python\n{F}```\n", F),
    "indented in a list": ("1. So:\n\n   ```python\n   def f(x):\n       return x\n   ```\n", F),
    "windows lines": (block(F).replace("\n", "\r\n"), F),
    "reasoning before": (f"<think>{block(G)}</think>\n{block(F)}", F),
    "reasoning without its opening": (f"{block(G)}</think>\n{block(F)}", F),
    "reasoning after": (f"{block(F)}<think>{block(G)}", F),
    "code in reasoning only": (f"<think>{block(F)}</think>\nI am done.", None),
    "reasoning that never ends": (f"<think>{block(F)}", None),
    "empty": ("", None),
    "blank": (" \n\t\n", None),
    "empty block": ("```python\n```\n", None),
    "prose": ("I would add the numbers.", None),
    "one word": ("yes", None),
    "bare code": (F, F),
    "bare code after prose": (f"Here it is: {F}", None),
    "backticks in a line": ("Use `f(x)` and ```x``` there.", None),
}


@pytest.mark.parametrize("name", LAST_BLOCK)
def test_last_block_takes(name: str) -> None:
    answer, wanted = LAST_BLOCK[name]
    assert extracted("last_block", answer, PROBLEM) == wanted


def test_last_block_knows_the_tags_of_other_languages() -> None:
    for language, tag in (("cpp", "c++"), ("go", "golang"), ("javascript", "js"), ("rust", "rs")):
        problem = Problem(id="p", statement="", task=StdioTask(tests=()), language=language)
        answer = block("right\n", tag) + block("other\n", "python")
        assert extracted("last_block", answer, problem) == "right\n"
        assert extracted("last_block", "right", problem) is None


def test_a_method_is_found_by_its_name() -> None:
    problem = Problem(id="p", statement="", task=CallTask(function="solve", tests=()))
    right = "class Solution:\n    def solve(self):\n        return 1\n"
    assert extracted("last_block", block(right) + block("print(1)\n"), problem) == right


@pytest.mark.parametrize(
    ("rule", "answer", "wanted"),
    [
        ("raw", "<think>a</think>b", "<think>a</think>b"),
        ("transcript", "<think>a</think>b", "<think>a</think>b"),
        ("answer", "<think>a</think>b", "b"),
        ("completion", "    return x\n", F),
        ("completion", "", None),
        ("livecodebench", block(G) + block(F), F.rstrip("\n")),
        ("livecodebench", f"```python\n{F}", None),
        ("livecodebench", "no code", None),
        ("livecodebench", block(F) + "as ```\n", "as ```"[:0] or None),
        ("rllm", block(G) + block(F), F.strip()),
        ("rllm", block(F).replace("\n", "\r\n"), None),
        ("rllm", block(F, "python title=a"), None),
        ("rllm", f"```python\n{F}", None),
    ],
)
def test_other_rules_take(rule: str, answer: str, wanted: str | None) -> None:
    assert extracted(rule, answer, PROBLEM) == wanted


def test_an_unknown_rule_names_those_there_are() -> None:
    with pytest.raises(UsageRefused, match="last_block"):
        extracted("first_block", "", PROBLEM)


def test_a_filled_gap_is_cut_where_it_repeats_what_follows() -> None:
    prefix, suffix = INFILL.notes["prefix"], INFILL.notes["suffix"]
    whole = prefix + "    return x\n" + suffix
    assert extracted("infill", "    return x\n", INFILL) == whole
    assert extracted("infill", "    return x\n" + suffix + "more", INFILL) == whole
    assert extracted("infill_raw", "    return x\n" + suffix, INFILL) == whole + suffix


def test_evalplus_keeps_what_the_function_reaches() -> None:
    answer = (
        "Here:\n```python\nimport math\nLIMIT = 3\n\ndef helper(x):\n    return x\n\n"
        "def unused(x):\n    return x\n\ndef f(x):\n    return helper(x) + LIMIT\n\nprint(f(1))\n```\n"
    )
    taken = sanitized(answer, "f")
    assert "import math" in taken
    assert "helper" in taken
    assert "LIMIT" in taken
    assert "unused" not in taken
    assert "print" not in taken


PIECES = [
    "def f(x):", "    return x", "    y = (1,", "  2)", "x = [", "]", "'''", "text here",
    "```python", "```", "import os", "if x:", "else:", "try:", "    pass", "except ValueError:",
    "", "@dec", "class A:", "    def g(self):", "        return f'{x", "        z = f'{x!}'",
    "print 'a'", "x = 1 \\", "a b", "\tx = 1", "foo(", "    bar baz", ")", "}", "# comment",
    "it's", "with (a as b,", "   c as d):", "f(a=1, 2)", "“quote”", "01", '"""doc', "\x00",
]  # fmt: skip


def longest_run(text: str) -> int:
    """The weight of the longest run of lines that is Python, by trying every one of them."""
    lines, most = text.split("\n"), 0
    for start in range(len(lines)):
        for end in range(start + 2, len(lines) + 1):
            weight = sum(bool(line.strip()) for line in lines[start:end])
            try:
                ast.parse("\n".join(lines[start:end]))
            except (SyntaxError, ValueError):
                continue
            most = max(most, weight)
    return most


@pytest.mark.filterwarnings("ignore")
def test_evalplus_finds_the_longest_run_of_any_mixture_of_lines() -> None:
    chance = random.Random(4)
    for _ in range(400):
        text = "\n".join(chance.choices(PIECES, k=chance.randint(2, 10)))
        source = sanitized(text, "no_such_function")
        # With nothing that is reached, the whole run is kept, or its imports.
        if "import" not in text and longest_run(text):
            assert sum(bool(line.strip()) for line in source.split("\n")) == longest_run(text), text


SUITE = Suite(
    name="s", title="S", source="here", licence="none", files=(), load=lambda _: [],
    prompt=lambda problem: ask(problem.statement),
)  # fmt: skip


def judged(text: str, bench: Bench, **more: Any) -> Judgement:
    sample = Sample(suite="s", problem="p", index=0, text=text, **more)
    return judge_answer(SUITE, PROBLEM, sample, bench)


@pytest.mark.parametrize(
    "line",
    [
        "x = 1\n",
        "word " * 20 + "\n",
        "```\n",
        "```python\n",
        "<think>",
        "(",
        "`",
        "\u2028",
        "é",
        "\r\n",
    ],
)
def test_ten_megabytes_of_anything_end_in_a_grade(line: str, strict_bench: Bench) -> None:
    answer = line * (10_000_000 // len(line))
    assert judged(answer, strict_bench).grade is Grade.NO_CODE
    for rule in ("livecodebench", "rllm", "evalplus", "answer"):
        extracted(rule, answer, PROBLEM)


def test_code_at_the_end_of_ten_megabytes_is_found_and_passes(strict_bench: Bench) -> None:
    thinking = "Let me think about the number again.\n" * 270_000
    assert judged(f"<think>{thinking}</think>\n{block(F)}", strict_bench).is_right
    assert judged(thinking + block(F), strict_bench).is_right
    assert judged(block("data = '''\n" + thinking + "'''\n" + F), strict_bench).is_right


def test_code_too_large_to_be_run_is_the_answers_fault(
    strict_bench: Bench, official_bench: Bench
) -> None:
    code = F + "# " + "x" * MOST_CODE_BYTES
    for bench in (strict_bench, official_bench):
        found = judged(code, bench, is_code=True)
        assert found.grade is Grade.COMPILE_ERROR
        assert len(found.code) < len(code) / 10


@pytest.mark.parametrize(
    "code",
    ["int main() { return 0; }", "{" * 5000, "(" * 5000, "\0", "x = '\ud800'\n" + F, "1" * 5000,
     "-" * 100_000 + "1", "\ufffe", "# coding: rot13\n", "f = " + "[" * 150 + "]" * 150],
)  # fmt: skip
def test_wrong_languages_and_broken_texts_end_in_a_grade(
    code: str, strict_bench: Bench, official_bench: Bench
) -> None:
    for bench in (strict_bench, official_bench):
        found = judged(code, bench, is_code=True)
        assert found.is_scored
        assert not found.is_right


def test_every_rule_bears_any_text() -> None:
    notes = {"prefix": "", "suffix": "", "entry_point": "f", "stop": ("\n}",), "closing": "}",
             "imports": ()}  # fmt: skip
    problem = Problem(id="p", statement="func f() {", task=TASK, language="go", notes=notes)
    chance = random.Random(7)
    for rule in RULES:
        for _ in range(100):
            text = "".join(
                chance.choices(
                    ["```", "\n", "go", "f", "{", "}", "<think>", " ", "\r", "func f("], k=30
                )
            )
            extracted(rule, text, problem)


def test_reasoning_is_what_think_tags_hold() -> None:
    assert without_reasoning("<think>a</think>b<think>c</think>d") == "d"
    assert without_reasoning("b<think>c") == "b"
    assert without_reasoning("a") == "a"
