"""Programs, limits and outcomes as JSON, the same for a node and for its clients.

Bytes are text where they are UTF-8, and base64 where they are not: a file is "text" or
{"base64": "…"}; stdin is `stdin` or `stdin_base64`; an outcome always has `stdout` and `stderr` to
read, and `stdout_base64`, `stderr_base64` beside them when the text does not say all.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sandbox.errors import InvalidProgram
from sandbox.outcome import Outcome, Verdict
from sandbox.program import Limits, Program
from sandbox.toolchain import program as program_of
from sandbox.toolchain import toolchain

MAX_BATCH = 1000
"""Most programs of one batch: an answer is held in memory until it is whole."""

MOST_REPORTED = 3
"""Faults of one body that the message names; the rest would only bury them."""

Body = TypeVar("Body", bound=BaseModel)


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Base64Body(_Wire):
    """A file that is no UTF-8."""

    base64: str


class ProgramBody(_Wire):
    """A program: its one file as `source`, or its files by name, of which the first is run."""

    language: str
    source: str | None = None
    files: dict[str, str | Base64Body] | None = None
    arguments: tuple[str, ...] = ()
    stdin: str | None = None
    stdin_base64: str | None = None

    def program(self, where: str = "program") -> Program:
        """Raises InvalidProgram, UnknownLanguage. where: how a message calls this body."""
        stdin = self._stdin(where)
        if (self.source is None) == (self.files is None):
            found = "neither" if self.source is None else "both"
            raise InvalidProgram(
                f"{where} has {found} of source and files: send source for a program of one file,"
                " files for others"
            )
        if self.files is None:
            assert self.source is not None
            return program_of(self.language, self.source, arguments=self.arguments, stdin=stdin)
        files = {
            name: content.encode()
            if isinstance(content, str)
            else unpacked(f"{where}.files[{name[:80]!r}].base64", content.base64)
            for name, content in self.files.items()
        }
        language = toolchain(self.language).name
        return Program(language=language, files=files, arguments=self.arguments, stdin=stdin)

    def _stdin(self, where: str) -> bytes:
        if self.stdin_base64 is None:
            return (self.stdin or "").encode()
        if self.stdin is not None:
            raise InvalidProgram(f"{where} has both stdin and stdin_base64: send one of them")
        return unpacked(f"{where}.stdin_base64", self.stdin_base64)


class RunBody(ProgramBody):
    """POST /run. limits: names and values of sandbox.program.Limits; what is left out has its default."""

    limits: dict[str, Any] = {}


class BatchBody(_Wire):
    """POST /run_batch."""

    programs: tuple[ProgramBody, ...] = Field(min_length=1, max_length=MAX_BATCH)
    limits: dict[str, Any] = {}
    stop_at_first_failure: bool = False


class OutcomeBody(BaseModel):
    """An outcome as it is answered. Fields that a newer node adds are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    verdict: Verdict
    exit_code: int | None = None
    signal: int | None = None
    stdout: str = ""
    stdout_base64: str | None = None
    stderr: str = ""
    stderr_base64: str | None = None
    stdout_truncated: bool = False
    stderr_truncated: bool = False
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    wait_seconds: float = 0.0
    peak_memory_bytes: int = 0
    num_left_processes: int = 0
    isolation: str = ""


def parsed(body: type[Body], content: bytes) -> Body:
    """A body checked against its model. Raises InvalidProgram naming each field, value and rule."""
    try:
        return body.model_validate_json(content, strict=True)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)[:MOST_REPORTED]
        raise InvalidProgram("; ".join(_sentence(fault) for fault in faults)) from None


def unpacked(where: str, text: str) -> bytes:
    """The bytes of a base64 field. Raises InvalidProgram."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidProgram(
            f"{where} is {text[:40]!r}: it is no base64; encode it again"
        ) from None


def run_body(program: Program, limits: Limits) -> Mapping[str, Any]:
    """The body of POST /run."""
    body: dict[str, Any] = {
        "language": program.language,
        "files": {name: _file_body(content) for name, content in program.files.items()},
        "arguments": list(program.arguments),
        "limits": asdict(limits),
    }
    text = _text(program.stdin)
    if text is None:
        body["stdin_base64"] = base64.b64encode(program.stdin).decode()
    else:
        body["stdin"] = text
    return body


def outcome_body(outcome: Outcome) -> Mapping[str, Any]:
    """An outcome for an answer, its group beside the verdict."""
    body: dict[str, Any] = {"verdict": outcome.verdict.value, "group": outcome.verdict.group.value}
    for name, value in vars(outcome).items():
        if not isinstance(value, bytes):
            body.setdefault(name, value)
            continue
        text = _text(value)
        body[name] = value.decode("utf-8", "replace") if text is None else text
        if text is None:
            body[f"{name}_base64"] = base64.b64encode(value).decode()
    return body


def parsed_outcome(content: bytes) -> Outcome:
    """The outcome of a node's answer. Raises InvalidProgram for what is none."""
    body = parsed(OutcomeBody, content)
    values = body.model_dump(exclude={"stdout", "stderr", "stdout_base64", "stderr_base64"})
    return Outcome(
        stdout=_output("stdout", body.stdout, body.stdout_base64),
        stderr=_output("stderr", body.stderr, body.stderr_base64),
        **values,
    )


def _output(where: str, text: str, packed: str | None) -> bytes:
    return text.encode() if packed is None else unpacked(f"{where}_base64", packed)


def _file_body(content: bytes) -> object:
    text = _text(content)
    return {"base64": base64.b64encode(content).decode()} if text is None else text


def _text(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _sentence(fault: Any) -> str:
    where = _field(fault["loc"]) or "the body"
    rule = fault["msg"][:1].lower() + fault["msg"][1:]
    value = fault["input"]
    if fault["type"] == "missing":
        return f"{where} is missing: it must be given"
    if fault["type"] == "extra_forbidden":
        return f"{where} is no field: leave it out, or see the route's fields in /openapi.json"
    if isinstance(value, str):
        value = value[:60]
    elif not isinstance(value, int | float | None):
        return f"{where}: {rule}"
    return f"{where} is {value!r}: {rule}"


def _field(location: Sequence[int | str]) -> str:
    """`programs[3].stdin`; the names that a union adds for its branches are left out."""
    parts = [part for part in location if part not in ("str", Base64Body.__name__)]
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part[:80]}" for part in parts)
    return text.lstrip(".")
