"""Runs a project's Python tests beside an answer, so that an answer cannot easily claim to pass.

This file is sent into the sandbox; arguments: the test files, --, the files of the answer. Two processes: the child loads the
tests and the answer and tells each test's result through a pipe; the parent never loads the answer,
knows from the tests' source which tests there must be, and alone learns the token (stdin), which it
prints last: "<token> <passed> <total>". Exit code: 0 all passed, 1 some failed, 65 a file is no
Python, 70 the tests could not be loaded.

Tests are methods of unittest.TestCase, methods of classes named Test…, and functions test… without
arguments. In the child: test files are gone from the disk before the answer is loaded; reading
frames, tracing and walking the heap from an answer's code is refused and counts as failure; so do
changed parts of unittest or of the built-in names, and objects that are equal to whatever they are
compared with.
"""

# ruff: noqa: PTH100, PTH108, PTH109, PTH120, PTH123, T201, N802, N815, S102, BLE001
# A program of the sandbox: it prints, its imports cost each run, unittest names its methods.

import ast
import builtins
import json
import linecache
import os
import sys
import traceback
import types
import unittest
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Tell = Callable[[dict[str, str]], object]

COMPILE_EXIT, LOAD_EXIT = 65, 70
_WATCHED = {
    "sys._getframe", "sys._current_frames", "sys.settrace", "sys.setprofile", "sys.addaudithook",
    "gc.get_objects", "gc.get_referrers", "gc.get_referents", "object.__getattr__",
}  # fmt: skip
_FRAME_NAMES = {"tb_frame", "gi_frame", "cr_frame", "ag_frame", "f_code"}
_EQUALITIES = [name for name in vars(unittest.TestCase) if name.startswith("assert") and
               name.endswith("Equal") and "Not" not in name]  # fmt: skip


def names_of(path: str) -> list[str]:
    """The tests that a file must run, from its source: "Class.method" or "function"."""
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read(), path)
    cases, found = set(), []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            found += [] if _is_skipped(node) else [node.name]
        elif isinstance(node, ast.ClassDef):
            bases = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
            if any(base in cases or base.endswith("TestCase") for base in bases):
                cases.add(node.name)
            elif not node.name.startswith("Test"):
                continue
            found += [
                f"{node.name}.{method.name}"
                for method in node.body
                if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
                and method.name.startswith("test")
                and not _is_skipped(method)
                and not _is_skipped(node)
            ]
    return found


def _is_skipped(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("skip" in ast.unparse(mark).lower() for mark in node.decorator_list)


class _Nothing:
    """Equal to nothing that is honest."""


def _changed(value: Any) -> Any:
    """Another value of the same kind, or None."""
    if type(value) in (int, float, complex):
        return value + 1
    if type(value) is str:
        return value + "\0"
    if type(value) in (list, tuple):
        return value + type(value)((_Nothing(),))
    return None


def _is_equal_to_anything(value: Any, other: Any, depth: int = 0) -> bool:
    """Whether a value claims equality that no honest value has."""
    if type(value) in (int, float, str, bytes, bool, type(None)) or depth > 50:
        return False
    inner: list[Any] = []
    if type(value) in (list, tuple, set, frozenset):
        inner = list(value)
    elif type(value) is dict:
        inner = [*value, *value.values()]
    for item in inner[:10000]:
        if _is_equal_to_anything(item, None, depth + 1):
            return True
    try:
        if value == _Nothing():
            return True
        changed = _changed(other)
        return changed is not None and bool(value == changed)
    except Exception:
        return False


_last_unequal = ["", ""]


def _are_equal(left: Any, right: Any) -> bool:
    if not (left == right):  # noqa: SIM201  # asks for __eq__, not for __ne__
        _last_unequal[:] = [repr(left)[:500], repr(right)[:500]]
        return False
    if _is_equal_to_anything(left, right) or _is_equal_to_anything(right, left):
        raise AssertionError("an object in the answer is equal to whatever it is compared with")
    return True


def _show_unequal() -> str:
    return "{} != {}".format(*_last_unequal) if _last_unequal[0] else ""


class _Equalities(ast.NodeTransformer):
    """Sends each == of an assert through _are_equal."""

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        node.test = _InAssert().visit(node.test)
        if node.msg is None:
            node.msg = ast.Call(ast.Name("__codeloop_shown__", ast.Load()), [], [])
        return ast.fix_missing_locations(node)


class _InAssert(ast.NodeTransformer):
    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq):
            name = ast.Name("__codeloop_equal__", ast.Load())
            return ast.copy_location(ast.Call(name, [node.left, *node.comparators], []), node)
        return node


