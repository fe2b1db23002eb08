"""SantaCoder's single-line infilling: 4792 lines taken out of Python, JavaScript and Java functions.

A model gets what stands before and after a line and fills it in; exact match of the line, blanks at
its ends left out. Official rules take the answer's first line that is not blank, strict rules the
whole answer: a line too many is another program. Nothing is run. The published score is the mean of
the three languages' scores, which the breakdown by language gives.

Source: the rows of bigcode/santacoder-fim-task in QwenLM/Qwen2.5-Coder, which derive from MultiPL-E:
its licence forbids training on them.
"""

from collections.abc import Sequence

from evaluator.data import DataFolder, SourceFile
from evaluator.problem import Problem, TextTask
from evaluator.prompt import Infill, Prompt
from evaluator.suite import Suite

_LANGUAGES = {"py": "python", "js": "javascript", "java": "java"}

FILE = SourceFile(
    path="santacoder_fim/santacoder-fim-single-line.jsonl.gz",
    url="https://github.com/QwenLM/Qwen2.5-Coder",
    sha256="962309b41482cd98123b121f4b8f27f03fc5b0f0dafb9b3b8f9b5f040f94c2a1",
    rows=4792,
)


def load(data: DataFolder) -> Sequence[Problem]:
    """The 4792 gaps; a problem's group is the function, from which several lines were taken."""
    return [
        Problem(
            id=f"{row['language']}/{row['name']}",
            statement=row["prompt"],
            task=TextTask(expected=row["canonical_solution"]),
            language=_LANGUAGES[row["language"]],
            reference=row["canonical_solution"],
            group=f"{row['language']}/{row['name'].rpartition('-L')[0]}",
            notes={"prefix": row["prompt"], "suffix": row["suffix"]},
        )
        for row in data.rows(FILE)
    ]


def prompt(problem: Problem) -> Prompt:
    """The gap."""
    return Infill(prefix=problem.notes["prefix"], suffix=problem.notes["suffix"])


SANTACODER = Suite(
    name="santacoder",
    title="SantaCoder single-line infilling",
    source="https://github.com/QwenLM/Qwen2.5-Coder",
    licence="OpenRAIL (data set card); derived from MultiPL-E: not for training",
    files=(FILE,),
    load=load,
    prompt=prompt,
    base_prompt=prompt,
    extraction="raw",
    official_extraction="raw",
    base_extraction="raw",
    language="several",
    metric="exact match",
    published=(
        ("DeepSeek-Coder-V2-Lite-Base", 86.4, "mean of three languages"),
        ("DeepSeek-Coder-33B-Base", 86.4, "mean of three languages"),
        ("Codestral-22B", 83.0, "mean of three languages"),
    ),
    warning="exact match of a line: other right lines count as wrong",
)
