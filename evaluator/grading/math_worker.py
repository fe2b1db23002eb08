"""A process that compares mathematical answers, one JSON line in, one out; run by `math_pool`.

Comparing may take for ever or all memory, and a signal does not get through to a big power: so a
process does it, whose CPU time and memory the kernel limits. Only this file imports math_verify.
"""

import json
import logging
import os
import resource
import sys
from collections.abc import Callable

from math_verify import parse, verify  # type: ignore[import-untyped]

from evaluator.grading import rllm_maths
from evaluator.grading.boxed import last_boxed

MEMORY_BYTES = 2 << 30


def math_verify_whole(answer: str, truth: str) -> bool:
    """math-verify's verdict on a whole answer, wherever in it an expression is found."""
    # Its own time-outs are wall time, and give another verdict on a busy machine: the kernel's hold.
    gold = parse(f"\\boxed{{{truth}}}", parsing_timeout=None)
    given = parse(answer, parsing_timeout=None)
    return bool(verify(gold, given, timeout_seconds=None))


def math_verify_last_box(answer: str, truth: str) -> bool:
    """math-verify's verdict on what the last \\boxed holds, and nothing else."""
    box = last_boxed(answer)
    return box is not None and math_verify_whole(f"\\boxed{{{box}}}", truth)


COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "rllm_deepcoder": rllm_maths.is_right,
    "math_verify": math_verify_whole,
    "last_box": math_verify_last_box,
}


def serve(cpu_seconds: int) -> None:
    """Answer requests on stdin until it ends. Each may take so many CPU-seconds, then we are killed."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no reply
    logging.disable()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    for line in sys.stdin:
        request = json.loads(line)
        used = resource.getrusage(resource.RUSAGE_SELF)
        soft = int(used.ru_utime + used.ru_stime) + cpu_seconds + 1
        resource.setrlimit(resource.RLIMIT_CPU, (soft, most))
        try:
            compare = COMPARISONS[request["rule"]]
            reply: dict[str, bool | str] = {
                "is_equal": compare(request["answer"], request["truth"])
            }
        except MemoryError:
            reply = {"is_equal": False, "reason": "comparing takes too much memory"}
        except RecursionError:
            reply = {"is_equal": False, "reason": "the answer is nested too deep"}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
