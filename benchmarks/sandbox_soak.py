"""Nothing piles up: thousands of runs, then hostile ones in random order, beside a healthy neighbour.

After many ordinary programs and the attacks of tests/attacks in random order, this process's memory,
descriptors, children, and the host's mounts, control groups and temporary files are compared with
what they were. Meanwhile a fixed program runs beside them: its verdict must hold, and its wall time
is told.

    python -m benchmarks.sandbox_soak --quick
"""

import importlib.util
import os
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.report import Report, parse
from sandbox.program import Limits
from sandbox.sandbox import Sandbox
from sandbox.settings import SandboxSettings
from sandbox.toolchain import program

ATTACK = Path(__file__).parents[1] / "tests" / "sandbox" / "attack.py"
NEIGHBOUR = "total = 0\nfor i in range(300_000):\n    total += i\nprint(total)"
NEIGHBOUR_SAYS = b"44999850000\n"
ORDINARY_WORKERS = 2


def main() -> None:
    """Run it."""
    arguments = parse(__doc__, rounds=1)
    num_ordinary, num_hostile = (2000, 200) if arguments.quick else (10_000, 1000)
    report = Report(f"{num_ordinary} ordinary runs, then {num_hostile} hostile ones", arguments)
    attack = load_attack()
    chosen = [found for found in attack.attacks() if found.can_run]
    chosen = [found for found in chosen if not found.name.startswith("persist_")]
    rng = random.Random(1)
    warm_up()
    before = standing()
    with Sandbox(SandboxSettings(workers=ORDINARY_WORKERS)) as sandbox:
        trivial = program("python", "print(6 * 7)")
        sandbox.run(trivial)
        inside_before = resident_mib()
        began = time.monotonic()
        wrong = sum(sandbox.run(trivial).stdout != b"42\n" for _ in range(num_ordinary))
        report.figure("ordinary runs", [num_ordinary / (time.monotonic() - began)], "/s")
        report.figure("ordinary runs that were wrong", [wrong], "", at_most=0)
        neighbour = Neighbour()
        problems = []
        for _ in range(num_hostile):
            hostile = rng.choice(chosen)
            problem = hostile.problem(sandbox.run(hostile.program, hostile.limits))
            if problem is not None:
                problems.append(f"{hostile.name}: {problem}")
        neighbour.stop()
        inside_after = resident_mib()
    after = standing()
    for problem in problems[:10]:
        report.note(problem)
    report.figure("hostile runs with a wrong verdict", [len(problems)], "", at_most=0)
    report.figure("neighbour: runs", [len(neighbour.seconds)], "")
    report.figure("neighbour: wrong verdicts", [neighbour.num_wrong], "", at_most=0)
    ranked = sorted(neighbour.seconds) or [0.0]
    report.figure("neighbour: wall, p50", [1000 * ranked[len(ranked) // 2]], "ms")
    report.figure("neighbour: wall, p99", [1000 * ranked[int(len(ranked) * 0.99)]], "ms")
    report.figure("resident memory: growth", [inside_after - inside_before], "MiB", at_most=8)
    for name, number in before.items():
        report.figure(f"{name}: more than before", [after[name] - number], "", at_most=0)
    report.finish()


class Neighbour:
    """A healthy program that runs over and over in a sandbox of its own."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.num_wrong = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        wanted = program("python", NEIGHBOUR)
        with Sandbox(SandboxSettings(workers=1)) as sandbox:
            while not self._is_over.is_set():
                outcome = sandbox.run(wanted, Limits(cpu_seconds=1.0))
                self.seconds.append(outcome.wall_seconds)
                self.num_wrong += outcome.stdout != NEIGHBOUR_SAYS

    def stop(self) -> None:
        """Until its last run has ended."""
        self._is_over.set()
        self._thread.join()


def warm_up() -> None:
    """What is made once and kept, such as imports and thread pools, is no leak."""
    with Sandbox(SandboxSettings(workers=ORDINARY_WORKERS)) as sandbox:
        for _ in range(50):
            sandbox.run(program("python", "print(1)"))


def standing() -> dict[str, int]:
    """What a sandbox could leave."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "children": len(children),
        "mounts": len(Path("/proc/self/mounts").read_text().splitlines()),
        "control groups": len(list(Path("/sys/fs/cgroup").glob(f"*/**/codeloop-{os.getpid()}-*"))),
        "temporary files": len(list(Path("/tmp").glob("codeloop-*"))),
    }


def resident_mib() -> float:
    """This process's memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def load_attack() -> Any:
    """tests/sandbox/attack.py; the tests are no package."""
    spec = importlib.util.spec_from_file_location("attack", ATTACK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["attack"] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
