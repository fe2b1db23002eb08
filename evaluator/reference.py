"""What a problem's reference returns on its inputs: run once in the sandbox, then kept by digest.

The digest covers the reference, the inputs and the interpreter, so an entry can be wrong only if the
reference is not deterministic; the cache may be deleted at any time.
"""

import hashlib
import json
import marshal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evaluator.errors import GraderUnavailable
from evaluator.grading.bench import Bench
from evaluator.problem import FunctionTask, Task
from evaluator.store import find, stored
from sandbox.outcome import Verdict
from sandbox.program import MIB, Limits, Program
from sandbox.worker.values import decode

_FORMAT = b"3"
_LIMITS = Limits(cpu_seconds=600, memory_bytes=4096 * MIB, output_bytes=512 * MIB)
_CALL_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Expected:
    """One entry a call. encoded: see sandbox.worker.values. seconds: CPU time of the reference."""

    encoded: tuple[bytes, ...]
    seconds: tuple[float, ...]

    def value(self, number: int) -> Any:
        """The value of a call."""
        return decode(self.encoded[number])


def expected_values(
    bench: Bench, reference: str, function: str, calls: Sequence[tuple[Any, ...]]
) -> Expected:
    """What the reference returns. Raises GraderUnavailable when it fails on one of its own inputs."""
    digest = _digest(bench, reference, function, calls)
    folder = bench.cache / "expected"
    return _read(stored(folder, digest, lambda: _packed(_run(bench, reference, function, calls))))


def known_seconds(task: Task, bench: Bench) -> float:
    """CPU time that a task's reference took, where that was seen before; else 0."""
    if not isinstance(task, FunctionTask):
        return 0.0
    seconds = 0.0
    for calls in filter(None, (task.base_inputs, task.plus_inputs)):
        digest = _digest(bench, task.reference, task.entry_point, calls)
        kept = find(bench.cache / "expected", digest)
        seconds += sum(_read(kept).seconds) if kept is not None else 0.0
    return seconds


def _digest(bench: Bench, reference: str, function: str, calls: Sequence[tuple[Any, ...]]) -> str:
    facts = (_FORMAT, bench.python_version, reference, function, list(calls))
    return hashlib.sha256(marshal.dumps(facts, 2)).hexdigest()


def _run(bench: Bench, reference: str, function: str, calls: Sequence[tuple[Any, ...]]) -> Expected:
    program = Program(language="python", files={"main.py": reference.encode()})
    outcome, results = bench.sandbox.call(
        program, function, calls, _LIMITS, in_turn_seconds=_CALL_SECONDS
    )
    if len(results) != len(calls) or any(one.verdict is not Verdict.OK for one in results):
        last = results[-1] if results else None
        said = f"{last.verdict.value}: {last.error}" if last else outcome.verdict.value
        raise GraderUnavailable(
            f"the reference of {function} failed on input {len(results) - 1} ({said}): nothing can"
            " be graded against it; run codeloop eval selftest"
        )
    return Expected(
        encoded=tuple(one.encoded for one in results),
        seconds=tuple(one.cpu_seconds for one in results),
    )


def _read(content: bytes) -> Expected:
    at = 4 + int.from_bytes(content[:4], "little")
    header = json.loads(content[4:at])
    encoded = []
    for size in header["sizes"]:
        encoded.append(content[at : at + size])
        at += size
    if at != len(content):
        raise ValueError(f"it has {len(content)} bytes instead of {at}")
    return Expected(encoded=tuple(encoded), seconds=tuple(header["seconds"]))


def _packed(found: Expected) -> bytes:
    header = json.dumps(
        {"sizes": [len(one) for one in found.encoded],
         "seconds": [round(one, 6) for one in found.seconds]}
    ).encode()  # fmt: skip
    return b"".join((len(header).to_bytes(4, "little"), header, *found.encoded))
