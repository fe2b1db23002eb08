"""`codeloop sandbox`: whose fault it was is the exit code, and a node may die at any time."""

import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager

import pytest

from sandbox.isolation.http import HttpIsolation
from sandbox.program import Program as SandboxProgram
from sandbox.settings import SandboxSettings

Codeloop = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def program(tmp_path: pathlib.Path) -> Callable[[str], str]:
    def write(source: str, name: str = "program.py") -> str:
        (tmp_path / name).write_text(source)
        return name

    return write


Program = Callable[..., str]


def test_a_fine_program_ends_with_0_and_is_shown(codeloop: Codeloop, program: Program) -> None:
    done = codeloop("sandbox", "run", program("import sys; print(sys.argv[1:])"), "--", "-x", "y z")
    assert done.returncode == 0, done.stderr
    assert "['-x', 'y z']" in done.stdout
    assert "ok" in done.stdout


def test_an_outcome_is_json_for_programs(codeloop: Codeloop, program: Program) -> None:
    name = program("import sys; sys.stdout.write(sys.stdin.read()); sys.exit(3)")
    done = codeloop("sandbox", "run", name, "--stdin", "-", "--json", stdin="é\n")
    assert done.returncode == 1, done.stderr
    outcome = json.loads(done.stdout)
    assert (outcome["verdict"], outcome["exit_code"], outcome["stdout"]) == (
        "runtime_error",
        3,
        "é\n",
    )


@pytest.mark.parametrize(
    ("source", "options", "verdicts"),
    [
        ("while True: pass", ["--cpu-seconds", "0.3"], ["timed_out"]),
        ("import time; time.sleep(99)", ["--wall-seconds", "0.3"], ["timed_out"]),
        ("print('x' * 9999)", ["--output-bytes", "100"], ["output_limit"]),
        # Where nothing counts memory together, the limit is met as an error of the program's own.
        ("x = b'1' * (1 << 30)", ["--memory", "64"], ["out_of_memory", "runtime_error"]),
    ],
)
def test_a_limit_is_the_programs_fault(
    codeloop: Codeloop, program: Program, source: str, options: list[str], verdicts: list[str]
) -> None:
    done = codeloop("sandbox", "run", program(source), "--json", *options)
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["verdict"] in verdicts


def test_a_program_cannot_steer_the_terminal(codeloop: Codeloop, program: Program) -> None:
    done = codeloop("sandbox", "run", program(r"print('\x1b[2J[red]\r\x9b1m\u202e')"))
    assert done.returncode == 0, done.stderr
    assert r"\x1b[2J[red]\r\x9b1m\u202e" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere.py"], "nowhere.py"),
        (["program.py", "--language", "klingon"], "klingon"),
        (["unknown.suffix"], "suffix"),
        (["program.py", "--cpu-seconds", "0"], "cpu_seconds"),
        (["program.py", "--memory", "1"], "memory_bytes"),
        (["program.py", "--memory", "much"], "--memory"),
        (["program.py", "--isolation", "hope"], "hope"),
        (["program.py", "--isolation", "http"], "sandbox.nodes"),
        (["program.py", "--stdin", "nowhere"], "nowhere"),
        (["program.py", "--speed", "9"], "--speed"),
    ],
)
def test_what_we_cannot_run_ends_with_2_and_says_why(
    codeloop: Codeloop, program: Program, arguments: list[str], expected: str
) -> None:
    program("print(1)")
    program("", "unknown.suffix")
    done = codeloop("sandbox", "run", *arguments)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_that_are_wrong_are_not_the_programs_fault(
    codeloop: Codeloop, program: Program, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "codeloop.toml").write_text("[sandbox]\nworkers = 0\n")
    done = codeloop("sandbox", "run", program("print(1)"))
    assert done.returncode == 2
    assert "sandbox.workers is 0" in done.stderr


def test_probe_tells_of_each_layer(codeloop: Codeloop) -> None:
    told = codeloop("sandbox", "probe").stdout
    found = json.loads(codeloop("sandbox", "probe", "--json").stdout)
    assert {"namespaces", "docker", "interpreter"} <= {row["layer"] for row in found}
    assert all(row["layer"] in told and row["detail"] for row in found)


def test_languages_pass_their_self_tests(codeloop: Codeloop) -> None:
    done = codeloop("sandbox", "languages", "python", "--json")
    assert done.returncode == 0, done.stderr
    (python,) = json.loads(done.stdout)
    assert (python["name"], python["is_present"], python["passes"]) == ("python", True, True)
    assert "python" in codeloop("sandbox", "languages", "python").stdout


def test_installing_nothing_is_wrong_usage(codeloop: Codeloop) -> None:
    done = codeloop("sandbox", "languages", "--install")
    assert done.returncode == 2
    assert "python" in done.stderr


def test_an_open_door_is_refused(codeloop: Codeloop) -> None:
    done = codeloop("sandbox", "serve", "--host", "0.0.0.0", "--port", "0")
    assert done.returncode == 1
    assert "sandbox.node.keys" in done.stderr


@contextmanager
def node(
    environment: Mapping[str, str], folder: pathlib.Path
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A node with one worker in a process of its own, and its URL; its keys are k1 and k2."""
    command = [sys.executable, "-m", "deploy", "sandbox", "serve", "--port", "0", "--workers", "1"]
    more = {"CODELOOP_SANDBOX_KEYS": "k1 k2", "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, cwd=folder, env={**environment, **more}, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            url = next(found[1] for line in lines if (found := re.search(r"url +(\S+)", line)))
            yield process, url
        finally:
            process.terminate()


def test_a_node_serves_until_sigterm(
    own_environment: Mapping[str, str], tmp_path: pathlib.Path
) -> None:
    with node(own_environment, tmp_path) as (process, url):
        request = urllib.request.Request(
            f"{url}/run",
            data=json.dumps({"language": "python", "source": "print(6 * 7)"}).encode(),
            headers={"Authorization": "Bearer k2"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert json.load(answer)["stdout"] == "42\n"
        process.terminate()
        assert process.wait(30) == 0


def test_of_two_nodes_one_is_killed_under_load_and_no_program_is_lost(
    own_environment: Mapping[str, str], tmp_path: pathlib.Path
) -> None:
    with ExitStack() as stack:
        nodes = [stack.enter_context(node(own_environment, tmp_path)) for _ in range(2)]
        urls = tuple(url for _, url in nodes)
        settings = SandboxSettings(isolation="http", nodes=urls, node_key="k1")
        client = stack.enter_context(closing(HttpIsolation(settings)))
        done = threading.Semaphore(0)

        def run(number: int) -> bytes:
            source = b"import time; time.sleep(0.01); print(int(input()) ** 2)"
            program = SandboxProgram(
                language="python", files={"main.py": source}, stdin=b"%d" % number
            )
            outcome = client.run(program)
            done.release()
            return outcome.stdout

        with ThreadPoolExecutor(8) as threads:
            running = [threads.submit(run, number) for number in range(100)]
            for _ in range(20):
                assert done.acquire(timeout=30)
            nodes[0][0].kill()
            outputs = [future.result(60) for future in running]
        assert outputs == [b"%d\n" % number**2 for number in range(100)]
