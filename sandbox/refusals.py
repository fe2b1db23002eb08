"""Answers of a node that are no outcome: their status, their code, and when to try again.

A refusal never says anything about a program: 4xx is the caller's to change, 429, 501 and 503 are
for another time or another node.
"""

from collections.abc import Mapping
from typing import Any

from sandbox.errors import (
    InvalidProgram,
    SandboxBusy,
    SandboxError,
    ToolchainMissing,
    UnknownLanguage,
)

RETRY_SECONDS = 1.0
"""After a fault of ours: a broken worker is replaced within that."""

KINDS: tuple[tuple[type[SandboxError], int, str], ...] = (
    (InvalidProgram, 400, "invalid_program"),
    (UnknownLanguage, 400, "unknown_language"),
    (SandboxBusy, 429, "busy"),
    (ToolchainMissing, 501, "toolchain_missing"),
    (SandboxError, 503, "unavailable"),
)


class Refusal(Exception):
    """An HTTP answer in the shape {"error": {"code", "message"}}.

    retry_after_seconds: sent as `Retry-After`, rounded up.
    """

    def __init__(
        self, status: int, code: str, message: str, *, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_seconds = retry_after_seconds

    @property
    def body(self) -> Mapping[str, Any]:
        """The answer's JSON."""
        return {"error": {"code": self.code, "message": self.message}}

    @property
    def headers(self) -> Mapping[str, str]:
        """What goes with the status."""
        headers = {}
        if self.retry_after_seconds is not None:
            headers["retry-after"] = str(max(1, int(self.retry_after_seconds + 0.999)))
        if self.status == 401:
            headers["www-authenticate"] = "Bearer"
        if self.status in (408, 413):
            headers["connection"] = "close"  # the rest of the body is still on its way
        return headers


class HungUp(Refusal):
    """The client went away; nobody reads this, but it is counted."""

    def __init__(self) -> None:
        super().__init__(499, "hung_up", "The client hung up.")


def refusal_of(error: SandboxError) -> Refusal:
    """How a node answers an error of the sandbox."""
    status, code = next((s, code) for kind, s, code in KINDS if isinstance(error, kind))
    retry = RETRY_SECONDS if status == 503 else None
    if isinstance(error, SandboxBusy):
        retry = error.retry_after_seconds
    return Refusal(status, code, str(error), retry_after_seconds=retry)
