"""A model's endpoint on loopback that answers as a test says, and remembers what it was asked."""

import json
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What goes out. hangs: whether the connection is then held open without another byte. breaks:
    whether it is closed before the length that was told.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    hangs: bool = False
    breaks: bool = False


def plain(text: str, *, finish: str = "stop", **message: str) -> Reply:
    """A whole answer in one JSON body, in the shape of both routes."""
    choice = {"index": 0, "text": text, "finish_reason": finish}
    choice["message"] = {"role": "assistant", "content": text, **message}
    body = {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "tiny",
        "choices": [choice],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
        "system_fingerprint": "v12",
    }
    return Reply(headers={"content-type": "application/json"}, body=json.dumps(body).encode())


def stream(*texts: str, is_whole: bool = True, **delta: str) -> Reply:
    """An answer in events, chat's."""
    chunks: list[dict[str, Any]] = [
        {
            "system_fingerprint": "v12",
            "choices": [{"index": 0, "delta": {"content": text, **delta}}],
        }
        for text in texts
    ]
    if is_whole:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        chunks.append({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}})
    events = [b": keep-alive\n\n"] + [b"data: %s\n\n" % json.dumps(c).encode() for c in chunks]
    return Reply(
        headers={"content-type": "text/event-stream"},
        body=b"".join(events) + (b"data: [DONE]\n\n" if is_whole else b""),
    )


def error(status: int, message: str = "no", **headers: str) -> Reply:
    """An error in OpenAI's shape."""
    body = json.dumps({"error": {"message": message}}).encode()
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, headers=told, body=body)


def by_prompt(body: Mapping[str, Any]) -> Reply:
    """An answer that depends on the question and the seed only: "one" or "two", some of each."""
    asked = json.dumps([body.get("messages"), body.get("prompt"), body.get("seed")])
    return plain(("one", "two")[zlib.crc32(asked.encode()) % 2])


class Endpoint:
    """Serves for the body of a `with`. reply: from a request's number, from 0, and its body.

    card: of the one model that it lists; None lists no models at all.
    """

    Reply, plain, stream, error = (
        Reply,
        staticmethod(plain),
        staticmethod(stream),
        staticmethod(error),
    )
    by_prompt = staticmethod(by_prompt)

    def __init__(self) -> None:
        self.reply: Callable[[int, Mapping[str, Any]], Reply] = lambda _, body: by_prompt(body)
        self.card: Mapping[str, Any] | None = {"id": "tiny"}
        self._closing = threading.Event()
        self._listen(0)

    @property
    def url(self) -> str:
        """Its address, with /v1."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def forget(self) -> None:
        """Begin anew at the same address: what a client that has ended sent cannot arrive any more."""
        self._stop()
        self._listen(self._server.server_port)
        self._thread.start()

    def _listen(self, port: int) -> None:
        self.requests: list[Mapping[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.paths: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def _stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint, lock = self, threading.Lock()
        # Its own, so that a connection from before `forget` writes where nobody looks.
        requests, headers, paths = self.requests, self.headers, self.paths

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if endpoint.card is None:
                    self._send(error(404))
                else:
                    body = json.dumps({"data": [endpoint.card]}).encode()
                    self._send(Reply(body=body))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with lock:
                    number = len(requests)
                    requests.append(body)
                    headers.append({k.lower(): v for k, v in self.headers.items()})
                    paths.append(self.path)
                self._send(endpoint.reply(number, body))

            def _send(self, reply: Reply) -> None:
                length = len(reply.body) + (1000 if reply.breaks else 0)
                try:
                    self.send_response(reply.status)
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    if not reply.hangs:
                        self.send_header("content-length", str(length))
                    self.end_headers()
                    self.wfile.write(reply.body)
                    self.wfile.flush()
                except OSError:
                    return
                if reply.hangs:
                    endpoint._closing.wait()

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._stop()
