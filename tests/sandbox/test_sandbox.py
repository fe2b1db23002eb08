"""What callers of the sandbox rely on: verdicts, limits, order, and that nothing of a run stays."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.errors import (
    InvalidProgram,
    IsolationUnavailable,
    SandboxError,
    SandboxUnavailable,
    ToolchainMissing,
    UnknownLanguage,
)
from sandbox.isolation.interpreter import SYSTEM_PYTHON
from sandbox.outcome import Group, Verdict
from sandbox.program import MAX_SOURCE_BYTES, MAX_STDIN_BYTES, MIB, Limits, Program
from sandbox.sandbox import Sandbox
from sandbox.settings import SandboxSettings
from sandbox.toolchain import located, program, toolchain, toolchains

SMALL = Limits(cpu_seconds=2, wall_seconds=6, memory_bytes=128 * MIB, output_bytes=4096)


def python(source: str | bytes, stdin: bytes = b"") -> Program:
    return program("python", source, stdin=stdin)


def has(language: str) -> bool:
    try:
        located(toolchain(language))
    except ToolchainMissing:
        return False
    return True


def test_every_verdict_has_one_of_three_groups() -> None:
    assert {verdict.group for verdict in Verdict} == set(Group)
    assert Verdict.OK.group is Group.FINE


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        ("print(1)", Verdict.OK),
        ("raise SystemExit(3)", Verdict.RUNTIME_ERROR),
        ("def f(:", Verdict.COMPILE_ERROR),
        (b"x = '\xff'", Verdict.COMPILE_ERROR),
        ("x = " + "(" * 500 + ")" * 500, Verdict.COMPILE_ERROR),
        ("while True: pass", Verdict.TIMED_OUT),
        ("x = []\nwhile True: x.append(bytes(10**6))", Verdict.OUT_OF_MEMORY),
        ("while True: print('x' * 1000)", Verdict.OUTPUT_LIMIT),
        ("import os; os.kill(os.getpid(), 11)", Verdict.RUNTIME_ERROR),
    ],
)
def test_what_a_program_does_is_a_verdict(
    sandbox: Sandbox, source: str | bytes, verdict: Verdict
) -> None:
    limits = Limits(cpu_seconds=0.5, memory_bytes=64 * MIB, output_bytes=4096)
    assert sandbox.run(python(source), limits).verdict is verdict


def test_a_program_reads_stdin_and_its_arguments_and_its_files(sandbox: Sandbox) -> None:
    source = b"import sys, helper\nprint(helper.double(int(input())), sys.argv[1:], __name__)"
    files = {"main.py": source, "helper.py": b"def double(x): return 2 * x"}
    wanted = Program(language="python", files=files, arguments=("a", "b c"), stdin=b"21\n")
    outcome = sandbox.run(wanted)
    assert outcome.stdout == b"42 ['a', 'b c'] __main__\n", outcome.stderr


def test_a_program_sleeps_until_its_wall_limit_and_no_longer(sandbox: Sandbox) -> None:
    outcome = sandbox.run(python("import time; time.sleep(60)"), Limits(wall_seconds=0.5))
    assert outcome.verdict is Verdict.TIMED_OUT
    assert outcome.cpu_seconds < 0.5


@pytest.mark.parametrize(
    "source",
    [
        "import sys; sys.exit('text')",
        "import atexit; atexit.register(print, 'late')\nprint('early')",
        "import threading\nthreading.Thread(target=lambda: print('thread')).start()",
        "class A:\n    def __del__(self): print('gone')\na = A()",
        "def f(n): return 1 / n\ntry:\n    f(0)\nexcept Exception as e:\n    raise ValueError from e",
        "import sys; sys.stdout.close()",
        "exit(7)",
        "import random; random.seed(4); print(random.random())",
        "import collections, sys; print(sys.stdin.read().upper(), end='')",
    ],
)
def test_python_behaves_as_the_interpreter_does(sandbox: Sandbox, source: str) -> None:
    if not os.access(SYSTEM_PYTHON, os.X_OK):
        pytest.skip("no system Python to compare with")
    ours = sandbox.run(python(source, b"text\n"))
    theirs = subprocess.run(
        [SYSTEM_PYTHON, "-c", f"exec(compile({source!r}, '/tmp/work/main.py', 'exec'))"],
        input=b"text\n", capture_output=True, check=False,
    )  # fmt: skip
    assert (ours.exit_code, ours.stdout) == (theirs.returncode, theirs.stdout)
    last = [text.strip().splitlines()[-1:] for text in (ours.stderr, theirs.stderr)]
    assert last[0] == last[1]


def test_a_program_finds_nothing_of_the_one_before(sandbox: Sandbox) -> None:
    leave = (
        "open('left', 'w').write('x'); open('/tmp/left', 'w').write('x')\nimport json; json.x = 1"
    )
    look = "import os, json; print(os.listdir('.'), os.listdir('/tmp'), hasattr(json, 'x'))"
    for _ in range(2 * sandbox.num_workers):
        assert sandbox.run(python(leave)).ok
    for _ in range(2 * sandbox.num_workers):
        assert sandbox.run(python(look)).stdout == b"['main.py'] ['work'] False\n"


def test_many_programs_come_back_in_order(sandbox: Sandbox) -> None:
    async def outputs() -> list[bytes]:
        sources = (python(f"import time; time.sleep({n % 3} / 20); print({n})") for n in range(12))
        return [outcome.stdout async for outcome in sandbox.run_many(sources, SMALL)]

    assert asyncio.run(outputs()) == [b"%d\n" % n for n in range(12)]


def test_a_cancelled_run_ends_and_its_worker_is_good_for_the_next(sandbox: Sandbox) -> None:
    async def cancel() -> None:
        run = asyncio.create_task(sandbox.run_async(python("import time; time.sleep(60)")))
        await asyncio.sleep(0.2)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    began = time.monotonic()
    asyncio.run(cancel())
    assert sandbox.run(python("print(1)")).ok
    assert time.monotonic() - began < 30


def test_a_run_cancelled_before_it_began_leaves_the_next_ones_their_own_results() -> None:
    async def outputs(sandbox: Sandbox) -> list[bytes]:
        found = []
        for number in range(30):
            run = asyncio.create_task(sandbox.run_async(python("print('cancelled')")))
            for _ in range(number % 4):
                await asyncio.sleep(0)
            run.cancel()
            await asyncio.wait([run])
            found.append((await sandbox.run_async(python(f"print({number})"))).stdout)
        return found

    with Sandbox(SandboxSettings(workers=1)) as sandbox:
        found = asyncio.run(outputs(sandbox))
    assert found == [b"%d\n" % number for number in range(30)]


def test_inputs_share_a_program_and_can_stop_at_the_first_failure(sandbox: Sandbox) -> None:
    divide = python("print(12 // int(input()))")
    inputs = [b"3\n", b"0\n", b"4\n"]
    verdicts = [outcome.verdict for outcome in sandbox.run_inputs(divide, inputs)]
    assert verdicts == [Verdict.OK, Verdict.RUNTIME_ERROR, Verdict.OK]
    stopped = list(sandbox.run_inputs(divide, inputs, stop_at_first_failure=True))
    assert len(stopped) == 2


def test_calls_return_plain_data_and_each_has_a_verdict(sandbox: Sandbox) -> None:
    source = "seen = []\ndef f(x):\n    seen.append(x)\n    return {'x': (1, {x}), 'n': len(seen)}[['x', 'n'][x % 2]] / (x - 4 and 1) if x == 4 else {'x': (1, {x}), 'n': len(seen)}"
    _, outcomes = sandbox.call(python(source), "f", [(1,), (4,), (2,)])
    assert [outcome.verdict for outcome in outcomes] == [
        Verdict.OK, Verdict.RUNTIME_ERROR, Verdict.OK,
    ]  # fmt: skip
    # Each call sees the program as it was loaded.
    assert outcomes[0].value == {"x": (1, {1}), "n": 1}
    assert outcomes[2].value == {"x": (1, {2}), "n": 1}


@pytest.mark.parametrize(
    "trick",
    [
        "class Always(int):\n    def __eq__(self, other): return True\n    __hash__ = int.__hash__\ndef f(x): return Always(1)",
        "import os\ndef f(x): os._exit(0)",
        "import sys\ndef f(x): sys.exit(0)",
        "import os\nfor fd in range(256):\n    try: os.write(fd, b'V\\x01\\x00\\x00\\x00' + b'3')\n    except OSError: pass\ndef f(x): return 1",
        "import gc, sys\ndef f(x):\n    found = [o for o in gc.get_objects() if isinstance(o, dict) and 'expected' in o]\n    return found and 3 or 1",
        "def f(x):\n    raise BaseException",
        "def f(x): return 1\nf.__class__.__eq__ = lambda *a: True",
    ],
)
def test_no_trick_makes_a_call_return_what_the_program_did_not_compute(
    sandbox: Sandbox, trick: str
) -> None:
    expected = 3
    _, outcomes = sandbox.call(python(trick), "f", [(2,)])
    values = [outcome.value for outcome in outcomes if outcome.verdict is Verdict.OK]
    assert all(value != expected and type(value) is int for value in values)


def test_a_call_that_takes_too_long_does_not_cost_the_next(sandbox: Sandbox) -> None:
    source = "def f(x):\n    while x: pass\n    return 5"
    _, outcomes = sandbox.call(python(source), "f", [(1,), (0,)], Limits(cpu_seconds=0.3))
    assert [outcome.verdict for outcome in outcomes] == [Verdict.TIMED_OUT, Verdict.OK]


@pytest.mark.parametrize("language", sorted(toolchains()))
def test_a_language_passes_its_self_test(sandbox: Sandbox, language: str) -> None:
    if not has(language):
        pytest.skip(f"{language} is not installed here")
    test = toolchain(language).self_test
    outcome = sandbox.run(program(language, test.source, stdin=test.stdin.encode()))
    assert (outcome.verdict, outcome.stdout.decode()) == (Verdict.OK, test.stdout), outcome.stderr


def test_a_compiler_s_complaint_is_a_verdict_with_its_message(sandbox: Sandbox) -> None:
    if not has("cpp"):
        pytest.skip("no C++ compiler here")
    outcome = sandbox.run(program("cpp", "int main() { return wrong; }"))
    assert outcome.verdict is Verdict.COMPILE_ERROR
    assert b"wrong" in outcome.stderr


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: Program(language="python", files={}), "files"),
        (lambda: Program(language="python", files={"../x": b""}), "'../x'"),
        (lambda: Program(language="python", files={"a\0b": b""}), "NUL"),
        (lambda: Program(language="python", files={"/etc/x": b""}), "relative"),
        (lambda: Program(language="python", files={"a": b"", "a/b": b""}), "folder"),
        (lambda: python(b"#" * (MAX_SOURCE_BYTES + 1)), "16777216"),
        (lambda: python("", bytes(MAX_STDIN_BYTES + 1)), "stdin"),
        (lambda: Limits(cpu_seconds=0), "cpu_seconds"),
        (lambda: Limits(memory_bytes=1), "memory_bytes"),
        (lambda: Limits(wall_seconds=float("nan")), "wall_seconds"),
        (lambda: Limits.parse({"cpu": 1}), "cpu"),
    ],
)
def test_a_program_that_cannot_be_run_as_asked_is_refused_by_name(
    make: Callable[[], object], names: str
) -> None:
    with pytest.raises(InvalidProgram, match=names):
        make()


def test_an_unknown_language_names_those_there_are(sandbox: Sandbox) -> None:
    with pytest.raises(UnknownLanguage, match="python"):
        sandbox.run(Program(language="pyhton", files={"x": b""}))


def test_our_failure_is_an_exception_and_the_next_program_runs(settings: SandboxSettings) -> None:
    with Sandbox(settings.model_copy(update={"workers": 1})) as sandbox:
        assert sandbox.run(python("print(1)")).ok
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        runs: list[BaseException | None] = []

        def run() -> None:
            try:
                sandbox.run(python("import time; time.sleep(5)"), Limits(wall_seconds=3))
            except SandboxUnavailable as error:
                runs.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        time.sleep(0.5)
        os.kill(int(children[-1]), 9)
        thread.join()
        # It was tried again on a new worker; what it came to there is no failure of ours.
        assert runs == []
        assert sandbox.run(python("print(2)")).stdout == b"2\n"


def test_closing_ends_what_runs(settings: SandboxSettings) -> None:
    sandbox = Sandbox(settings.model_copy(update={"workers": 1}))
    ended: list[BaseException] = []

    def run() -> None:
        try:
            sandbox.run(python("import time; time.sleep(60)"))
        except SandboxError as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.3)
    sandbox.close()
    thread.join(20)
    assert not thread.is_alive()
    assert len(ended) == 1


def test_bare_is_never_chosen_and_says_what_it_is(settings: SandboxSettings) -> None:
    with Sandbox(settings.model_copy(update={"isolation": "bare"})) as sandbox:
        outcome = sandbox.run(python("print(1)"))
        assert outcome.isolation.startswith("bare(")
        assert sandbox.run(python("import os\nos.fork()\nimport time; time.sleep(60)"), Limits(wall_seconds=0.5)).verdict is Verdict.TIMED_OUT  # fmt: skip


def test_an_interpreter_that_is_none_is_refused_with_its_name(settings: SandboxSettings) -> None:
    with pytest.raises(IsolationUnavailable, match="/nonexistent/python"):
        Sandbox(
            settings.model_copy(update={"python": "/nonexistent/python", "isolation": "namespaces"})
        )


def test_a_sandbox_leaves_nothing_behind(settings: SandboxSettings) -> None:
    def left() -> tuple[int, list[str], int]:
        gc.collect()
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        mounts = Path("/proc/self/mounts").read_text().splitlines()
        return len(list(Path("/proc/self/fd").iterdir())), children, len(mounts)

    before = left()
    with Sandbox(settings) as sandbox:
        for _ in range(20):
            sandbox.run(
                python(
                    "import os\nif os.fork() == 0: os.setsid(); os.pause() if hasattr(os, 'pause') else None"
                )
            )
    assert left() == before
    assert sys.getrefcount(sandbox) < 10


def test_calls_in_turn_share_one_process_and_end_with_the_first_that_fails(
    sandbox: Sandbox,
) -> None:
    source = "seen = []\ndef f(x):\n    seen.append(x)\n    return 1 // x, len(seen)\n"
    _, outcomes = sandbox.call(python(source), "f", [(1,), (2,), (0,), (4,)], in_turn_seconds=1)
    assert [outcome.value for outcome in outcomes] == [(1, 1), (0, 2), None]
    assert outcomes[-1].verdict is Verdict.RUNTIME_ERROR
    assert outcomes[-1].error == "ZeroDivisionError: integer division or modulo by zero"


def test_a_call_in_turn_that_loops_is_stopped_at_its_own_time(sandbox: Sandbox) -> None:
    source = "def f(x):\n    while x == 1:\n        pass\n    return x\n"
    limits = Limits(cpu_seconds=30)
    whole, outcomes = sandbox.call(python(source), "f", [(0,), (1,)], limits, in_turn_seconds=0.2)
    assert outcomes[-1].verdict is Verdict.TIMED_OUT
    assert whole.cpu_seconds >= 0.2, "not before it, however busy the host is"
    assert 0.2 <= outcomes[-1].cpu_seconds < 5


@pytest.mark.parametrize(
    "value",
    ["(1, 'é', b'x', None, True, 2.5, 1j, 2**70, -(2**70))", "{1: [{2, 3}], 'a': frozenset({4})}",
     "__import__('decimal').Decimal('1.5')", "__import__('fractions').Fraction(1, 3)"],
)  # fmt: skip
@pytest.mark.parametrize("in_turn_seconds", [None, 1.0])
def test_plain_data_comes_back_as_it_was(
    sandbox: Sandbox, value: str, in_turn_seconds: float | None
) -> None:
    source = python(f"def f():\n    return {value}\n")
    _, (outcome,) = sandbox.call(source, "f", [()], in_turn_seconds=in_turn_seconds)
    assert outcome.value == eval(value)
    assert type(outcome.value) is type(eval(value))


def test_what_is_no_plain_data_equals_nothing(sandbox: Sandbox) -> None:
    source = "class Same:\n    def __eq__(self, other):\n        return True\n\ndef f():\n    return Same()\n"
    _, (outcome,) = sandbox.call(python(source), "f", [()], in_turn_seconds=1)
    assert outcome.value != 1
    assert outcome.value != outcome.value  # not even itself
    assert repr(outcome.value) == "<Same>"
