"""AIME 2024 and 2025: 30 contest problems a year, each answered by an integer from 0 to 999.

Asked as DeepCoder's and Qwen's scripts ask: the problem, then to reason step by step and to box the
final answer. Strict rules compare the integer in the last \\boxed after the reasoning. Official rules
are rLLM's: no closing think tag, no reward; then the last \\boxed, by two graders (see
`evaluator.grading.rllm_maths`). Reasoning that an endpoint sends apart is put back before the answer
for them. DeepCoder's line of models reports the mean of 16 samples a problem.

Source: agentica-project/rllm at 874daa4 (2024), QwenLM/QwQ at 620a5ea (2025).
"""

from collections.abc import Sequence

from evaluator.data import DataFolder, SourceFile
from evaluator.problem import MathTask, Problem
from evaluator.prompt import Prompt, Text, ask
from evaluator.suite import Suite

INSTRUCTION = "Please reason step by step, and put your final answer within \\boxed{}."

FILE_2024 = SourceFile(
    path="aime/aime2024.jsonl.gz",
    url="https://github.com/agentica-project/rllm/blob/874daa4acb7f/rllm/data/test/math/aime.json",
    sha256="aa621f401ddde39fffe61eee661254628acfc76819329e2381cc8ed6d5ce1c3b",
    rows=30,
)
FILE_2025 = SourceFile(
    path="aime/aime2025.jsonl.gz",
    url="https://github.com/QwenLM/QwQ/blob/620a5eadc89f/eval/data/aime25.jsonl",
    sha256="f56289e43d0cbd05fe9c6d01e9d3da6b7c22c816ee8383cc9603a4b9873a3e6b",
    rows=30,
)


def load_2024(data: DataFolder) -> Sequence[Problem]:
    """The 30 problems of both contests, named by contest and number."""
    return [
        Problem(
            id=f"AIME2024-{row['aime_number']}-{row['problem_number']}",
            statement=row["problem"],
            task=MathTask(expected=str(row["answer"]), integer=True),
            difficulty=str(row["difficulty"]),
        )
        for row in data.rows(FILE_2024)
    ]


def load_2025(data: DataFolder) -> Sequence[Problem]:
    """The 30 problems in the order of the file, which names none."""
    return [
        Problem(
            id=f"AIME2025-{number}",
            statement=row["prompt"].removesuffix(INSTRUCTION).rstrip(),
            task=MathTask(expected=str(row["answer"]), integer=True),
        )
        for number, row in enumerate(data.rows(FILE_2025))
    ]


def prompt(problem: Problem) -> Prompt:
    """The problem, and how to answer."""
    return ask(f"{problem.statement}\n{INSTRUCTION}")


def base_prompt(problem: Problem) -> Prompt:
    """For base models, which stop when they begin another problem."""
    return Text(text=f"Problem:\n{problem.statement}\n\nSolution:", stop=("\nProblem:",))


AIME_2024 = Suite(
    name="aime2024",
    title="AIME 2024",
    source="https://github.com/agentica-project/rllm",
    licence="MIT (repository); problems (c) MAA",
    files=(FILE_2024,),
    load=load_2024,
    prompt=prompt,
    base_prompt=base_prompt,
    extraction="answer",
    official_extraction="transcript",
    base_extraction="raw",
    language="text",
    default_samples=16,
    published=(
        ("DeepCoder-14B-Preview", 73.8, "mean of 16, 0.6/0.95, 64K tokens"),
        ("DeepSeek-R1-Distill-Qwen-14B", 69.7, "as DeepCoder's table"),
        ("o1-2024-12-17 (low)", 74.4, "as DeepCoder's table"),
        ("o3-mini-2025-01-31 (low)", 60.0, "as DeepCoder's table"),
        ("DeepSeek-Coder-V2-Instruct", 13.3, "4 of 30, greedy"),
        ("DeepSeek-Coder-V2-Lite-Instruct", 0.0, "0 of 30, greedy"),
        ("GPT-4-Turbo-2024-04-09", 10.0, "3 of 30, greedy"),
    ),
)
AIME_2025 = Suite(
    name="aime2025",
    title="AIME 2025",
    source="https://github.com/QwenLM/QwQ",
    licence="Apache-2.0 (repository); problems (c) MAA",
    files=(FILE_2025,),
    load=load_2025,
    prompt=prompt,
    base_prompt=base_prompt,
    extraction="answer",
    official_extraction="transcript",
    base_extraction="raw",
    language="text",
    default_samples=16,
)
