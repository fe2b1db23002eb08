"""MATH-500: 500 problems of the MATH benchmark, answered by a LaTeX expression.

Official rules are math-verify's: an expression is looked for in the whole answer, a boxed one first,
and compared with the truth by sympy. It has faults: of two boxed answers it may take the wrong one,
it takes one out of the reasoning where the answer has none, and a giant power hangs it in spite of
its time-out, which is a signal. Strict rules give it the last \\boxed after the reasoning and nothing
else, within CPU time that the kernel limits.

Source: agentica-project/rllm at 874daa4 (the 500 rows of openai/prm800k's test split).
"""

from collections.abc import Sequence

from evaluator.data import DataFolder, SourceFile
from evaluator.problem import MathTask, Problem
from evaluator.suite import Suite
from evaluator.suites.aime import base_prompt, prompt

FILE = SourceFile(
    path="math500/math500.jsonl.gz",
    url="https://github.com/agentica-project/rllm/blob/874daa4acb7f/rllm/data/test/math/math.json",
    sha256="9b5fd5e67f8ac7bb66d7e898ca8e37a6cf69a51f7200d7ff572b5aa1ebcd6600",
    rows=500,
)


def load(data: DataFolder) -> Sequence[Problem]:
    """The 500 problems; a problem's group is its subject."""
    return [
        Problem(
            id=row["unique_id"],
            statement=row["problem"],
            task=MathTask(expected=row["answer"]),
            difficulty=str(row["difficulty"]),
            group=row["unique_id"].split("/")[-2],
        )
        for row in data.rows(FILE)
    ]


MATH_500 = Suite(
    name="math500",
    title="MATH-500",
    source="https://github.com/agentica-project/rllm",
    licence="MIT (repository, and MATH itself)",
    files=(FILE,),
    load=load,
    prompt=prompt,
    base_prompt=base_prompt,
    extraction="answer",
    official_extraction="transcript",
    base_extraction="raw",
    language="text",
    published=(
        ("DeepSeek-Coder-V2-Instruct", 75.7, "on all 5000 problems of MATH, greedy"),
        ("DeepSeek-Coder-V2-Lite-Instruct", 61.8, "on all 5000 problems of MATH, greedy"),
        ("GPT-4-Turbo-2024-04-09", 73.4, "on all 5000 problems of MATH, greedy"),
    ),
)