def _guarded(original: Callable[..., None]) -> Callable[..., None]:
    def checked(self: Any, first: Any, second: Any, *rest: Any, **named: Any) -> None:
        original(self, first, second, *rest, **named)
        if _is_equal_to_anything(first, second) or _is_equal_to_anything(second, first):
            self.fail("an object in the answer is equal to whatever it is compared with")

    return checked


class _Report(unittest.TestResult):
    """Tells each result at once. tell: writes one event."""

    def __init__(self, tell: Tell, is_changed: Callable[[], str]) -> None:
        super().__init__()
        self._tell, self._is_changed = tell, is_changed

    def _say(self, test: Any, state: str, text: str = "") -> None:
        name = getattr(test, "codeloop_name", None)
        if name is None:
            name = f"{type(test).__name__}.{getattr(test, '_testMethodName', '?')}"
        if changed := self._is_changed():
            state, text = "failed", f"the answer replaced {changed}"
        self._tell({"test": name, "state": state, "text": text[-3000:]})

    def addSuccess(self, test: Any) -> None:
        self._say(test, "passed")

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        self._say(test, "passed")

    def addFailure(self, test: Any, err: Any) -> None:
        self._say(test, "failed", "".join(traceback.format_exception(*err, limit=-6)))

    addError = addFailure

    def addSkip(self, test: Any, reason: str) -> None:
        self._say(test, "skipped", f"skipped: {reason}")

    def addUnexpectedSuccess(self, test: Any) -> None:
        self._say(test, "failed", "passed, but is marked as an expected failure")

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        if err is not None:
            self._say(test, "failed", f"{subtest}\n{''.join(traceback.format_exception(*err))}")


def _watch(tell: Tell, answer: Iterable[str]) -> None:
    """Refuse what reads the tests' own variables, when code of the answer asks for it."""
    suspects = {path for file in answer for path in (file, os.path.realpath(file))}
    is_busy: list[bool] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _WATCHED or is_busy:
            return
        if event == "object.__getattr__" and arguments[1] not in _FRAME_NAMES:
            return
        is_busy.append(True)
        try:
            frame: types.FrameType | None = sys._getframe(1)
            while frame is not None and frame.f_code.co_filename.endswith("inspect.py"):
                frame = frame.f_back
            name = frame.f_code.co_filename if frame is not None else ""
            # Code from a text, as of exec, is the answer's: neither tests nor libraries read frames so.
            is_fine = name not in suspects and (name[:1] != "<" or name.startswith("<frozen"))
        finally:
            is_busy.clear()
        if not is_fine:
            tell({"test": "", "state": "cheat", "text": f"the answer used {event} {arguments[1:]}"})
            raise RuntimeError(f"{event} is refused while tests run")

    sys.addaudithook(hook)


def _snapshot() -> Callable[[], str]:
    owners = (unittest.TestCase, unittest.TestResult, unittest.TestSuite, _Report, builtins)
    before = [(owner, name, value) for owner in owners for name, value in vars(owner).items()]

    def changed() -> str:
        for owner, name, value in before:
            if vars(owner).get(name) is not value and name not in ("_", "__builtins__"):
                return f"{owner.__name__}.{name}"
        return ""

    return changed


