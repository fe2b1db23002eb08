"""SandboxFusion's `/run_code`: its request and its response, so that its clients can be pointed here.

Shapes after github.com/bytedance/SandboxFusion (sandbox/server/sandbox_api.py), statuses as verl's
client reads them: `Failed` with a compile result that did not finish with 0 is a compile error, with
a run result of TimeLimitExceeded a time-out, with any other one a runtime error.
"""

import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from sandbox.errors import InvalidProgram
from sandbox.outcome import Outcome, Verdict
from sandbox.program import MIB, Limits, Program
from sandbox.toolchain import program as program_of
from sandbox.toolchain import toolchain
from sandbox.wire import unpacked


class RunCodeBody(BaseModel):
    """The request. Fields of other versions are passed over, as SandboxFusion does."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str
    language: str
    compile_timeout: float = 10
    """Seconds; taken and not used: a compiler has limits of its own here."""
    run_timeout: float = 10
    """Seconds of wall time, and of processor time."""
    memory_limit_MB: int = -1
    stdin: str | None = None
    files: dict[str, str | None] = {}
    """Relative path → base64."""
    fetch_files: tuple[str, ...] = ()
    args: tuple[str, ...] = ()

    def program(self) -> Program:
        """Raises InvalidProgram, UnknownLanguage."""
        if self.fetch_files:
            raise InvalidProgram(
                f"fetch_files names {self.fetch_files[0][:80]!r}: files are not fetched here; print"
                " what you need to stdout"
            )
        stdin = (self.stdin or "").encode()
        alone = program_of(self.language, self.code, arguments=self.args, stdin=stdin)
        files = dict(alone.files)
        for name, content in self.files.items():
            if name in files:
                raise InvalidProgram(f"files has {name!r}: that is the name of the code; rename it")
            if content is not None:
                files[name] = unpacked(f"files[{name[:80]!r}]", content)
        return replace(alone, files=files)

    def limits(self) -> Limits:
        """Raises InvalidProgram in the words of the request."""
        if not 0.01 <= self.run_timeout <= 86400:
            raise InvalidProgram(
                f"run_timeout is {self.run_timeout}: it lies between 0.01 and 86400 seconds"
            )
        # SandboxFusion counts by the wall clock, and its clients wait no longer.
        limits: dict[str, Any] = {
            "cpu_seconds": self.run_timeout,
            "wall_seconds": self.run_timeout,
        }
        if self.memory_limit_MB > 0:
            limits["memory_bytes"] = max(16, self.memory_limit_MB) * MIB
        return Limits(**limits)


def run_code_answer(program: Program, outcome: Outcome) -> Mapping[str, Any]:
    """The response to a program that has an outcome."""
    is_compiled = bool(toolchain(program.language).compile)
    compile_result: Mapping[str, Any] | None = None
    run_result: Mapping[str, Any] | None = None
    if outcome.verdict is Verdict.COMPILE_ERROR:
        compile_result = _result("Finished", outcome)
    else:
        is_late = outcome.verdict is Verdict.TIMED_OUT
        run_result = _result("TimeLimitExceeded" if is_late else "Finished", outcome)
        if is_compiled:
            compile_result = {
                "status": "Finished", "execution_time": 0.0, "return_code": 0,
                "stdout": "", "stderr": "",
            }  # fmt: skip
    return _answer(
        "Success" if outcome.ok else "Failed",
        message="" if outcome.ok else outcome.verdict.value,
        compile_result=compile_result,
        run_result=run_result,
    )


def run_code_fault(message: str) -> Mapping[str, Any]:
    """The response to a program that has none, by our fault or for its request."""
    return _answer("SandboxError", message=message)


def _answer(
    status: Literal["Success", "Failed", "SandboxError"],
    *,
    message: str,
    compile_result: Mapping[str, Any] | None = None,
    run_result: Mapping[str, Any] | None = None,
) -> Mapping[str, Any]:
    return {
        "status": status,
        "message": message,
        "compile_result": compile_result,
        "run_result": run_result,
        "executor_pod_name": socket.gethostname(),
        "files": {},
    }


def _result(
    status: Literal["Finished", "TimeLimitExceeded"], outcome: Outcome
) -> Mapping[str, Any]:
    return {
        "status": status,
        "execution_time": outcome.wall_seconds,
        "return_code": None if status == "TimeLimitExceeded" else _return_code(outcome),
        "stdout": outcome.stdout.decode("utf-8", "replace"),
        "stderr": outcome.stderr.decode("utf-8", "replace"),
    }


def _return_code(outcome: Outcome) -> int:
    """As `subprocess` gives it; a program that was stopped never has 0, which would read as success."""
    code = -(outcome.signal or 0) if outcome.exit_code is None else outcome.exit_code
    return code if outcome.ok else code or 1
