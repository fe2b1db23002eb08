"""HumanEval and HumanEval+: 164 Python functions from a signature and a docstring.

HumanEval: program = prompt + completion + test + check(entry_point), 3 s by the wall clock, any
exception fails (openai/human-eval). HumanEval+: the candidate's values on some 9.6 base and 748 plus
inputs a task against those of a corrected reference (EvalPlus 0.3.1; v0.1.10 of the data); a task
counts for plus when base and plus both pass. HumanEval/32 is judged by the polynomial's value.

The chat prompt is EvalPlus' user turn; its pre-filled assistant turn cannot be had from a served
model, and its own OpenAI-style backends leave it out too.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from evaluator.data import DataFolder, SourceFile
from evaluator.problem import CheckTask, FunctionTask, Problem
from evaluator.prompt import Prompt, Text, ask
from evaluator.suite import Suite

INSTRUCTION = (
    "Please provide a self-contained Python script that solves the following problem in a markdown"
    " code block:"
)
BASE_STOPS = ("\nclass ", "\ndef ", "\n#", "\n@", "\nprint", "\nif ", "\n```", "<file_sep>")
_RELEASE = "https://github.com/evalplus/humanevalplus_release/releases/tag/v0.1.10"

HUMANEVAL_FILE = SourceFile(
    path="humaneval/HumanEval.jsonl.gz",
    url="https://github.com/openai/human-eval/raw/master/data/HumanEval.jsonl.gz",
    sha256="18676e28d1f539d6c54e15875ca67dfee4d53efa7ab641b30330df6b8c39352c",
    rows_sha256="9345bdf84c12086d808c671a8f61f2fa89353e1c147804ec9c2223102d7dadc3",
    download="https://raw.githubusercontent.com/openai/human-eval/master/data/HumanEval.jsonl.gz",
    rows=164,
)
PLUS_FILE = SourceFile(
    path="humaneval_plus/HumanEvalPlus.jsonl.gz",
    url=_RELEASE,
    sha256="2caa43554458f258441d25afff1c01b1a7ecac395b0c135a18a896fed8ccb272",
    rows_sha256="c7b62636d76dc7a462e6928996c1193850ab899411be9eb5000eb01d93e51e9d",
    download="https://github.com/evalplus/humanevalplus_release/releases/download/v0.1.10/HumanEvalPlus.jsonl.gz",
    rows=164,
)
NO_EXTREME_FILE = SourceFile(
    path="humaneval_plus/HumanEvalPlus-NoExtreme.jsonl.gz",
    url=_RELEASE,
    sha256="6e541bc7203e4987da6dba26088de54696b9eea92f901d01754e30d7977903f6",
    rows_sha256="766bd0ee8ac6efeee8c304f28034273e1bd694f76483de4b5bb22e439ee811cb",
    download="https://github.com/evalplus/humanevalplus_release/releases/download/v0.1.10/HumanEvalPlus-NoExtreme.jsonl.gz",
    rows=164,
)
MINI_FILE = SourceFile(
    path="humaneval_plus/HumanEvalPlus-Mini.jsonl.gz",
    url=_RELEASE,
    sha256="126a831fa6798daca7ef1089ea09a603d7ca4c8aec10eb889dd6c229b02885a5",
    rows_sha256="381774b43e8eee6754db12703d21d42a6a1203f2981ce2fb9337a35e7010355e",
    download="https://github.com/evalplus/humanevalplus_release/releases/download/v0.1.10/HumanEvalPlus-Mini.jsonl.gz",
    rows=164,
)


def load_humaneval(data: DataFolder) -> Sequence[Problem]:
    """The 164 problems with human-eval's own tests."""
    return [
        Problem(
            id=row["task_id"],
            statement=row["prompt"],
            task=CheckTask(
                entry_point=row["entry_point"],
                test=row["test"],
                reference=row["prompt"] + row["canonical_solution"],
            ),
            reference=row["prompt"] + row["canonical_solution"],
        )
        for row in data.rows(HUMANEVAL_FILE)
    ]


