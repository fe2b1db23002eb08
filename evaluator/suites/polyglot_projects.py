"""How an Exercism exercise of each language is built and tested offline, as the polyglot benchmark has them.

Tests come from the data, all of them switched on, as Aider's harness does. Each language's tests end
with a main of ours that prints a word drawn for the run (see evaluator.grading.repository). What
cannot be had offline is named in UNAVAILABLE and is not part of the suite.

python      unittest, by our own runner
javascript  tests written for Jest, by our own runner on node; no Babel: node's own JavaScript
java        javac and JUnit 5 with AssertJ, as Debian has them: junit5, libassertj-core-java
go          go test
rust        rustc on src/lib.rs and each file of tests/, without crates
cpp         g++ -std=c++17 with the exercise's own catch.hpp
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from evaluator.grading.repository import COMPILE_EXIT, PYTHON_TESTS, RUNNERS, TOKEN
from evaluator.problem import RepositoryTask

UNAVAILABLE: Mapping[str, str] = {
    "go/counter": "asks for tests, and comes with none: nothing could be wrong",
    "cpp/gigasecond": "needs Boost",
    "cpp/meetup": "needs Boost",
    "java/hangman": "needs the library RxJava",
    "java/mazy-mice": "its tests need AssertJ 3.17 or later",
    "java/rest-api": "needs the library org.json",
    "rust/gigasecond": "needs the crate time",
    "rust/grep": "needs the crate anyhow",
    "rust/macros": "its tests call cargo",
    "rust/simple-cipher": "needs the crate rand",
}
NO_REFERENCE: Mapping[str, str] = {
    "go/dnd-character": "the example needs Go 1.21",
    "rust/alphametics": "the example needs the crates itertools and permutohedron",
    "rust/decimal": "the example needs the crate num-bigint",
    "rust/pig-latin": "the example needs the crate regex",
    "rust/poker": "the example needs the crate counter",
    "rust/robot-name": "the example needs the crate rand",
}
"""Exercises that can be solved with what is here, but whose example uses more."""

STUB_IS_RIGHT = frozenset(
    {"go/ledger", "go/markdown", "javascript/ledger", "java/ledger", "java/tree-building"}
)
"""Exercises that ask for the code to be made better: what is there passes already, as it does in Aider's harness."""

_FAILED_BUILD = f"|| exit {COMPILE_EXIT}"
_JARS = tuple(
    f"/usr/share/java/{name}.jar"
    for name in (
        "junit-jupiter-api", "junit-jupiter-engine", "junit-jupiter-params", "junit-platform-commons",
        "junit-platform-engine", "junit-platform-launcher", "opentest4j", "assertj-core",
    )
)  # fmt: skip
_JAVA = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto"


@dataclass(frozen=True, kw_only=True)
class _Exercise:
    name: str
    files: dict[str, str]
    solution: tuple[str, ...]
    tests: tuple[str, ...]


def project(row: Mapping[str, Any]) -> RepositoryTask:
    """The task of a row. Its examples, notes and build files are not part of the project."""
    exercise = _Exercise(
        name=row["exercise"],
        files={path: text for path, text in row["files"].items() if not path.startswith(".")},
        solution=tuple(row["solution_files"]),
        tests=tuple(row["test_files"]),
    )
    return _PROJECTS[row["language"]](exercise)


def reference(row: Mapping[str, Any]) -> dict[str, str] | None:
    """Path → content of the right answer; None where the example needs a library."""
    if f"{row['language']}/{row['exercise']}" in NO_REFERENCE:
        return None
    examples, files = row["example_files"], row["files"]
    if row["language"] == "java":
        marker = ".meta/src/reference/java/"
        return {path.replace(marker, "src/main/java/"): files[path] for path in examples}
    solution = [path for path in row["solution_files"] if path != "Cargo.toml"]
    if row["language"] != "cpp":
        return {solution[0]: files[examples[0]]}
    found = {PurePosixPath(path).suffix: files[path] for path in examples}
    # An example that is one header leaves the source file with nothing but that.
    empty = f'#include "{next(path for path in solution if path.endswith(".h"))}"\n'
    return {path: found.get(PurePosixPath(path).suffix, empty) for path in solution}


def _python(exercise: _Exercise) -> RepositoryTask:
    tests = [path for path in exercise.tests if path.endswith("_test.py")]
    command = " ".join([PYTHON_TESTS, *tests])
    return _task(exercise, "python", dict(exercise.files), command, seconds=30.0)


def _javascript(exercise: _Exercise) -> RepositoryTask:
    runner, loader = ".codeloop_tests.mjs", ".codeloop_loader.mjs"
    files = {
        **{path: text for path, text in exercise.files.items() if not _is_javascript_build(path)},
        runner: (RUNNERS / "node_tests.mjs").read_text(encoding="utf-8"),
        loader: (RUNNERS / "node_loader.mjs").read_text(encoding="utf-8"),
        "package.json": "{}\n",
    }
    command = f"echo {TOKEN} | node --no-warnings {runner} parent {' '.join(exercise.tests)}"
    return _task(exercise, "javascript", files, command, seconds=30.0)