def _load(path: str, source: str) -> types.ModuleType:
    linecache.cache[path] = (len(source), None, source.splitlines(True), path)
    name = path[:-3].replace("/", ".")
    module = types.ModuleType(name)
    module.__file__ = path
    module.__dict__.update(__codeloop_equal__=_are_equal, __codeloop_shown__=_show_unequal)
    tree = _Equalities().visit(ast.parse(source, path))
    exec(compile(tree, path, "exec"), module.__dict__)
    return module


def _tests_in(module: types.ModuleType) -> Iterator[unittest.TestCase | unittest.TestSuite]:
    for name, value in list(vars(module).items()):
        if isinstance(value, type) and value.__module__ == module.__name__:
            if issubclass(value, unittest.TestCase):
                yield unittest.defaultTestLoader.loadTestsFromTestCase(value)
            elif name.startswith("Test"):
                for method in [text for text in vars(value) if text.startswith("test")]:
                    yield _plain(f"{name}.{method}", getattr(value(), method))
        elif name.startswith("test") and isinstance(value, types.FunctionType):
            yield _plain(name, value)


def _plain(name: str, function: Callable[[], Any]) -> unittest.TestCase:
    test: Any = unittest.FunctionTestCase(function)
    test.codeloop_name = name
    return test  # type: ignore[no-any-return]


def _run_child(paths: list[str], answer: list[str], tell: Tell) -> None:
    sources: dict[str, str] = {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            sources[path] = file.read()
        os.unlink(path)
        sys.path.insert(0, os.path.abspath(os.path.dirname(path)))
    sys.path.insert(0, os.getcwd())
    for name in _EQUALITIES:
        setattr(unittest.TestCase, name, _guarded(getattr(unittest.TestCase, name)))
    is_changed = _snapshot()
    _watch(tell, answer)
    report = _Report(tell, is_changed)
    for path, source in sources.items():
        try:
            module = _load(path, source)
        except SyntaxError as error:
            tell({"test": "", "state": "syntax", "text": f"{error.filename}: {error}"})
            return
        except BaseException:
            tell({"test": "", "state": "load", "text": traceback.format_exc(limit=-6)})
            return
        getattr(module, "setUpModule", lambda: None)()
        unittest.TestSuite(_tests_in(module)).run(report)
        getattr(module, "tearDownModule", lambda: None)()
    tell({"test": "", "state": "end", "text": ""})


def _begin_child(paths: list[str], answer: list[str], report: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    try:
        _run_child(
            paths, answer, lambda event: os.write(report, (json.dumps(event) + "\n").encode())
        )
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def main(paths: list[str], answer: list[str]) -> None:
    """Run the tests of the files and exit with what came of it."""
    wanted = [name for path in paths for name in names_of(path)]
    receive, report = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receive)
        _begin_child(paths, answer, report)
    os.close(report)
    with open(receive, "rb") as stream:
        events = [json.loads(line) for line in stream if line.endswith(b"\n")]
    os.waitpid(child, 0)
    token = sys.stdin.readline().strip()
    states: dict[str, str] = {}
    for event in events:
        name, state = event["test"], event["state"]
        if state != "passed" and event["text"]:
            print(f"{state.upper()} {name}\n{event['text']}")
        if states.get(name, "passed") == "passed":
            states[name] = state
    marks = {event["state"] for event in events}
    passed = sum(states.get(name) == "passed" for name in wanted)
    is_honest = "end" in marks and "cheat" not in marks
    if "syntax" in marks:
        code = COMPILE_EXIT
    elif "load" in marks:
        code = LOAD_EXIT
    else:
        code = 0 if is_honest and wanted and passed == len(wanted) else 1
    if "end" not in marks and not marks & {"syntax", "load"}:
        print("the tests ended before they were done: the answer ended their process")
    others = [name for name, state in states.items() if state == "failed" and name not in wanted]
    if others:
        code = code or 1
    print(f"\n{token} {passed if is_honest else 0} {len(wanted)}", flush=True)
    sys.exit(code)


_split = sys.argv.index("--")
main(sys.argv[1:_split], sys.argv[_split + 1 :])
