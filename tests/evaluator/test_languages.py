"""Programs in every language: the model's own function is taken once, and its tests come to their end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluator.data import DataFolder
from evaluator.extract import extracted
from evaluator.grading.bench import Bench, Rules
from evaluator.judge import judge_code
from evaluator.judgement import Grade, Judgement
from evaluator.problem import Problem, ProgramTask
from evaluator.suites import suite
from sandbox.errors import ToolchainMissing
from sandbox.sandbox import Sandbox
from sandbox.toolchain import located, toolchain

DATA = Path(__file__).parents[3] / "shared" / "data"

ANSWERS = {
    "cpp": "#include <string>\nlong string_length(std::string s) {\n    return s.size();\n}\n\n"
    'int main() {\n    std::cout << string_length("ab");\n}',
    "java": "import java.util.List;\n\npublic class Answer {\n"
    "    public static long strlen(String string) {\n        return count(string);\n    }\n\n"
    "    private static long count(String text) {\n        return text.length();\n    }\n\n"
    '    public static void main(String[] args) {\n        System.out.println(strlen("a"));\n    }\n}',
    "ts": "function strlen(string: string): number {\n    return string.length;\n}\n\n"
    "console.log(strlen('abc'));",
    "cs": "using System;\n\nclass Answer {\n    public static long Strlen(string str) {\n"
    "        return str.Length;\n    }\n\n    public static void Main(string[] args) {\n    }\n}",
    "sh": "#!/bin/bash\nstrlen() {\n    echo \"${#1}\"\n}\nstrlen abc",
    "js": "const assert = require('assert');\n\nconst strlen = (string) => {\n"
    "  return string.length;\n};\n\nassert.equal(strlen('a'), 1);",
    "go": 'package main\n\nimport (\n    "fmt"\n    "strings"\n)\n\n'
    "func strlen(myString string) int {\n    return len(strings.TrimSuffix(myString, `\\n`))\n}\n\n"
    'func main() {\n    fmt.Println(strlen("a"))\n}',
    "rs": "use std::fmt;\n\nfn strlen(string: String) -> isize {\n    string.len() as isize\n}\n\n"
    'fn main() {\n    println!("{}", strlen(String::from("a")));\n}',
}  # fmt: skip
"""Whole answers to HumanEval_23_strlen, each with what models put around a function."""
EXITS = {
    "cpp": "long string_length(std::string s) {\n    exit(0);\n}",
    "java": "class Problem {\n    public static long strlen(String string) {\n"
    "        System.exit(0);\n        return 0;\n    }\n}",
    "cs": "class Problem {\n    public static long Strlen(string str) {\n"
    "        Environment.Exit(0);\n        return 0;\n    }\n}",
    "ts": "declare var process: any;\nfunction strlen(string: string): number {\n"
    "    process.exit(0);\n}",
    "sh": "strlen() {\n    echo 0\n}\nexit 0",
    "js": "function strlen(string) {\n    process.exit(0);\n}",
    "go": "func init() {\n    os.Exit(0)\n}\n\nfunc strlen(myString string) int {\n    return 0\n}",
    "rs": "fn strlen(string: String) -> isize {\n    std::process::exit(0)\n}",
}
SILENCED = {
    "cpp": "#undef assert\n#define assert(x) ((void)0)\n#define NDEBUG\n"
    "long string_length(std::string s) {\n    return -1;\n}",
    "cs": "class Problem {\n    public static long Strlen(string str) {\n"
    "        Debug.Listeners.Clear();\n        return -1;\n    }\n}",
    "js": "require('node:assert').deepEqual = () => {};\nfunction strlen(string) {\n    return -1;\n}",
    "sh": "set() {\n    :\n}\nstrlen() {\n    echo 9\n}",
    "rs": "macro_rules! assert_eq { ($($any:tt)*) => {} }\n"
    "fn strlen(string: String) -> isize {\n    -1\n}",
    "go": "func init() {\n    os.Args = append(os.Args, `-test.run=^$`)\n}\n\n"
    "func strlen(myString string) int {\n    return -1\n}",
}
"""Wrong answers that keep the tests from saying so."""


@pytest.fixture(scope="module")
def data() -> DataFolder:
    if not DATA.is_dir():
        pytest.skip(f"the suites' data is not here: {DATA}")
    return DataFolder(DATA)


@pytest.fixture(scope="module")
def benches(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[Rules, Bench]:
    cache = tmp_path_factory.mktemp("cache")
    return {rules: Bench(sandbox=sandbox, rules=rules, cache=cache) for rules in Rules}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as opened:
        yield opened


def strlen_problem(short: str, data: DataFolder) -> Problem:
    """HumanEval_23 in a language, or a skip where its compiler is not here."""
    problems = suite(f"multipl-e-{short}").load(data)
    problem = next(problem for problem in problems if problem.id == "HumanEval_23_strlen")
    assert isinstance(problem.task, ProgramTask)
    skip_without(problem.task.language)
    return problem


def skip_without(language: str) -> None:
    try:
        located(toolchain(language))
    except ToolchainMissing as missing:
        pytest.skip(str(missing))


def judged(problem: Problem, code: str, bench: Bench, rule: str = "function") -> Judgement:
    program = extracted(rule, f"Here it is:\n```{problem.language}\n{code}\n```\nDone.", problem)
    assert program is not None
    return judge_code(problem, program, bench)


@pytest.mark.parametrize("rule", ["function", "first_function"])
@pytest.mark.parametrize("short", sorted(ANSWERS))
def test_whole_answer_with_imports_class_and_main_is_right(
    short: str, rule: str, data: DataFolder, benches: dict[Rules, Bench]
) -> None:
    problem = strlen_problem(short, data)
    found = judged(problem, ANSWERS[short], benches[Rules.STRICT], rule)
    assert found.grade is Grade.PASS, (found.failure, found.code)


def test_php_answer_with_both_tags_is_right(data: DataFolder, benches: dict[Rules, Bench]) -> None:
    problems = suite("multipl-e-php").load(data)
    problem = next(problem for problem in problems if "HumanEval_53_add" in problem.id)
    answer = "<?php\nfunction add($x, $y) {\n    return $x + $y;\n}\n?>"
    found = judged(problem, answer, benches[Rules.STRICT])
    assert found.grade is Grade.PASS, (found.failure, found.code)


@pytest.mark.parametrize("short", sorted(EXITS))
def test_exit_before_the_tests_end_is_no_pass_by_strict_rules(
    short: str, data: DataFolder, benches: dict[Rules, Bench]
) -> None:
    problem = strlen_problem(short, data)
    code = EXITS[short].replace("func init", 'import "os"\n\nfunc init')
    assert not judged(problem, code, benches[Rules.STRICT]).is_right


@pytest.mark.parametrize("short", ["cpp", "js", "rs"])
def test_exit_before_the_tests_end_passes_officially_as_exit_status_0_does(
    short: str, data: DataFolder, benches: dict[Rules, Bench]
) -> None:
    problem = strlen_problem(short, data)
    assert judged(problem, EXITS[short], benches[Rules.OFFICIAL]).is_right


@pytest.mark.parametrize("short", sorted(SILENCED))
def test_wrong_answer_that_silences_the_tests_is_no_pass(
    short: str, data: DataFolder, benches: dict[Rules, Bench]
) -> None:
    problem = strlen_problem(short, data)
    code = SILENCED[short].replace("func init", 'import "os"\n\nfunc init')
    found = judged(problem, code, benches[Rules.STRICT])
    assert found.grade in (Grade.WRONG_ANSWER, Grade.RUNTIME_ERROR), (found.failure, found.code)


@pytest.mark.parametrize("short", sorted(ANSWERS))
def test_function_without_a_body_is_not_right(
    short: str, data: DataFolder, benches: dict[Rules, Bench]
) -> None:
    problem = strlen_problem(short, data)
    program = extracted("function_completion", "\n    ", problem) or problem.statement
    assert not judge_code(problem, program, benches[Rules.STRICT]).is_right


@pytest.mark.parametrize(
    ("short", "completion"),
    [
        ("cpp", "    return string.size();\n}\nint other() {"),
        ("java", "        return string.length();\n    }\n}\n"),
        ("cs", "        return str.Length;\n    }\n}\n"),
        ("sh", '    echo "${#1}"\n}\n'),
        ("js", "    return string.length;\n}\n\nconsole.log(strlen('a'))"),
        ("go", "    return len(myString)\n}\n"),
        ("rs", "    string.len() as isize\n}\n\nfn main() {"),
    ],
)
def test_base_models_completion_ends_with_its_function(
    short: str, completion: str, data: DataFolder, benches: dict[Rules, Bench]
) -> None:
    problem = strlen_problem(short, data)
    program = extracted("function_completion", completion, problem)
    found = judge_code(problem, program or "", benches[Rules.STRICT])
    assert found.grade is Grade.PASS, (found.failure, found.code)


@pytest.mark.parametrize("short", ["cpp", "java", "js", "go", "rust"])
def test_first_right_answers_of_humaneval_x_pass(
    short: str, data: DataFolder, benches: dict[Rules, Bench]
) -> None:
    for problem in suite(f"humaneval-x-{short}").load(data)[:2]:
        assert isinstance(problem.task, ProgramTask)
        skip_without(problem.task.language)
        program = extracted("function", problem.reference or "", problem)
        found = judge_code(problem, program or "", benches[Rules.STRICT])
        assert found.grade is Grade.PASS, (problem.id, found.failure)


def test_answer_without_code_gives_none(data: DataFolder) -> None:
    assert extracted("function", "I cannot do that.", strlen_problem("sh", data)) is None


def test_compile_error_is_told_apart(data: DataFolder, benches: dict[Rules, Bench]) -> None:
    problem = strlen_problem("cpp", data)
    code = "long string_length(std::string s) {\n    return nothing;\n}"
    assert judged(problem, code, benches[Rules.STRICT]).grade is Grade.COMPILE_ERROR
