"""What every request passes before a route sees it: its key, the size of its body, and the counters.

Pure ASGI: nothing is buffered, and a hang-up reaches the route.
"""

import base64
import binascii
import hmac
import ipaddress
import json
import time
from collections.abc import Collection, Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.errors import SandboxError
from sandbox.node_metrics import NodeMetrics
from sandbox.refusals import Refusal
from sandbox.settings import NodeSettings

OPEN_ROUTES = ("/health", "/ready", "/metrics")
"""For whoever watches the node: they say nothing about programs and need no key."""


def refuse_open_door(settings: NodeSettings) -> None:
    """Raise SandboxError when others than this machine could run programs without a key."""
    if not settings.keys and not _is_loopback(settings.host):
        raise SandboxError(
            f"sandbox.node.host is {settings.host!r} and sandbox.node.keys is empty: who reaches"
            " the node could run programs on it; give it keys, or listen on 127.0.0.1"
        )
    if weak := [key for key in settings.keys if not key.strip()]:
        raise SandboxError(
            f"sandbox.node.keys has {weak[0]!r}: a key is not empty; `openssl rand -hex 24` makes one"
        )


class Gate:
    """Lets requests with a key and a body of fair size through, and counts every answer."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: NodeSettings,
        metrics: NodeMetrics,
        routes: Collection[str],
    ) -> None:
        self._app = app
        self._keys = tuple(key.encode() for key in settings.keys)
        self._body_bytes = settings.body_bytes
        self._metrics = metrics
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = scope["path"] if scope["path"] in self._routes else "other"
        status = 499
        began = time.monotonic()

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            headers = Headers(scope=scope)
            try:
                if scope["path"] not in OPEN_ROUTES:
                    self._check_key(headers.get("authorization", ""))
                self._check_length(headers.get("content-length", ""))
            except Refusal as refusal:
                await _answer(counted, refusal)
                return
            await self._app(scope, self._limited(receive), counted)
        finally:
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.request_seconds.labels(route).observe(time.monotonic() - began)

    def _check_key(self, header: str) -> None:
        if not self._keys:
            return
        sent = _secret(header)
        if not any(hmac.compare_digest(sent, key) for key in self._keys):
            raise Refusal(
                401,
                "wrong_key" if sent else "no_key",
                "The node needs one of its keys: send the header `Authorization: Bearer KEY`.",
            )

    def _check_length(self, length: str) -> None:
        if length.isdecimal() and int(length) > self._body_bytes:
            raise self._too_large()

    def _limited(self, receive: Receive) -> Receive:
        size = 0

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._body_bytes:
                raise self._too_large()
            return message

        return limited

    def _too_large(self) -> Refusal:
        return Refusal(
            413,
            "body_too_large",
            f"The request body is larger than {self._body_bytes} bytes: send less, or let the"
            " operator raise sandbox.node.body_bytes.",
        )


def _secret(header: str) -> bytes:
    """The key of a Bearer header, or the password of a Basic one.

    Clients that know no keys, verl's among them, send http://any:KEY@node as the latter.
    """
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() == "bearer":
        return token.encode()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(token, validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return b""
    return b""


async def _answer(send: Send, refusal: Refusal) -> None:
    body = json.dumps(refusal.body).encode()
    headers: Sequence[tuple[str, str]] = (
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        *refusal.headers.items(),
    )
    encoded = [(name.encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": refusal.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
