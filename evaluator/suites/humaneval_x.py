"""HumanEval-X: HumanEval by hand in C++, Java, JavaScript, Go, Rust and Python, with right answers in each.

The harness: declaration + completion + test, compiled and run in a container with the libraries that
the tests use; a failure is another exit status. Nobody publishes its scores any more; its use is that
a language's set-up can be checked with 164 answers that are known to be right.

Departures, by both rule sets: testify's assert, the crates rand and md5 and js-md5 are stand-ins of
ours, since a sandbox has no packages; `console.assert`, which only prints, ends the program; Rust's
tests are called by a main instead of by cargo. Strict rules want proof that the tests came to their
end (see `evaluator.suites.self_proof`). Asked and extracted as MultiPL-E is.

Source: THUDM/CodeGeeX, codegeex/benchmark/humaneval-x at 2838420. UNGRADABLE lists what cannot be
graded here, with the reason.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from evaluator.data import DataFolder, SourceFile
from evaluator.problem import CheckTask, Problem, ProgramTask
from evaluator.suite import Suite
from evaluator.suites.multipl_e import USUAL_SECONDS, Edition, base_prompt, entry_point_of, prompt
from evaluator.suites.self_proof import FAILURE_MARKS, proving
from evaluator.suites.stand_ins import (
    GO_ASSERT,
    GO_MAIN,
    GO_MAIN_IMPORTS,
    JS_MD5,
    RUST_MD5,
    RUST_RAND,
)

UNGRADABLE = {
    "CPP/22": "it needs boost's headers",
    "CPP/137": "it needs boost's headers",
    "CPP/162": "it needs OpenSSL's library",
    "JavaScript/112": "its own answer returns (z, true), which is true alone",
    "JavaScript/155": "its own answer counts no digit of 0, its test wants one",
    "Go/95": "its own answer depends on the order of a map, which Go draws anew in every run",
    "Rust/32": "its tests are commented out in the data, and its own answer does not end on them",
    "Rust/91": "its own answer needs the crate regex",
}
"""Id → why its own answer does not pass here."""
_GO_PACKAGES = (
    "math", "strings", "fmt", "strconv", "time", "bytes", "regexp", "sort", "math/rand",
    "crypto/md5", "testing",
)  # fmt: skip
"""The harness imports these wherever an answer or a test uses them."""
_RUST_HEAD = "#![allow(warnings)]\nmod rand;\nmod md5;\n"
_CRATES = re.compile(r"^\s*use\s+(?:md5|regex::Regex)\s*;\s*$", re.MULTILINE)
_STARTED = {"java": 2.0}
EDITIONS = (
    Edition(short="cpp", language="cpp", title="C++", main="main.cpp", closing="\n}", rows=164,
            sha256="d26762956547113093bc5ec507a4dc33269f995c8337e8e24edcdbea3e2d9660"),
    Edition(short="java", language="java", title="Java", main="Main.java", closing="\n    }\n", rows=164,
            in_class="Solution",
            sha256="9f0a9f1d7b9edee2b2ccfe2a5b2841f798e3d6475561a9d014cbb622cb23a843"),
    Edition(short="js", language="javascript", title="JavaScript", main="main.js", closing="\n}", rows=164,
            sha256="2c48c18a373c52eb9eb1c9f5b685b2296186bf4772be1b437fc88edb7685882a"),
    Edition(short="go", language="go", title="Go", main="main_test.go", closing="\n}", rows=164,
            sha256="844a6f7776f8a37f59b9f76c50f3af8dd2c41b0376abbd4b1669eb2ce7a07729"),
    Edition(short="rust", language="rust", title="Rust", main="main.rs", closing="\n}", rows=164,
            sha256="3a167247ebf882599a227558c36c9db6f96c74bfdbad579674ba9ebb2bdf494a"),
    Edition(short="python", language="python", title="Python", rows=164,
            sha256="53d79050c9ec7d47542c94b717c8cd09d1b032aafac5a5e00fef3167ae6ef023"),
)  # fmt: skip
_STOPS = {"java": ("\n    }\n",)}
_USUAL_STOPS = ("\n}",)


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
    language = edition.language
    statement = _statement(row, language)
    head, files, tests = "", {}, row["test"]
    if language == "go":
        head = "package main\n"
        files = {
            "assert_test.go": head + GO_ASSERT,
            "proof_test.go": head + GO_MAIN_IMPORTS + GO_MAIN,
        }
    elif language == "rust":
        head, files = _RUST_HEAD, {"rand.rs": RUST_RAND, "md5.rs": RUST_MD5}
        tests = _with_main(tests)
    elif language == "javascript":
        files = {"node_modules/js-md5/index.js": JS_MD5}
    return Problem(
        id=row["task_id"],
        statement=statement,
        task=ProgramTask(
            language="go_test" if language == "go" else language,
            head=head,
            tail=proving(tests, language),
            file=edition.main,
            files=files,
            seconds=USUAL_SECONDS + _STARTED.get(language, 0.0),
            failure_marks=FAILURE_MARKS[language],
            proves_end=True,
        ),
        language=language,
        reference=f"```{language}\n{statement}{row['canonical_solution']}\n```",
        notes={
            "entry_point": entry_point_of(row["declaration"], language),
            "stop": _STOPS.get(language, _USUAL_STOPS),
            "closing": edition.closing,
            "class": edition.in_class,
            "is_class_open": False,
            "imports": _GO_PACKAGES,
        },
    )


def _statement(row: dict[str, Any], language: str) -> str:
    """What a model goes on from: the comment, and the declaration where the prompt lacks it."""
    if language == "rust":
        declaration = _CRATES.sub("", str(row["declaration"]))
        return str(declaration).replace("\nfn ", f"{row['prompt']}\nfn ", 1)
    if language == "cpp":
        # The declaration includes what the answers need and the prompt forgot.
        includes = [line for line in row["declaration"].split("\n") if line.startswith("#include")]
        return "\n".join((*includes, str(row["prompt"])))
    return str(row["prompt"])


def _with_main(tests: str) -> str:
    """Rust's tests called by a main, which ends with another status when one panics."""
    # Rust/32's are commented out.
    tests = tests.strip().removeprefix("/*").removesuffix("*/")
    names = re.findall(r"#\[test\]\s*(?:pub\s+)?fn\s+(\w+)", tests)
    tests = re.sub(r"#\[cfg\(test\)\]|#\[test\]", "", tests)
    tests = re.sub(r"\bfn\s+(test\w*)\s*\(\s*\)", r"pub fn \1()", tests.replace("pub fn", "fn"))
    calls = "".join(f"    tests::{name}();\n" for name in names)
    return f"{tests}\nfn main() {{\n{calls}}}\n"


def _suite(edition: Edition) -> Suite:
    file = SourceFile(
        path=f"humaneval_x/humaneval_{edition.short}.jsonl.gz",
        url="https://github.com/THUDM/CodeGeeX/tree/main/codegeex/benchmark/humaneval-x",
        sha256=edition.sha256,
        rows=edition.rows,
    )
    is_python = edition.language == "python"
    return Suite(
        name=f"humaneval-x-{edition.short}",
        title=f"HumanEval-X, {edition.title}",
        source="https://github.com/THUDM/CodeGeeX",
        licence="Apache-2.0",
        files=(file,),
        load=partial(load, edition, file),
        prompt=prompt,
        base_prompt=base_prompt,
        extraction="last_block" if is_python else "function",
        official_extraction="last_block" if is_python else "first_function",
        base_extraction="completion" if is_python else "function_completion",
        language=edition.language,
    )


CPP, JAVA, JS, GO, RUST, PYTHON = map(_suite, EDITIONS)
