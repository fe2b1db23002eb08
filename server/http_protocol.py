"""uvicorn's HTTP protocol with a deadline and a size for headers.

uvicorn waits for ever for a client that sends its headers a byte at a time, and keeps all that a
client sends as headers; a few hundred such clients hold every descriptor, a fast one fills the
memory. Here the headers of each request have `header_seconds` and `MOST_HEADER_BYTES`.
"""

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEADER_BYTES = 64 * 2**10
"""What proxies allow at most; a read of the socket more may come before it is looked at."""


def refusal(status: bytes, message: bytes, code: bytes) -> bytes:
    """A whole answer to headers that never became a request, in OpenAI's shape."""
    body = (
        b'{"error":{"message":"%s","type":"invalid_request_error","param":null,"code":"%s"}}'
    ) % (message, code)
    head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\nconnection: close\r\n" % status
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


TOO_LATE = refusal(
    b"408 Request Timeout", b"The request headers did not arrive in time.", b"request_timeout"
)
TOO_LARGE = refusal(
    b"431 Request Header Fields Too Large",
    b"The request headers are larger than %d bytes." % MOST_HEADER_BYTES,
    b"headers_too_large",
)


class LimitedProtocol(HttpToolsProtocol):
    """A connection whose headers, of each request anew, have a deadline and a size."""

    header_seconds: ClassVar[float]
    _deadline: asyncio.TimerHandle | None = None
    _header_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._begin_headers()

    def data_received(self, data: bytes) -> None:
        # Without a deadline there was a first request; its body may still be on the way.
        if self._deadline is None and self.cycle.response_complete:
            self._begin_headers()
        super().data_received(data)
        if self._deadline is not None:
            self._header_bytes += len(data)
            if self._header_bytes > MOST_HEADER_BYTES:
                self._refuse(TOO_LARGE)

    def on_headers_complete(self) -> None:
        self._end_deadline()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_deadline()
        super().connection_lost(exc)

    def _begin_headers(self) -> None:
        self._header_bytes = 0
        self._deadline = self.loop.call_later(self.header_seconds, self._refuse, TOO_LATE)

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()


def protocol_with_header_deadline(seconds: float) -> type[HttpToolsProtocol]:
    """A protocol class for uvicorn.Config(http=...)."""

    class Protocol(LimitedProtocol):
        header_seconds = seconds

    return Protocol
