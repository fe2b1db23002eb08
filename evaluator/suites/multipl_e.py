"""MultiPL-E's HumanEval in ten languages: 154 to 164 functions each, from a signature with a comment.

The harness: prompt + completion + tests, exit status 0 within 3 s (10 s for bash, 60 s for javac),
g++ -std=c++17, tsc with ES2015, C# by mono, php -f, node. Here a compiler's time is not the program's.
Instruct models are asked as DeepSeek's scripts ask: complete this code, return all of it in a block.
From their answer the scripts take the first block with the language's tag; strict rules the last that
defines the function. Joining the prompt to a whole answer defines the function twice, and fails
everywhere: the model's own copy is taken (see `evaluator.extract_function`). Base models go on from
the prompt up to a stop text of the data; the stop `struct` of Go cuts right answers too, as published.

Strict rules want proof that the tests came to their end (see `evaluator.suites.self_proof`): an exit
before them is exit status 0, and passes officially. C# ends with 0 after a failed Debug.Assert, so
the tests' assertions are made to end it. Python is graded as HumanEval is.

Defects of the data: PHP's HumanEval_23_strlen redefines a function of the language, and the tests of
JavaScript's HumanEval_51_remove_vowels break a text over two lines; neither can pass anywhere.

Source: deepseek-ai/DeepSeek-Coder, Evaluation/HumanEval at 2f9fd85; nuprl/MultiPL-E. The licence
forbids training on the data.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from evaluator.data import DataFolder, SourceFile
from evaluator.problem import CheckTask, Problem, ProgramTask
from evaluator.prompt import Prompt, Text, ask
from evaluator.suite import Suite
from evaluator.suites.self_proof import FAILURE_MARKS, JS_HEAD, proving
from evaluator.suites.stand_ins import GO_MAIN, GO_MAIN_IMPORTS

SECONDS = {"bash": 10.0}
USUAL_SECONDS = 3.0
_STARTED = {"java": 2.0, "csharp": 2.0}
"""CPU-seconds more, which a virtual machine takes to begin: the harness gives it many processors."""


@dataclass(frozen=True, kw_only=True)
class Edition:
    """One language. short: as in the files' names. closing: what a stopped completion lacks."""

    short: str
    language: str
    title: str
    sha256: str
    rows: int
    main: str = ""
    closing: str = ""
    in_class: str = ""
    v2: float = 0.0
    lite: float = 0.0


EDITIONS = (
    Edition(short="python", language="python", title="Python", rows=164, v2=90.2, lite=81.1,
            sha256="7714e5e89edd050406fb91aa5165625f41735c5def5cc03d2e89fb7c2c42db48"),
    Edition(short="cpp", language="cpp", title="C++", main="main.cpp", closing="\n}", rows=161, v2=84.8, lite=75.8,
            sha256="93e2560d7af896b34f8b62471125032c2d9fedde688b2d66fbc3402e64a5dee4"),
    Edition(short="java", language="java", title="Java", main="Problem.java", closing="\n    }\n", rows=158,
            in_class="Problem", v2=82.3, lite=76.6,
            sha256="b684aaa7746485f4d3994cf7da6148221e5cd9c2514180a202814902b5d26f94"),
    Edition(short="php", language="php", title="PHP", main="main.php", rows=161, v2=79.5, lite=74.5,
            sha256="446a52ce5aed81ea2c1b395097092fe0b1ab6cb4909af8a7ecce7f290cfd3d5e"),
    Edition(short="ts", language="typescript", title="TypeScript", main="main.ts", rows=159, v2=83.0, lite=80.5,
            sha256="a0d4babf569da5944114374513296e9523f221b6c487912268338001aea78cca"),
    Edition(short="cs", language="csharp", title="C#", main="Main.cs", closing="\n    }\n", rows=158,
            in_class="Problem", v2=82.3, lite=76.6,
            sha256="cfe08a806c69a0fcaa714f73e304201c876b6bbf91cda960b3780dcfae62ca9b"),
    Edition(short="sh", language="bash", title="Bash", main="main.sh", closing="\n}", rows=158, v2=52.5, lite=43.0,
            sha256="25947c07875553a72a5f7e1e31a2e4241ba74e3e19a472659b7231bbb9bf9cfd"),
    Edition(short="js", language="javascript", title="JavaScript", main="main.js", rows=161, v2=84.5, lite=77.6,
            sha256="25a9e9d43490c9098326e7b5c65134c31da84a73789c8ffc3c07a2c95d373303"),
    Edition(short="go", language="go", title="Go", main="main_test.go", rows=154,
            sha256="da743ca330f565cc6ac8dbd8b8419fdbf5af67f748edc68af6ead86cced5e98b"),
    Edition(short="rs", language="rust", title="Rust", main="main.rs", closing="\n}", rows=156,
            sha256="296b31d9d5588d36737dfbdfeaabb301041105903601f5772856e767ffc5bcd0"),
)  # fmt: skip


