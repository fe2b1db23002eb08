"""The isolation `http`: programs are run by other machines' nodes.

It takes programs, not jobs: a node has toolchains of its own. A program goes to the node that has
the fewest of ours; one that fails is set aside and the program is sent to another, so that no
program is lost with its node. Running a program twice is harmless, and only one outcome comes back.
"""

import http.client
import json
import logging
import random
import socket
import threading
import time
from typing import Any, Protocol

import orjson

from sandbox.errors import (
    InvalidProgram,
    IsolationUnavailable,
    RunCancelled,
    SandboxBusy,
    SandboxError,
    SandboxUnavailable,
    ToolchainMissing,
    UnknownLanguage,
)
from sandbox.isolation.remote_node import CONNECT_SECONDS, NodeAnswer, RemoteNode
from sandbox.outcome import Outcome
from sandbox.program import Limits, Program
from sandbox.settings import SandboxSettings
from sandbox.wire import parsed_outcome, run_body

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 60.0
"""How long a program is offered to nodes whose lines are full."""

LINE_SECONDS = 900.0
"""Longest a program may stand in a node's line or be compiled there, beside its own wall time."""

_DEFAULTS = Limits()
_CALLERS: dict[str, type[SandboxError]] = {
    "invalid_program": InvalidProgram,
    "unknown_language": UnknownLanguage,
    "body_too_large": InvalidProgram,
}
"""Codes that are the caller's fault: no other node would say otherwise."""


class Holder(Protocol):
    """Who may take a run back: sandbox.pool.Ticket."""

    def hold(self, worker: Any | None) -> None:
        """The run can be ended by this one's `cancel`; None when it has ended."""


