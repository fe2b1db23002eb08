"""Isolated programs against a bare `subprocess` of the same interpreter, in turns.

Runs per second on all cores of a trivial program, of one with 16 common imports, and of one that
imports numpy where the interpreter has it; latency with one program at a time; what a command costs
over its bare execution; calls of a function, each in its own fork; and one table of other ways to
run a program: docker run, docker exec, bwrap, where they are installed.

    python -m benchmarks.sandbox_speed --quick
"""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.report import Report, parse
from sandbox.isolation.interpreter import find_interpreter
from sandbox.program import Limits, Program
from sandbox.sandbox import Sandbox
from sandbox.settings import WARM_MODULES, SandboxSettings
from sandbox.toolchain import program

TRIVIAL = "print(1)"
IMPORTS = (
    "import json, math, collections, heapq, itertools, re, bisect, functools, random, string,"
    " typing, datetime, decimal, fractions, copy, operator\nprint(1)"
)
NUMPY = "import numpy\nprint(int(numpy.ones(3).sum()))"
NUM_CALLS = 200
LOADED = "def f(x):\n    return x + 1\n"
C_SOURCE = "int main(void) { return 0; }"


def main() -> None:
    """Run it."""
    arguments = parse(__doc__)
    seconds = 2.0 if arguments.quick else 5.0
    report = Report("Sandbox against bare subprocess", arguments)
    site_packages = numpy_folder()
    settings = SandboxSettings(
        python_path=(site_packages,) if site_packages else (),
        preload=(*WARM_MODULES, "numpy") if site_packages else tuple(WARM_MODULES),
    )
    python = find_interpreter(settings).command[0]
    with Sandbox(SandboxSettings()) as plain, Sandbox(settings) as with_numpy:
        report.note(f"{plain.description}, {plain.num_workers} workers, {python}")
        compare(report, plain, python, "trivial", TRIVIAL, seconds, arguments.rounds, at_least=2.0)
        compare(
            report, plain, python, "16 imports", IMPORTS, seconds, arguments.rounds, at_least=8.0
        )
        if site_packages:
            compare(
                report, with_numpy, python, "numpy", NUMPY, seconds, arguments.rounds,
                at_least=25.0, site_packages=site_packages,
            )  # fmt: skip
        latency(report, plain, arguments.rounds)
        command_overhead(report, plain, arguments.rounds)
        calls(report, plain, arguments.rounds)
        table(report, plain, python, arguments.rounds)
    report.finish()


def numpy_folder() -> str:
    """The site-packages of this interpreter's numpy; empty where there is none."""
    found = [Path(path) for path in sys.path if (Path(path) / "numpy").is_dir()]
    return str(found[0]) if found else ""


def compare(
    report: Report, sandbox: Sandbox, python: str, name: str, source: str, seconds: float,
    rounds: int, *, at_least: float, site_packages: str = "",
) -> None:  # fmt: skip
    """Runs per second with one caller a core, both ways in turns."""
    path = f"import sys; sys.path.append({site_packages!r})\n" if site_packages else ""
    bare_command = [python, "-I", "-S", "-c", path + source]
    isolated, bare = [], []
    wanted = program("python", source)
    for _ in range(rounds):
        isolated.append(rate(lambda: must(sandbox, wanted), seconds))
        bare.append(rate(lambda: run_bare(bare_command), seconds))
    report.figure(f"{name}: isolated", isolated, "runs/s")
    report.figure(f"{name}: bare python -I -S", bare, "runs/s")
    ratios = [a / b for a, b in zip(isolated, bare, strict=True)]
    report.figure(f"{name}: isolated / bare", ratios, "", at_least=at_least)


def latency(report: Report, sandbox: Sandbox, rounds: int) -> None:
    """One program at a time."""
    wanted = program("python", TRIVIAL)
    p50, p99 = [], []
    for _ in range(rounds):
        times = sorted(timed(lambda: must(sandbox, wanted)) for _ in range(500))
        p50.append(1000 * times[250])
        p99.append(1000 * times[495])
    report.figure("one at a time: p50", p50, "ms", at_most=3.0)
    report.figure("one at a time: p99", p99, "ms", at_most=8.0)


