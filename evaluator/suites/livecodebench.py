"""LiveCodeBench code generation: contest problems by date, on standard input or as a method.

Tests are the public and the private ones together; a problem with a function name in its metadata is
called with JSON arguments, one a line. Official rules: evaluator.official.livecodebench, with its list
of right programs that it rejects (`for line in sys.stdin`, os.write, `global` at the top level …).
Strict rules run each test as a process of its own, or compare values outside the program.

livecodebench, livecodebench-v6     the release's own files (test.jsonl …), private tests included
livecodebench-leetcode    the 98 LeetCode problems of DeepCoder's window with some 100 cases each, from
                          LeetCodeDataset
livecodebench-samples     all 279 problems of the window by the samples of their statements only

Any dated suite takes a window: livecodebench@2024-08-01..2025-02-01 has the first day in it and not
the last, as rLLM's slice; LiveCodeBench's own runner has the last day at 00:00 in it. DeepCoder's
prompt is LiveCodeBench's generic one as a single user turn. Errata of the source: 11 problems with
several right answers, 2 interactive ones (abc337_e, abc355_e), 4 with wrong tests.
"""

import ast
import base64
import binascii
import datetime as dt
import io
import json
import pickle
import zlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from evaluator.data import DataFolder, SourceFile
from evaluator.errors import DataInvalid
from evaluator.problem import CallTask, Problem, StdioTask
from evaluator.prompt import Prompt, ask
from evaluator.suite import Suite

_HUB = "https://huggingface.co/datasets/livecodebench/code_generation_lite/resolve/main"
SYSTEM = (
    "You are an expert Python programmer. You will be given a question (problem specification) and"
    " will generate a correct Python program that matches the specification and passes all tests."
)
_WITH_STARTER = (
    "You will use the following starter code to write the solution to the problem and enclose your"
    " code within delimiters."
)
_WITH_STDIN = (
    "Read the inputs from stdin solve the problem and write the answer to stdout (do not directly"
    " test on the sample inputs). Enclose your code within delimiters as follows. Ensure that when"
    " the python program runs, it reads the inputs, runs the algorithm and writes output to STDOUT."
)
STATEMENTS = SourceFile(
    path="livecodebench/lcb_v5_2408_2502_statements.jsonl.gz",
    url="https://github.com/QwenLM/QwQ",
    sha256="098f8ac21878f047fac9562f8f567bb642b5d4c4f3aeccead63de14eeb5db152",
    rows=279,
)
JOIN = SourceFile(
    path="livecodebench/lcb_leetcode_join.jsonl.gz",
    url="https://github.com/newfacade/LeetCodeDataset",
    sha256="9522ecccc2c8730caca08c6b93155fe2aed4b718a062bff17704a41c888960b1",
    rows=98,
)
LEETCODE = SourceFile(
    path="leetcode_dataset/leetcode-v0.3.1-test.jsonl.gz",
    url="https://github.com/newfacade/LeetCodeDataset",
    sha256="5debee152da8e37edc5ee5cab1c4dba454dfc92717f0572f2800c7e0a7c6d046",
    rows=228,
)


def _release(number: int) -> tuple[SourceFile, ...]:
    names = ["test.jsonl", *(f"test{part}.jsonl" for part in range(2, number + 1))]
    return tuple(
        SourceFile(path=f"livecodebench/{name}", url=f"{_HUB}/{name}", download=f"{_HUB}/{name}")
        for name in names
    )


def load_release(files: Sequence[SourceFile], data: DataFolder) -> Sequence[Problem]:
    """The problems of a release's own files. Raises DataMissing, DataInvalid."""
    return [_release_problem(row) for file in files for row in data.rows(file)]


def _release_problem(row: Mapping[str, Any]) -> Problem:
    name = row.get("question_id", "(no question_id)")
    try:
        tests = [*json.loads(row["public_test_cases"]), *private_tests(row["private_test_cases"])]
        function = json.loads(row["metadata"] or "{}").get("func_name")
        task: StdioTask | CallTask
        if function is None:
            pairs = tuple((test["input"], test["output"]) for test in tests)
            task = StdioTask(tests=pairs, compare="numbers")
        else:
            task = CallTask(function=function, tests=tuple(map(_json_call, tests)))
        return _problem(row, task)
    except (KeyError, TypeError, ValueError) as error:
        raise DataInvalid(
            f"LiveCodeBench problem {name}: {type(error).__name__}: {error}"
        ) from error


def _json_call(test: Mapping[str, str]) -> tuple[tuple[Any, ...], Any]:
    return tuple(map(json.loads, test["input"].split("\n"))), json.loads(test["output"])


