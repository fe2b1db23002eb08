"""MBPP and MBPP+: short Python functions from a sentence and example asserts.

MBPP: the 500 evaluation problems (ids 11 to 510) with 3 asserts each, and the 427 sanitized ones
(evaluation ids only); program = set-up + solution + asserts (google-research mbpp). MBPP+: 378
problems, 3.1 base and 105 plus inputs each, differential against the reference; 62 tasks need their
inputs converted, 15 have another comparison than equality (EvalPlus 0.3.1, v0.2.0 of the data).
"""

import ast
import builtins
from collections.abc import Sequence
from functools import partial
from typing import Any

from evaluator.data import DataFolder, SourceFile
from evaluator.errors import DataInvalid
from evaluator.problem import CheckTask, FunctionTask, Problem
from evaluator.prompt import Prompt, ask
from evaluator.suite import Suite
from evaluator.suites.humaneval import INSTRUCTION, text_prompt
from evaluator.suites.mbpp_arguments import python_arguments

_RELEASE = "https://github.com/evalplus/mbppplus_release/releases/tag/v0.2.0"

MBPP_FILE = SourceFile(
    path="mbpp/mbpp.jsonl.gz",
    url="https://github.com/google-research/google-research/tree/master/mbpp",
    sha256="edd6838ae6623912908b2f29bd64f8478a9e87587fda9818536a945253ef2e11",
    rows_sha256="6295dfbe170c493be0fc8dac09a57714d5cbc7136bd3a8996d0f95dec6cd870e",
    download="https://raw.githubusercontent.com/google-research/google-research/master/mbpp/mbpp.jsonl",
    rows=974,
)
SANITIZED_FILE = SourceFile(
    path="mbpp/sanitized-mbpp.jsonl.gz",
    url="https://github.com/google-research/google-research/tree/master/mbpp",
    sha256="bd83b88cc5d44008185ab789fbcdfbfefd96527fc653672428622e56e661d88e",
    rows_sha256="0478255eb591508802588ee8989b4b4760a6e295ca5e0dec9b7db9efed4a636d",
    download="https://raw.githubusercontent.com/google-research/google-research/master/mbpp/sanitized-mbpp.json",
    rows=427,
)
PLUS_FILE = SourceFile(
    path="mbpp_plus/MbppPlus.jsonl.gz",
    url=_RELEASE,
    sha256="8dc8bdc22eaf5194ba5e8c574be6db5eca806d246dfdc27202d49f657ac847ef",
    rows_sha256="cb088ea309f08b1d161ff85fac8a367c4366006c5ae64add122c738f7f5f57d4",
    download="https://github.com/evalplus/mbppplus_release/releases/download/v0.2.0/MbppPlus.jsonl.gz",
    rows=378,
)
NO_EXTREME_FILE = SourceFile(
    path="mbpp_plus/MbppPlus-NoExtreme.jsonl.gz",
    url=_RELEASE,
    sha256="a73e74a2dc017b551a25da2467fa375eb57167c322f68420a8491fbb57fc1fa5",
    rows_sha256="b48e097c65d5461f274bdc0853f7f1aaf9cbbc486ac1addfe5356c4474b77e62",
    download="https://github.com/evalplus/mbppplus_release/releases/download/v0.2.0/MbppPlus-NoExtreme.jsonl.gz",
    rows=378,
)
EVALUATION_IDS = range(11, 511)
ORACLES = {
    "similar_elements": "same_set",
    "find_char_long": "same_set",
    "common_in_nested_lists": "same_set",
    "extract_singly": "same_set",
    "larg_nnum": "same_set",
    "intersection_array": "same_set",
    "find_dissimilar": "same_set",
    "Diff": "same_set",
    "check_str": "not_none",
    "text_match_three": "not_none",
    "text_starta_endb": "not_none",
    "are_equivalent": "anything",
    "sum_div": "or_zero",
    "surface_Area": "surface_area",
    "digit_distance_nums": "digit_distance",
}