def load(edition: Edition, file: SourceFile, data: DataFolder) -> Sequence[Problem]:
    """The problems of one language."""
    make = _python_problem if edition.language == "python" else partial(_problem, edition)
    return [make(row) for row in data.rows(file)]


def _python_problem(row: dict[str, Any]) -> Problem:
    """A row with a test that calls check itself, which is left to the grader."""
    test, _, call = row["test"].rstrip().rpartition("\n")
    reference = row["prompt"] + row["canonical_solution"]
    entry_point = call.removeprefix("check(").removesuffix(")")
    return Problem(
        id=row["task_id"],
        statement=row["prompt"],
        task=CheckTask(entry_point=entry_point, test=test, reference=reference),
        reference=reference,
    )


def _problem(edition: Edition, row: dict[str, Any]) -> Problem:
    # Where the tests begin by closing the function, that is left to whoever made the program.
    tests = row["tests"].lstrip().removeprefix("}") if edition.closing else row["tests"]
    package = re.match(r"package \w+\n", row["prompt"])
    head, files = "", {}
    if package:
        head, files = package[0], {"proof_test.go": package[0] + GO_MAIN_IMPORTS + GO_MAIN}
    elif edition.language in ("javascript", "typescript"):
        head = (
            JS_HEAD if edition.language == "javascript" else f"declare var require: any; {JS_HEAD}"
        )
        tests = tests.replace("declare var require: any;\n", "")
    limit = SECONDS.get(edition.language, USUAL_SECONDS) + _STARTED.get(edition.language, 0.0)
    return Problem(
        id=row["name"],
        statement=row["prompt"].removeprefix(head) if package else row["prompt"],
        task=ProgramTask(
            language="go_test" if package else edition.language,
            head=head,
            tail=proving(tests, edition.language),
            file=edition.main,
            files=files,
            seconds=limit,
            failure_marks=FAILURE_MARKS[edition.language],
            proves_end=True,
        ),
        language=edition.language,
        notes={
            "entry_point": entry_point_of(row["prompt"], edition.language),
            "stop": row["stop_tokens"],
            "closing": edition.closing,
            "class": edition.in_class,
            "is_class_open": bool(edition.in_class),
            "imports": re.findall(r'^\s+"([\w/]+)"$', row["prompt"], re.M),
        },
    )


def entry_point_of(prompt: str, language: str) -> str:
    """The name of the function that a prompt ends with."""
    line = next(line for line in reversed(prompt.rstrip().split("\n")) if line.strip(" {"))
    if language == "bash":
        return line.partition("(")[0].strip()
    if found := re.search(r"(?:function|func|fn)\s+&?(\w+)|(?:const|let|var)\s+(\w+)\s*=", line):
        return found[1] or found[2]
    named = re.search(r"(\w+)\s*\(", line)
    assert named is not None, f"no function in {line!r}"
    return named[1]


def prompt(problem: Problem) -> Prompt:
    """DeepSeek's request to complete the code."""
    head = problem.task.head if isinstance(problem.task, ProgramTask) else ""
    package = head if head.startswith("package") else ""
    return ask(
        "Please continue to complete the function. You are not allowed to modify the given code and"
        " do the completion only. Please return all completed function in a codeblock. Here is the"
        f" given code to do completion:\n```{problem.language}\n"
        f"{package}{problem.statement.rstrip()}\n```"
    )


def base_prompt(problem: Problem) -> Prompt:
    """The code itself, to be gone on with."""
    stops = ("\ndef ", "\nclass ", "\nif ", "\nprint", "\n#")
    return Text(text=problem.statement, stop=tuple(problem.notes.get("stop", stops)))


def _suite(edition: Edition) -> Suite:
    file = SourceFile(
        path=f"multipl_e/humaneval-{edition.short}.jsonl.gz",
        url="https://github.com/deepseek-ai/DeepSeek-Coder/tree/main/Evaluation/HumanEval/data",
        sha256=edition.sha256,
        rows=edition.rows,
    )
    is_python = edition.language == "python"
    scores = (
        ("DeepSeek-Coder-V2-Instruct", edition.v2, "greedy"),
        ("DeepSeek-Coder-V2-Lite-Instruct", edition.lite, "greedy"),
    )
    return Suite(
        name=f"multipl-e-{edition.short}",
        title=f"MultiPL-E HumanEval, {edition.title}",
        source="https://github.com/nuprl/MultiPL-E",
        licence="BSD-3-Clause with a machine-learning restriction: not for training",
        files=(file,),
        load=partial(load, edition, file),
        prompt=prompt,
        base_prompt=base_prompt,
        extraction="last_block" if is_python else "function",
        official_extraction="last_block" if is_python else "first_function",
        base_extraction="completion" if is_python else "function_completion",
        language=edition.language,
        published=scores if edition.v2 else (),
    )


PYTHON, CPP, JAVA, PHP, TS, CS, SH, JS, GO, RS = map(_suite, EDITIONS)
