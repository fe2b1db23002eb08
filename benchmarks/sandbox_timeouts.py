"""No program times out because the machine is busy, and no verdict depends on how many run at once.

A program that needs about half of its CPU limit runs beside 16 processes that never rest. And a
set of programs, right and wrong ones, is judged at concurrency 1, 2 and 16.

    python -m benchmarks.sandbox_timeouts --quick
"""

import asyncio
import subprocess
import sys
import time

from benchmarks.report import Report, parse
from sandbox.outcome import Verdict
from sandbox.program import Limits
from sandbox.sandbox import Sandbox
from sandbox.settings import SandboxSettings
from sandbox.toolchain import program

NUM_BUSY = 16
BURN = "end = {rounds}\nx = 0\nfor i in range(end):\n    x += i * i\nprint(x)"
ALONE_SECONDS = 0.05
MIXED = [
    "print(1)",
    "raise SystemExit(3)",
    "while True: pass",
    "x = [0] * 10**9",
    "import time; time.sleep(0.05)",
    "def f(:",
    "print('x' * 10**7)",
    BURN.format(rounds=200_000),
]
MIXED_LIMITS = Limits(cpu_seconds=0.5, memory_bytes=64 << 20, output_bytes=4096)


def main() -> None:
    """Run it."""
    arguments = parse(__doc__, rounds=1)
    num_runs = 200 if arguments.quick else 2000
    report = Report("False time-outs", arguments)
    with Sandbox(SandboxSettings(workers=2)) as sandbox:
        wanted = program("python", BURN.format(rounds=calibrated(sandbox)))
        alone = [sandbox.run(wanted).cpu_seconds for _ in range(10)]
        limits = Limits(cpu_seconds=2 * max(alone))
        report.figure("the program alone: CPU", [1000 * second for second in alone], "ms")
        report.note(f"its limit: {1000 * limits.cpu_seconds:.0f} ms of CPU")
        busy = [
            subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(NUM_BUSY)
        ]
        try:
            outcomes = [sandbox.run(wanted, limits) for _ in range(num_runs)]
        finally:
            for process in busy:
                process.kill()
                process.wait()
    num_late = sum(outcome.verdict is Verdict.TIMED_OUT for outcome in outcomes)
    longest = max(outcome.wall_seconds for outcome in outcomes)
    most = max(outcome.cpu_seconds for outcome in outcomes)
    report.figure(
        f"timed out beside {NUM_BUSY} busy processes, of {num_runs}", [num_late], "", at_most=0
    )
    report.figure("longest wall time", [1000 * longest], "ms")
    report.figure("most CPU time", [1000 * most], "ms")
    verdicts = {num: judged(num, 3 if arguments.quick else 20) for num in (1, 2, 16)}
    differing = sum(verdicts[num] != verdicts[1] for num in verdicts)
    report.figure("concurrencies with other verdicts", [differing], "", at_most=0)
    report.finish()


def calibrated(sandbox: Sandbox) -> int:
    """Rounds that take about ALONE_SECONDS of CPU here."""
    rounds = 100_000
    used = min(
        sandbox.run(program("python", BURN.format(rounds=rounds))).cpu_seconds for _ in range(5)
    )
    return int(rounds * ALONE_SECONDS / used)


def judged(concurrency: int, repeats: int) -> list[Verdict]:
    """Verdicts of the mixed programs with so many at once."""

    async def run() -> list[Verdict]:
        with Sandbox(SandboxSettings(workers=concurrency)) as sandbox:
            programs = [program("python", source) for source in MIXED * repeats]
            outcomes = sandbox.run_many(programs, MIXED_LIMITS, concurrency=2 * concurrency)
            return [outcome.verdict async for outcome in outcomes]

    began = time.monotonic()
    found = asyncio.run(run())
    sys.stdout.write(f"  concurrency {concurrency}: {time.monotonic() - began:.1f} s\n")
    return found


if __name__ == "__main__":
    main()
