"""LiveCodeBench's judgement of one solution, within the guard's file.

As in its testing_util.py of mid 2025: one process for all tests, the program wrapped into a function,
standard input replaced. What it rejects although it is right, this rejects too.
"""

import ast
import json
import types
from decimal import Decimal
from unittest.mock import mock_open, patch

_STAR = [
    "string",
    "re",
    "datetime",
    "collections",
    "heapq",
    "bisect",
    "copy",
    "math",
    "random",
    "statistics",
    "itertools",
    "functools",
    "operator",
    "io",
    "sys",
    "json",
    "builtins",
    "typing",
]
_PRELUDE = (
    "".join(f"from {name} import *\n" for name in _STAR)
    + "".join(f"import {name}\n" for name in _STAR if name not in ("builtins", "typing"))
    + "sys.setrecursionlimit(50000)\n"
)


def judge_calls(code, name, inputs, outputs, seconds):
    """(results, code, message): True or False a test, -3 for time, -4 for an exception."""
    return _judged(_grade_calls, code, inputs, outputs, seconds, name)


def judge_stdio(code, inputs, outputs, seconds):
    """(results, code, message): True, -2 for a wrong answer, -3 for time, -4 for an exception."""
    return _judged(_grade_stdio, code, inputs, outputs, seconds)


def _ring(_number, _frame):
    print("timeout occured: alarm went off")
    raise OutOfTime


def _judged(grade, code, inputs, outputs, seconds, *more):
    seconds = int(seconds)
    signal.signal(signal.SIGALRM, _ring)
    guard(is_open_taken=False)
    signal.alarm(seconds)
    try:
        results, error, message = grade(code, inputs, outputs, seconds, *more)
        return (
            [bool(one) if one not in (-2, -3, -4) or one is True else one for one in results],
            error,
            message,
        )
    except Exception as error:
        return [-4], -4, f"Error during testing: {error}"[:1000]
    finally:
        signal.alarm(0)


def _compiled(code, seconds):
    signal.alarm(seconds)
    try:
        module = types.ModuleType("tmp_sol", "")
        exec(code, module.__dict__)
        return module.Solution() if "class Solution" in code else module
    finally:
        signal.alarm(0)


def _method(compiled, name):
    try:
        return getattr(compiled, name)
    except Exception:
        # Its caller unpacks this, and that is the error that is reported.
        raise TypeError("cannot unpack non-iterable NoneType object") from None


def _failed(results, error):
    signal.alarm(0)
    if "timeoutexception" in repr(error).lower():
        return [*results, -3], -3, "Time Limit Exceeded"
    return [*results, -4], -4, f"Runtime Error: {error!r}"[:1000]


def _grade_calls(code, inputs, outputs, seconds, name):
    method = _method(_compiled(f"{_PRELUDE}\n\n{code}", seconds), name)
    all_inputs = [[json.loads(line) for line in given.split("\n")] for given in inputs]
    all_outputs = [json.loads(output) for output in outputs]
    results = []
    for gt_inp, gt_out in zip(all_inputs, all_outputs):
        signal.alarm(seconds)
        try:
            prediction = method(*gt_inp)
            signal.alarm(0)
            if isinstance(prediction, tuple):
                prediction = list(prediction)
            tmp_result = prediction == gt_out
            results.append(tmp_result)
            if not tmp_result:
                return results, -2, "Wrong Answer"
        except Exception as error:
            return _failed(results, error)
        finally:
            signal.alarm(0)
    return results, 0, ""


def _grade_stdio(code, inputs, outputs, seconds):
    method = _method(
        _compiled(_as_function(_without_main_guard(code)), seconds), "wrapped_function"
    )
    results = []
    for given, wanted in zip(inputs, outputs):
        signal.alarm(seconds)
        kept, caught = sys.stdout, io.StringIO()
        sys.stdout = caught
        caught.close = lambda *_: 1
        try:
            _call(method, given)
            signal.alarm(0)
        except Exception as error:
            return _failed(results, error)
        finally:
            signal.alarm(0)
            printed = caught.getvalue()
            sys.stdout = kept
        message = _difference(printed, wanted)
        if message:
            return [*results, -2], -2, message
        results.append(True)
    return results, 0, ""


def _without_main_guard(code):
    try:
        tree = ast.parse(code)
        last = tree.body[-1]
        if isinstance(last, ast.If) and ast.unparse(last.test).strip() == "__name__ == '__main__'":
            return ast.unparse(tree.body[:-1]) + "\n" + ast.unparse(last.body)
    except Exception:
        pass
    return code


def _as_function(code):
    try:
        body = ast.parse(code).body
        imports = [one for one in body if isinstance(one, (ast.Import, ast.ImportFrom))]
        others = [one for one in body if not isinstance(one, (ast.Import, ast.ImportFrom))]
        nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
        function = ast.FunctionDef(
            name="wrapped_function", args=nothing, body=others, decorator_list=[], lineno=-1
        )
        return f"{_PRELUDE}\n{ast.unparse(imports)}\n{ast.unparse(function)}"
    except Exception:
        return code


class _Buffer:
    """Standing in for sys.stdin.buffer: readline gives the first line each time."""

    def __init__(self, text):
        self._content = text.encode("utf-8")

    def read(self, *_arguments):
        return self._content

    def readline(self, *_arguments):
        return self._content.split(b"\n")[0] + b"\n"


class _Stdin:
    """Standing in for sys.stdin: it cannot be iterated."""

    def __init__(self, text):
        self._text = text
        self._stream = io.StringIO(text)
        self.buffer = _Buffer(text)

    def read(self, *_arguments):
        return self._text

    def readline(self, *arguments):
        return self._stream.readline(*arguments)

    def readlines(self, *_arguments):
        return self._text.split("\n")

    def __getattr__(self, name):
        return getattr(self._stream, name)


def _call(method, text):
    lines = iter(text.split("\n"))
    # In the harness's order: the methods are replaced on the real stream, which then goes away.
    with (
        patch("sys.stdin.read", lambda *_: text),
        patch("sys.stdin.readlines", lambda *_: text.split("\n")),
        patch("sys.stdin.readline", lambda *_: next(lines)),
        patch("sys.stdin", _Stdin(text)),
        patch("builtins.open", mock_open(read_data=text)),
        contextlib.suppress(SystemExit),
    ):
        method()


def _difference(printed, wanted):
    """What is wrong, or ""."""
    got = [line.strip() for line in printed.strip().split("\n")]
    want = [line.strip() for line in wanted.strip().split("\n")]
    if len(got) != len(want):
        return "Wrong answer: mismatched output length"
    for number, (first, second) in enumerate(zip(got, want)):
        if first == second:
            continue
        try:
            if [Decimal(word) for word in first.split()] == [
                Decimal(word) for word in second.split()
            ]:
                continue
        except Exception:
            pass
        return f"Wrong answer at output_line_idx={number}: {first[:300]} != {second[:300]}"
    return ""
