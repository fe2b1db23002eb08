"""Tests that say when they came to their end: each language's own, with a line printed after the last.

The line is the program's first argument (see `evaluator.grading.program`). Where a test could be
silenced from within the answer, such as by another `assert`, it is made to use its own.
"""

import re

FAILURE_MARKS = {
    "cpp": ("Assertion `",),
    "java": ("java.lang.AssertionError",),
    "csharp": ("the tests found a wrong answer",),
    "javascript": ("AssertionError", "the tests found a wrong answer"),
    "typescript": ("AssertionError",),
    "php": ("Test failed!",),
    "bash": (),
    "go": ("--- FAIL",),
    "rust": ("assertion failed",),
}
"""What a failing test says, which tells a wrong answer from a crash."""
JS_HEAD = "Object.freeze(require('node:assert'));"
_JS_CHECK = (
    "const checkOfTheTests = (ok) => {\n"
    "  if (!ok) throw new Error('the tests found a wrong answer');\n};\n"
)
_JS_END = "\nprocess.stdout.write(process.argv[2] + '\\n');\n"
_CS_CHECK = """
static class ChecksOfTheTests {
    public static void That(bool ok) {
        if (ok) return;
        System.Console.Error.WriteLine("the tests found a wrong answer");
        System.Environment.Exit(1);
    }
}
"""


def proving(tests: str, language: str) -> str:
    """The tests with the line at their end."""
    return _AMENDED[language](tests.rstrip() + "\n")


def before_last_brace(text: str, line: str, *, levels: int = 1) -> str:
    """Put a line before so many closing braces of the end."""
    at = len(text)
    for _ in range(levels):
        at = text.rindex("}", 0, at)
    return f"{text[:at]}{line}\n{text[at:]}"


def _cpp(tests: str) -> str:
    tests = re.sub(r"\bint\s+main\s*\(\s*\)", "int main(int, char** proof)", tests)
    tests = before_last_brace(tests, "    std::puts(proof[1]);")
    return "#undef NDEBUG\n#include <assert.h>\n#include <cstdio>\n" + tests


def _java(tests: str) -> str:
    return before_last_brace(tests, "        System.out.println(args[0]);", levels=2)


def _csharp(tests: str) -> str:
    tests = tests.replace("Debug.Assert(", "ChecksOfTheTests.That(")
    return before_last_brace(tests, "    Console.WriteLine(args[0]);", levels=2) + _CS_CHECK


def _javascript(tests: str) -> str:
    if "console.assert(" in tests:
        tests = _JS_CHECK + tests.replace("console.assert(", "checkOfTheTests(")
    return _block(tests) + _JS_END


def _block(tests: str) -> str:
    """A block, in which tests may name things that the answer names too."""
    return f"{{\n{tests}}}\n"


def _typescript(tests: str) -> str:
    return _block(tests) + "declare var process: any;" + _JS_END


def _php(tests: str) -> str:
    return tests + 'echo "\\n", $argv[1], "\\n";\n'


def _bash(tests: str) -> str:
    return f"unset -f set printf\n{tests}printf '\\n%s\\n' \"$1\"\n"


def _go(tests: str) -> str:
    return before_last_brace(tests, "\ttestsCameToTheirEnd = true")


def _rust(tests: str) -> str:
    tests = re.sub(r"(?<![:\w])(assert(?:_eq|_ne)?!)", r"std::\1", tests)
    end = '    std::println!("\\n{}", std::env::args().nth(1).unwrap_or_default());'
    return before_last_brace(tests, end)


_AMENDED = {
    "cpp": _cpp, "java": _java, "csharp": _csharp, "javascript": _javascript,
    "typescript": _typescript, "php": _php, "bash": _bash, "go": _go, "rust": _rust,
}  # fmt: skip