def load_mbpp(data: DataFolder) -> Sequence[Problem]:
    """The 500 evaluation problems."""
    return [
        _problem(row, row["text"], row["test_setup_code"])
        for row in data.rows(MBPP_FILE)
        if row["task_id"] in EVALUATION_IDS
    ]


def load_sanitized(data: DataFolder) -> Sequence[Problem]:
    """The hand-checked ones of the evaluation problems."""
    return [
        _problem(row, row["prompt"], "\n".join(row["test_imports"]))
        for row in data.rows(SANITIZED_FILE)
        if row["task_id"] in EVALUATION_IDS
    ]


def _problem(row: dict[str, Any], text: str, setup: str) -> Problem:
    name = _tested_name(row["task_id"], row["test_list"], row["code"])
    code = row["code"].replace("\r\n", "\n")
    return Problem(
        id=f"Mbpp/{row['task_id']}",
        statement='"""\n' + "\n".join([text, *row["test_list"]]) + '\n"""\n',
        task=CheckTask(
            entry_point=name,
            candidate=name,
            # After the program: what it sets up may be made of the program's own classes.
            test="\n".join([setup, *row["test_list"]]),
            reference=code,
            seconds=10.0,
        ),
        reference=code,
    )


def _tested_name(task: int, tests: Sequence[str], code: str) -> str:
    """The function that the asserts call: a name that the reference defines."""
    defined = {
        node.name
        for node in ast.parse(code).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    for node in ast.walk(ast.parse("\n".join(tests))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in defined
        ):
            return node.func.id
    raise DataInvalid(
        f"Mbpp/{task}: its asserts call none of {', '.join(sorted(defined - set(dir(builtins))))},"
        " which its code defines"
    )


def load_plus(file: SourceFile, data: DataFolder) -> Sequence[Problem]:
    """The 378 problems with EvalPlus' inputs."""
    return [
        Problem(
            id=row["task_id"],
            statement=row["prompt"],
            task=FunctionTask(
                entry_point=row["entry_point"],
                reference=row["canonical_solution"],
                base_inputs=python_arguments(row["task_id"], row["base_input"]),
                plus_inputs=python_arguments(row["task_id"], row["plus_input"] or ()),
                tolerance=row["atol"],
                oracle=ORACLES.get(row["entry_point"], ""),
            ),
            reference=row["canonical_solution"],
        )
        for row in data.rows(file)
    ]


def chat_prompt(problem: Problem) -> Prompt:
    """EvalPlus' instruction, then the sentence with its asserts between bare fences."""
    return ask(f"{INSTRUCTION}\n```\n{problem.statement.strip()}\n```\n")


_PUBLISHED_PLUS = (
    ("DeepSeek-Coder-V2-Instruct", 76.2, "Qwen2.5-Coder report"),
    ("DeepSeek-Coder-V2-Lite-Instruct", 68.8, "Qwen2.5-Coder report"),
    ("GPT-4-Turbo-0409", 72.2, "README of deepseek-ai/DeepSeek-Coder-V2"),
)

MBPP = Suite(
    name="mbpp",
    title="MBPP",
    source="https://github.com/google-research/google-research/tree/master/mbpp",
    licence="CC-BY-4.0",
    files=(MBPP_FILE,),
    load=load_mbpp,
    prompt=chat_prompt,
    base_prompt=text_prompt,
)
MBPP_SANITIZED = Suite(
    name="mbpp-sanitized",
    title="MBPP sanitized",
    source="https://github.com/google-research/google-research/tree/master/mbpp",
    licence="CC-BY-4.0",
    files=(SANITIZED_FILE,),
    load=load_sanitized,
    prompt=chat_prompt,
    base_prompt=text_prompt,
)
MBPP_PLUS = Suite(
    name="mbpp+",
    title="MBPP+",
    source="https://github.com/evalplus/evalplus",
    licence="Apache-2.0",
    files=(PLUS_FILE,),
    load=partial(load_plus, PLUS_FILE),
    prompt=chat_prompt,
    base_prompt=text_prompt,
    official_extraction="evalplus",
    scores=("base", "plus"),
    published=_PUBLISHED_PLUS,
)