def _is_javascript_build(path: str) -> bool:
    return path in {"babel.config.js", "package.json", "LICENSE"}


def _java(exercise: _Exercise) -> RepositoryTask:
    files = {
        path: re.sub(r"@Disabled\([^)\n]*\)|@Disabled\b", "", text)
        if path in exercise.tests
        else text
        for path, text in exercise.files.items()
        if path.startswith("src/")
    }
    main = "CodeloopTests.java"
    files[main] = (RUNNERS / main).read_text(encoding="utf-8")
    classes = " ".join(PurePosixPath(path).stem for path in exercise.tests)
    jars = ":".join(_JARS)
    command = (
        f"javac -J-XX:+UseSerialGC -J-XX:TieredStopAtLevel=1 -encoding UTF-8 -proc:none -nowarn"
        f" -cp {jars} -d out {main} $(find src -name '*.java') {_FAILED_BUILD}\n"
        f"rm {main}\n"
        f"java {_JAVA} -Xmx512m -cp out:{jars} CodeloopTests {classes}"
    )
    task = _task(exercise, "java", files, command, seconds=60.0)
    return task_with(task, requires=_JARS)


def _go(exercise: _Exercise) -> RepositoryTask:
    package = re.search(r"^package (\w+)", exercise.files[exercise.tests[0]], re.MULTILINE)
    assert package is not None
    main = "codeloop_main_test.go"
    files = {
        **exercise.files,
        main: f"package {package[1]}\n\n" + (RUNNERS / "go_main.txt").read_text(encoding="utf-8"),
    }
    command = (
        "export GO111MODULE=on GOFLAGS=-mod=mod GOPROXY=off\n"
        f"go test -c -o .codeloop_tests . {_FAILED_BUILD}\n"
        f"rm {main}\n"
        "./.codeloop_tests -test.timeout 0"
    )
    return _task(exercise, "go", files, command, seconds=60.0)


def _rust(exercise: _Exercise) -> RepositoryTask:
    manifest = exercise.files["Cargo.toml"]
    edition = re.search(r'^edition = "(\d+)"', manifest, re.MULTILINE)
    name = re.search(r'^name = "([\w-]+)"', manifest, re.MULTILINE)
    assert name is not None
    crate = name[1].replace("-", "_")
    flags = f"--edition {edition[1] if edition else 2015} -L . --cap-lints allow"
    lines = [f"rustc {flags} --crate-type rlib --crate-name {crate} src/lib.rs {_FAILED_BUILD}"]
    files = dict(exercise.files)
    tests = [path for path in files if re.fullmatch(r"tests/[^/]+\.rs", path)]
    for number, path in enumerate(tests):
        mark = f"{TOKEN}-{number}"
        files[path] += f'\n#[test]\nfn zzzz_codeloop_last() {{\n    println!("\\n{mark}");\n}}\n'
        lines += [
            f"rustc {flags} --test {path} --extern {crate} -o .tests-{number} {_FAILED_BUILD}",
            f"rm {path}",
        ]
    for number in range(len(tests)):
        lines += [
            f"./.tests-{number} --include-ignored --nocapture --test-threads=1 > .out || {{ cat .out; exit 1; }}",
            f"cat .out; grep -qx '{TOKEN}-{number}' .out || exit 1",
        ]
    lines.append(f"echo; echo {TOKEN}")
    editable = tuple(path for path in exercise.solution if path != "Cargo.toml")
    return _task(exercise, "rust", files, "\n".join(lines), seconds=60.0, editable=editable)


def _cpp(exercise: _Exercise) -> RepositoryTask:
    files = {path: text for path, text in exercise.files.items() if path != "CMakeLists.txt"}
    main = "test/tests-main.cpp"
    files[main] = (RUNNERS / "catch_main.cpp").read_text(encoding="utf-8")
    sources = " ".join(path for path in files if path.endswith(".cpp"))
    flags = "-std=c++17 -DEXERCISM_RUN_ALL_TESTS -pthread -pipe"
    command = (
        f"g++ {flags} -o .codeloop_tests {sources} {_FAILED_BUILD}\nrm {main}\n./.codeloop_tests"
    )
    return _task(exercise, "cpp", files, command, seconds=90.0)


def _task(
    exercise: _Exercise,
    language: str,
    files: Mapping[str, str],
    command: str,
    *,
    seconds: float,
    editable: tuple[str, ...] | None = None,
) -> RepositoryTask:
    chosen = exercise.solution if editable is None else editable
    return RepositoryTask(
        language=language,
        files=files,
        editable=chosen,
        command=command,
        hidden=tuple(path for path in files if path not in chosen),
        seconds=seconds,
    )


def task_with(task: RepositoryTask, *, requires: tuple[str, ...]) -> RepositoryTask:
    """The task with what it needs of the machine."""
    return RepositoryTask(**{**vars(task), "requires": requires})


_PROJECTS: Mapping[str, Callable[[_Exercise], RepositoryTask]] = {
    "python": _python,
    "javascript": _javascript,
    "java": _java,
    "go": _go,
    "rust": _rust,
    "cpp": _cpp,
}
