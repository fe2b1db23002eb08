"""uvicorn's HTTP protocol with a deadline for headers.

uvicorn waits for ever for a client that sends its headers a byte at a time; a few hundred such
clients hold every descriptor. Here the headers of each request have `header_seconds`.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_TIMEOUT = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\nconnection: close\r\n"
)
TIMEOUT_BODY = (
    b'{"error":{"message":"The request headers did not arrive in time.",'
    b'"type":"invalid_request_error","param":null,"code":"request_timeout"}}'
)


def protocol_with_header_deadline(header_seconds: float) -> type[HttpToolsProtocol]:
    """A protocol class for uvicorn.Config(http=...)."""

    class Protocol(HttpToolsProtocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._begin_deadline()

        def data_received(self, data: bytes) -> None:
            # Without a deadline there was a first request; its body may still be on the way.
            if self._deadline is None and self.cycle.response_complete:
                self._begin_deadline()
            super().data_received(data)

        def on_headers_complete(self) -> None:
            self._end_deadline()
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._end_deadline()
            super().connection_lost(exc)

        def _begin_deadline(self) -> None:
            self._deadline = self.loop.call_later(header_seconds, self._refuse)

        def _end_deadline(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _refuse(self) -> None:
            if not self.transport.is_closing():
                length = b"content-length: %d\r\n\r\n" % len(TIMEOUT_BODY)
                self.transport.write(REQUEST_TIMEOUT + length + TIMEOUT_BODY)
                self.transport.close()

    return Protocol