class HttpIsolation:
    """Nodes of one kind behind one `run`. Safe for many threads."""

    name = "http"

    def __init__(
        self, settings: SandboxSettings, *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Raises IsolationUnavailable when the settings name no node; nothing is sent yet."""
        if not settings.nodes:
            raise IsolationUnavailable(
                "sandbox.isolation is 'http' and sandbox.nodes is empty: name at least one node,"
                " such as http://10.0.0.7:8070; `codeloop sandbox serve` starts one"
            )
        self._nodes = [RemoteNode(url) for url in dict.fromkeys(settings.nodes)]
        self.description = f"http({', '.join(node.url for node in self._nodes)})"
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if settings.node_key:
            self._headers["Authorization"] = f"Bearer {settings.node_key}"
        self._patience_seconds = patience_seconds
        self._lock = threading.Lock()
        """Protects the plain fields of the nodes."""

    def run(
        self, program: Program, limits: Limits = _DEFAULTS, ticket: Holder | None = None
    ) -> Outcome:
        """Have a program run somewhere; blocks.

        Raises InvalidProgram, UnknownLanguage, ToolchainMissing when no node has it;
        SandboxUnavailable when every node failed, SandboxBusy when their lines stayed full,
        RunCancelled when the ticket's owner took the run back.
        """
        call = _Call()
        if ticket is not None:
            ticket.hold(call)
        try:
            return self._run(call, orjson.dumps(run_body(program, limits)), limits)
        finally:
            if ticket is not None:
                ticket.hold(None)

    def close(self) -> None:
        """Close every connection that rests."""
        for node in self._nodes:
            node.close()

    def _run(self, call: "_Call", body: bytes, limits: Limits) -> Outcome:
        deadline = time.monotonic() + self._patience_seconds
        tried: dict[RemoteNode, SandboxError] = {}
        while len(tried) < len(self._nodes):
            node, wait_seconds = self._choose(tried)
            if node is None:
                if time.monotonic() + wait_seconds > deadline:
                    raise SandboxBusy(
                        f"the lines of all nodes were full for {self._patience_seconds:g} s"
                        f" ({self.description}): start more nodes, or send fewer programs at once",
                        retry_after_seconds=wait_seconds,
                    )
                # Not all at the same moment: they were refused together.
                call.sleep(wait_seconds * random.uniform(1.0, 1.25))
                continue
            try:
                outcome = self._ask(node, call, body, limits)
            except (SandboxUnavailable, ToolchainMissing) as error:
                tried[node] = error
                continue
            finally:
                with self._lock:
                    node.num_running -= 1
            if outcome is not None:
                return outcome
        lacking = [error for error in tried.values() if isinstance(error, ToolchainMissing)]
        if len(lacking) == len(tried):
            raise lacking[0]
        reasons = "; ".join(f"{node.url}: {error}" for node, error in tried.items())
        raise SandboxUnavailable(f"no node ran the program: {reasons}")

    def _choose(self, tried: dict[RemoteNode, SandboxError]) -> tuple[RemoteNode | None, float]:
        """The node with the fewest of our programs, one set aside only if there is no other.

        None, and the seconds until one may be asked, when the lines of all are full.
        """
        now = time.monotonic()
        with self._lock:
            left = [node for node in self._nodes if node not in tried]
            free = [node for node in left if node.busy_until <= now]
            if not free:
                return None, max(0.05, min(node.busy_until for node in left) - now)
            random.shuffle(free)
            node = min(free, key=lambda n: (n.aside_until > now, n.num_running))
            node.num_running += 1
            if node.num_failures and node.aside_until <= now:
                # One program finds out whether it is back; the others need not wait for that.
                node.aside_until = now + CONNECT_SECONDS
            return node, 0.0

    def _ask(self, node: RemoteNode, call: "_Call", body: bytes, limits: Limits) -> Outcome | None:
        """The outcome; None when the node's line is full.

        Raises SandboxUnavailable when the node failed, ToolchainMissing when it lacks the language.
        """
        seconds = LINE_SECONDS + 2 * limits.wall_cap_seconds
        try:
            answer = node.post("/run", body, self._headers, seconds=seconds, hold=call.hold)
        except (OSError, http.client.HTTPException) as error:
            if call.is_cancelled:
                raise RunCancelled("the run was cancelled while a node had it") from None
            raise self._failure(node, f"{type(error).__name__}: {error}") from error
        if answer.status == 200:
            try:
                outcome = parsed_outcome(answer.content)
            except InvalidProgram as error:
                raise self._failure(node, f"an answer that is no outcome: {error}") from error
            with self._lock:
                node.has_answered()
            return outcome
        self._refused(node, answer)
        return None

    def _refused(self, node: RemoteNode, answer: NodeAnswer) -> None:
        """Note a full line; raise what any other refusal means."""
        code, message = _fault(answer.content)
        if answer.status == 429:
            wait_seconds = min(answer.retry_after_seconds, PATIENCE_SECONDS)
            with self._lock:
                node.has_answered()
                node.busy_until = time.monotonic() + wait_seconds
            return
        if answer.status == 501 and code == "toolchain_missing":
            raise ToolchainMissing(message)
        if answer.status < 500 and code in _CALLERS:
            raise _CALLERS[code](message)
        if answer.status == 401:
            message = "it refused the key: set sandbox.node_key to one of its sandbox.node.keys"
        raise self._failure(node, f"HTTP {answer.status} {message}".strip())

    def _failure(self, node: RemoteNode, reason: str) -> SandboxUnavailable:
        with self._lock:
            node.has_failed()
        log.warning("a node failed and is set aside: url=%s reason=%s", node.url, reason)
        return SandboxUnavailable(reason)


class _Call:
    """One run that waits for a node, and the way to end that wait from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._socket: socket.socket | None = None

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    def hold(self, connected: socket.socket | None) -> None:
        """The request goes over this socket; None when it has ended. Raises RunCancelled."""
        with self._lock:
            if connected is not None and self.is_cancelled:
                raise RunCancelled("the run was cancelled before a node had it")
            self._socket = connected

    def sleep(self, seconds: float) -> None:
        if self._cancelled.wait(seconds):
            raise RunCancelled("the run was cancelled while it waited for a node")

    def cancel(self) -> None:
        """Hang up: the node ends the program."""
        with self._lock:
            self._cancelled.set()
            if self._socket is not None:
                try:
                    self._socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    return  # it has ended by itself


def _fault(content: bytes) -> tuple[str, str]:
    """Code and message of a refusal; of what is none, its beginning."""
    try:
        error = json.loads(content)["error"]
        return str(error["code"]), str(error["message"])
    except (ValueError, KeyError, TypeError):
        return "", repr(content[:100])