class _NoClasses(pickle.Unpickler):
    """A text is all that the source packs; whatever asks for a class is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise ValueError(f"packed tests ask for {module}.{name}; only text is read")


def private_tests(packed: str) -> list[dict[str, str]]:
    """The tests of JSON text, or of such text pickled, compressed and in base 64. Raises ValueError."""
    try:
        found = json.loads(packed)
    except ValueError:
        try:
            content = zlib.decompress(base64.b64decode(packed))
            found = json.loads(_NoClasses(io.BytesIO(content)).load())
        except (binascii.Error, zlib.error, pickle.UnpicklingError, EOFError, TypeError) as error:
            raise ValueError(f"private_test_cases cannot be unpacked ({error})") from error
    if not isinstance(found, list):
        raise ValueError("private_test_cases holds no list")
    return found


def load_samples(data: DataFolder) -> Sequence[Problem]:
    """All 279 problems of the window with the samples of their statements as tests."""
    problems = []
    for row in data.rows(STATEMENTS):
        samples = row["statement_samples"]
        task: StdioTask | CallTask
        if row["testtype"] == "stdin":
            pairs = tuple((sample["input"], sample["output"]) for sample in samples)
            task = StdioTask(tests=pairs, compare="numbers")
        else:
            calls = tuple(call for sample in samples if (call := _written_call(sample)) is not None)
            task = CallTask(function=_method(row["starter_code"]), tests=calls)
        problems.append(_problem(row, task))
    return problems


def load_leetcode(data: DataFolder) -> Sequence[Problem]:
    """The LeetCode problems of the window that LeetCodeDataset has cases for."""
    rows = {row["question_id"]: row for row in data.rows(STATEMENTS)}
    cases = {row["task_id"]: row for row in data.rows(LEETCODE)}
    problems = []
    for join in data.rows(JOIN):
        row, source = rows[join["question_id"]], cases[join["leetcode_slug"]]
        calls = tuple(
            call for case in source["input_output"] if (call := _written_call(case)) is not None
        )
        task = CallTask(function=_method(row["starter_code"]), tests=calls)
        row = {**row, "difficulty": join["difficulty"]}
        problems.append(_problem(row, task, reference=source["prompt"] + source["completion"]))
    return problems


_WORDS = {"true": True, "false": False, "null": None}


def _written_call(case: Mapping[str, str]) -> tuple[tuple[Any, ...], Any] | None:
    """Arguments and result of "n = 5, queries = [[2,4]]"; None where they are not plain values."""
    try:
        call = ast.parse(f"f({case['input']})", mode="eval").body
        assert isinstance(call, ast.Call)
        values = [*call.args, *(keyword.value for keyword in call.keywords)]
        output = ast.parse(case["output"].strip(), mode="eval").body
        return tuple(map(_literal, values)), _literal(output)
    except (SyntaxError, ValueError, AssertionError, RecursionError):
        return None


def _literal(node: ast.AST) -> Any:
    """The value of a literal that may hold JSON's own words. Raises ValueError."""
    if isinstance(node, ast.Name) and node.id in _WORDS:
        return _WORDS[node.id]
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(item) for item in node.elts]
    return ast.literal_eval(node)


def _method(starter_code: str) -> str:
    """The name of the first method in a starter code."""
    return starter_code.partition("def ")[2].partition("(")[0].strip()


def _problem(
    row: Mapping[str, Any], task: StdioTask | CallTask, reference: str | None = None
) -> Problem:
    return Problem(
        id=row["question_id"],
        statement=row["question_content"],
        task=task,
        reference=reference,
        date=dt.date.fromisoformat(row["contest_date"][:10]),
        difficulty=str(row.get("difficulty", "")).lower(),
        group=row.get("contest_id", ""),
        notes={"starter_code": row["starter_code"]},
    )


def chat_prompt(problem: Problem) -> Prompt:
    """DeepCoder's variant: no system turn, its sentence first in the user's."""
    starter = str(problem.notes["starter_code"])
    form = _WITH_STARTER if starter.strip() else _WITH_STDIN
    code = starter if starter.strip() else "# YOUR CODE HERE"
    return ask(
        f"{SYSTEM}\n\n{problem.statement}### Format: {form}\n```python\n{code}\n```\n\n"
        "### Answer: (use the provided format with backticks)\n\n"
    )


_PUBLISHED = (
    ("DeepCoder-14B-Preview", 60.6, "README of agentica-project/rllm; 2024-08-01..2025-02-01"),
    ("DeepSeek-R1-Distill-Qwen-14B", 53.0, "README of agentica-project/rllm"),
    ("o1-2024-12-17 (low)", 59.5, "README of agentica-project/rllm"),
    ("o3-mini-2025-1-31 (low)", 60.9, "README of agentica-project/rllm"),
)


def _suite(name: str, title: str, files: tuple[SourceFile, ...], load: Any, **more: Any) -> Suite:
    return Suite(
        name=name,
        title=title,
        source="https://github.com/LiveCodeBench/LiveCodeBench",
        licence="statements (c) AtCoder, LeetCode and their authors; repository MIT",
        files=files,
        load=load,
        prompt=chat_prompt,
        official_extraction="livecodebench",
        published=_PUBLISHED,
        **more,
    )


RELEASE_V5 = _suite(
    "livecodebench", "LiveCodeBench v5", _release(5), partial(load_release, _release(5))
)
RELEASE_V6 = _suite(
    "livecodebench-v6", "LiveCodeBench v6", _release(6), partial(load_release, _release(6))
)
LEETCODE_PART = _suite(
    "livecodebench-leetcode",
    "LiveCodeBench, LeetCode part",
    (STATEMENTS, JOIN, LEETCODE),
    load_leetcode,
    warning="98 of the window's 279 problems, by LeetCodeDataset's cases",
)
SAMPLES = _suite(
    "livecodebench-samples",
    "LiveCodeBench, samples only",
    (STATEMENTS,),
    load_samples,
    warning="tests are the samples of the statements only: a pass is weaker than an accepted one",
)