def command_overhead(report: Report, sandbox: Sandbox, rounds: int) -> None:
    """A compiled program, against executing it."""
    if shutil.which("gcc") is None:
        return
    wanted = program("c", C_SOURCE)
    folder = Path("/tmp", f"codeloop-bench-{os.getpid()}")
    folder.mkdir()
    (folder / "main.c").write_text(C_SOURCE)
    binary = folder / "program"
    subprocess.run(["gcc", "-O2", "-o", binary, folder / "main.c"], check=True)
    over = []
    for _ in range(rounds):
        ours = sorted(timed(lambda: must(sandbox, wanted)) for _ in range(200))[100]
        bare = sorted(timed(lambda: run_bare([str(binary)])) for _ in range(200))[100]
        over.append(1000 * (ours - bare))
    shutil.rmtree(folder)
    report.figure("a command: over its bare execution, p50", over, "ms", at_most=1.5)


def calls(report: Report, sandbox: Sandbox, rounds: int) -> None:
    """A fork for each call, inside one loaded program, on one core."""
    wanted = program("python", LOADED)
    arguments = [(number,) for number in range(NUM_CALLS)]
    rates = []
    for _ in range(rounds):
        began = time.perf_counter()
        _, outcomes = sandbox.call(wanted, "f", arguments)
        assert [outcome.value for outcome in outcomes] == [n + 1 for n in range(NUM_CALLS)]
        rates.append(NUM_CALLS / (time.perf_counter() - began))
    report.figure("calls in forks of a loaded program", rates, "/s a core", at_least=600)


def table(report: Report, sandbox: Sandbox, python: str, rounds: int) -> None:
    """Other ways to run the trivial program, one at a time."""
    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: must(sandbox, program("python", TRIVIAL)),
        "bare python -I -S": lambda: run_bare([python, "-I", "-S", "-c", TRIVIAL]),
    }
    if shutil.which("bwrap"):
        wall = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
        ways["bwrap"] = lambda: run_bare([*wall, python, "-I", "-S", "-c", TRIVIAL])
    image = os.environ.get("BENCH_DOCKER_IMAGE", "")
    if image and shutil.which("docker"):
        run = ["docker", "run", "--rm", "--network=none", "-v", "/usr:/usr:ro", image]
        ways["docker run"] = lambda: run_bare([*run, python, "-I", "-S", "-c", TRIVIAL])
        name = f"codeloop-bench-{os.getpid()}"
        started = ["docker", "run", "-d", "--rm", "--name", name, "--network=none"]
        run_bare([*started, "-v", "/usr:/usr:ro", image, "/usr/bin/sleep", "600"])
        inside = ["docker", "exec", name]
        ways["docker exec"] = lambda: run_bare([*inside, python, "-I", "-S", "-c", TRIVIAL])
    num = 20
    for name_of_way, way in ways.items():
        medians = [1000 * sorted(timed(way) for _ in range(num))[num // 2] for _ in range(rounds)]
        report.figure(f"one run: {name_of_way}", medians, "ms")
    if "docker exec" in ways:
        run_bare(["docker", "rm", "-f", name])


def rate(run: Callable[[], object], seconds: float) -> float:
    """Runs per second with a thread a core."""
    counts: list[int] = []

    def work() -> None:
        count, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            run()
            count += 1
        counts.append(count)

    threads = [threading.Thread(target=work) for _ in range(os.cpu_count() or 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def must(sandbox: Sandbox, wanted: Program) -> None:
    """A run that has to be right."""
    outcome = sandbox.run(wanted, Limits())
    if not outcome.ok:
        raise RuntimeError(f"the program did not do as it must: {outcome}")


def run_bare(command: Sequence[str]) -> None:
    """The same without isolation."""
    subprocess.run(
        command, capture_output=True, check=True, env={"OPENBLAS_NUM_THREADS": "1", **_PATH}
    )


def timed(run: Callable[[], object]) -> float:
    """Seconds of one run."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


_PATH = {"PATH": os.environ.get("PATH", ""), "DOCKER_HOST": os.environ.get("DOCKER_HOST", "")}

if __name__ == "__main__":
    main()
