"""One node as its client sees it: its address, its kept connections, and how it did lately."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from sandbox.errors import IsolationUnavailable

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 30.0
"""A connection that rested longer is not used again: the node or a balancer may have closed it."""

FIRST_BACK_OFF_SECONDS = 1.0
LONGEST_BACK_OFF_SECONDS = 30.0
_STALE = (
    http.client.RemoteDisconnected,
    http.client.CannotSendRequest,
    BrokenPipeError,
    ConnectionResetError,
)


@dataclass(frozen=True, kw_only=True)
class NodeAnswer:
    """A whole HTTP answer. retry_after_seconds: what the node asked for, else 1."""

    status: int
    content: bytes
    retry_after_seconds: float


class RemoteNode:
    """A node and its connections. Safe for many threads; its plain fields belong to who chooses."""

    def __init__(self, url: str) -> None:
        """Raises IsolationUnavailable for an address that is none."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise IsolationUnavailable(
                f"sandbox.nodes has {url!r}: a node's address is such as http://10.0.0.7:8070"
            )
        self.url = url.rstrip("/")
        self.num_running = 0
        self.num_failures = 0
        """Since it last answered."""
        self.aside_until = 0.0
        """Others are preferred until then (monotonic)."""
        self.busy_until = 0.0
        """Its line was full, and it asked to be left alone until then (monotonic)."""
        self._path = parts.path.rstrip("/")
        self._make: Callable[[], http.client.HTTPConnection]
        port, host = parts.port, parts.hostname
        if parts.scheme == "https":
            context = ssl.create_default_context()
            self._make = lambda: http.client.HTTPSConnection(
                host, port, timeout=CONNECT_SECONDS, context=context
            )
        else:
            self._make = lambda: http.client.HTTPConnection(host, port, timeout=CONNECT_SECONDS)
        self._lock = threading.Lock()
        self._idle: list[tuple[float, http.client.HTTPConnection]] = []

    def post(
        self,
        route: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        seconds: float,
        hold: Callable[[socket.socket | None], None],
    ) -> NodeAnswer:
        """Send a request and read its answer. Raises OSError or HTTPException.

        seconds: longest wait for the answer. hold: called with the socket before the request is
        sent, with None when it has ended; who shuts it down between ends the request. A kept connection that turns out to be closed is
        replaced once.
        """
        kept = self._take()
        if kept is not None:
            try:
                return self._exchange(kept, route, body, headers, seconds, hold)
            except _STALE:
                pass
        connection = self._make()
        return self._exchange(connection, route, body, headers, seconds, hold)

    def close(self) -> None:
        """Close the connections that rest."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def has_answered(self) -> None:
        """It is well: nothing counts against it any more."""
        self.num_failures = 0
        self.aside_until = self.busy_until = 0.0

    def has_failed(self) -> None:
        """Set it aside, twice as long each time."""
        seconds = FIRST_BACK_OFF_SECONDS * 2 ** min(self.num_failures, 10)
        self.num_failures += 1
        self.aside_until = time.monotonic() + min(seconds, LONGEST_BACK_OFF_SECONDS)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        route: str,
        body: bytes,
        headers: Mapping[str, str],
        seconds: float,
        hold: Callable[[socket.socket | None], None],
    ) -> NodeAnswer:
        try:
            connected: socket.socket | None = connection.sock
            if connected is None:
                connection.connect()
                connected = connection.sock
                assert connected is not None
                _watch(connected)
            connected.settimeout(seconds)
            hold(connected)
            connection.request("POST", self._path + route, body, dict(headers))
            response = connection.getresponse()
            content = response.read()
        except BaseException:
            hold(None)
            connection.close()
            raise
        hold(None)
        if response.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.append((time.monotonic(), connection))
        return NodeAnswer(
            status=response.status,
            content=content,
            retry_after_seconds=_seconds(response.getheader("retry-after", "")),
        )

    def _take(self) -> http.client.HTTPConnection | None:
        """A kept connection, the one used last; those that rested too long are closed."""
        now = time.monotonic()
        with self._lock:
            old = [c for since, c in self._idle if now - since > IDLE_SECONDS]
            self._idle = [kept for kept in self._idle if now - kept[0] <= IDLE_SECONDS]
            taken = self._idle.pop()[1] if self._idle else None
        for connection in old:
            connection.close()
        return taken


def _watch(connected: socket.socket) -> None:
    """Have the kernel notice within 30 s that the other machine is gone: answers may take longer."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def _seconds(header: str) -> float:
    """Retry-After in seconds; its other form, a date, is not what nodes send."""
    return float(header) if header.isdecimal() else 1.0