def load_plus(file: SourceFile, data: DataFolder) -> Sequence[Problem]:
    """The 164 problems with EvalPlus' inputs."""
    return [_plus_problem(row) for row in data.rows(file)]


def _plus_problem(row: dict[str, Any]) -> Problem:
    reference = row["prompt"] + row["canonical_solution"]
    return Problem(
        id=row["task_id"],
        statement=row["prompt"],
        task=FunctionTask(
            entry_point=row["entry_point"],
            reference=reference,
            base_inputs=tuple(map(tuple, row["base_input"])),
            plus_inputs=tuple(map(tuple, row["plus_input"])),
            tolerance=row["atol"],
            oracle="root" if row["entry_point"] == "find_zero" else "",
        ),
        reference=reference,
    )


def chat_prompt(problem: Problem) -> Prompt:
    """EvalPlus' instruction, then the task between bare fences."""
    return ask(f"{INSTRUCTION}\n```\n{problem.statement.strip()}\n```\n")


def text_prompt(problem: Problem) -> Prompt:
    """The task itself, to be gone on with."""
    return Text(text=problem.statement, stop=BASE_STOPS)


_PUBLISHED = (
    ("DeepCoder-14B-Preview", 92.6, "README of agentica-project/rllm"),
    ("DeepSeek-R1-Distill-Qwen-14B", 92.0, "README of agentica-project/rllm"),
    ("o3-mini-2025-1-31 (low)", 92.6, "README of agentica-project/rllm"),
    ("o1-2024-12-17 (low)", 90.8, "README of agentica-project/rllm"),
    ("DeepSeek-Coder-V2-Instruct", 82.3, "Qwen2.5-Coder report"),
    ("DeepSeek-Coder-V2-Lite-Instruct", 75.6, "Qwen2.5-Coder report"),
)

HUMANEVAL = Suite(
    name="humaneval",
    title="HumanEval",
    source="https://github.com/openai/human-eval",
    licence="MIT",
    files=(HUMANEVAL_FILE,),
    load=load_humaneval,
    prompt=chat_prompt,
    base_prompt=text_prompt,
    published=(
        ("DeepSeek-Coder-V2-Instruct", 90.2, "README of deepseek-ai/DeepSeek-Coder-V2"),
        ("DeepSeek-Coder-V2-Lite-Instruct", 81.1, "README of deepseek-ai/DeepSeek-Coder-V2"),
        ("GPT-4-Turbo-0409", 88.2, "README of deepseek-ai/DeepSeek-Coder-V2"),
    ),
)
HUMANEVAL_PLUS = Suite(
    name="humaneval+",
    title="HumanEval+",
    source="https://github.com/evalplus/evalplus",
    licence="Apache-2.0",
    files=(PLUS_FILE,),
    load=partial(load_plus, PLUS_FILE),
    prompt=chat_prompt,
    base_prompt=text_prompt,
    official_extraction="evalplus",
    scores=("base", "plus"),
    published=_PUBLISHED,
)
HUMANEVAL_PLUS_NO_EXTREME = Suite(
    name="humaneval+noextreme",
    title="HumanEval+ without extreme inputs",
    source="https://github.com/evalplus/evalplus",
    licence="Apache-2.0",
    files=(NO_EXTREME_FILE,),
    load=partial(load_plus, NO_EXTREME_FILE),
    prompt=chat_prompt,
    base_prompt=text_prompt,
    official_extraction="evalplus",
    scores=("base", "plus"),
)
HUMANEVAL_PLUS_MINI = Suite(
    name="humaneval+mini",
    title="HumanEval+ Mini",
    source="https://github.com/evalplus/evalplus",
    licence="Apache-2.0",
    files=(MINI_FILE,),
    load=partial(load_plus, MINI_FILE),
    prompt=chat_prompt,
    base_prompt=text_prompt,
    official_extraction="evalplus",
    scores=("base", "plus"),
)
