"""`codeloop chat` against a small real server on loopback."""

import http.server
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.deploy.conftest import COMMAND, Codeloop


def event(delta: Mapping[str, str] | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": more.pop("finish_reason", None)}
    return b"data: " + json.dumps({"choices": [choice], **more}).encode() + b"\n\n"


USAGE = b'data: {"choices": [], "usage": {"completion_tokens": 7}}\n\n'
DONE = b"data: [DONE]\n\n"
HELLO = [event({"content": "Hel"}), event({"content": "lo"}), event(finish_reason="stop")]


@dataclass
class Upstream:
    """What the server will answer, and what it was sent."""

    url: str = ""
    status: int = 200
    refusal: Mapping[str, Any] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=lambda: [*HELLO, USAGE, DONE])
    is_holding: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    answers = Upstream()
    release = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(json.dumps({"data": [{"id": "small"}, {"id": "large"}]}).encode())

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            answers.asked.append(json.loads(self.rfile.read(length)))
            answers.keys.append(self.headers["Authorization"])
            if answers.status != 200:
                self._reply(json.dumps(answers.refusal).encode(), answers.status)
                return
            self.send_response(200)
            self.end_headers()
            for chunk in answers.chunks:
                self.wfile.write(chunk)
                self.wfile.flush()
            if answers.is_holding:
                release.wait(30)

        def _reply(self, body: bytes, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Retry-After", "3")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        answers.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield answers
        release.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def once(codeloop: Codeloop, upstream: Upstream) -> Callable[..., Any]:
    def ask(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return codeloop("chat", "--url", upstream.url, *arguments, **environment)

    return ask


def test_once_prints_the_answer_and_nothing_else(once: Codeloop, upstream: Upstream) -> None:
    upstream.chunks.insert(0, event({"reasoning": "hmm", "reasoning_content": "hmm"}))
    result = once("--once", "hi")
    assert (result.returncode, result.stdout, result.stderr) == (0, "Hello\n", "")


def test_request_carries_what_was_asked_for(once: Codeloop, upstream: Upstream) -> None:
    once("--once", "hi", "--system", "be brief", "--temperature", "0.5", "--max-tokens", "9",
         CODELOOP_KEY="sk-1")  # fmt: skip
    (body,) = upstream.asked
    assert body["model"] == "small"
    assert body["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hi"},
    ]
    assert (body["temperature"], body["max_tokens"], body["stream"]) == (0.5, 9, True)
    assert upstream.keys == ["Bearer sk-1"]


def test_what_is_not_asked_for_is_left_to_the_server(once: Codeloop, upstream: Upstream) -> None:
    once("--once", "hi", "--model", "large")
    (body,) = upstream.asked
    assert body["model"] == "large"
    assert body.keys().isdisjoint({"temperature", "max_tokens"})


def test_piped_input_follows_the_question(once: Codeloop, upstream: Upstream) -> None:
    once("--once", "review", stdin="the diff\n")
    assert upstream.asked[0]["messages"][0]["content"] == "review\n\nthe diff"


def test_terminal_escapes_of_a_model_are_not_obeyed(once: Codeloop, upstream: Upstream) -> None:
    upstream.chunks[0] = event({"content": "a\x1b[2Jb\x07[bold]c"})
    assert once("--once", "hi").stdout == "a[2Jb[bold]clo\n"


def test_wrong_key_says_how_to_get_one(once: Codeloop, upstream: Upstream) -> None:
    upstream.status = 401
    upstream.refusal = {"error": {"message": "no such key"}}
    result = once("--once", "hi")
    assert result.returncode == 1
    assert "answered 401: no such key; give a key with --key" in result.stderr


def test_busy_server_says_when_to_try_again(once: Codeloop, upstream: Upstream) -> None:
    upstream.status = 429
    upstream.refusal = {"error": {"message": "full"}}
    assert "answered 429: full; try again in 3 s" in once("--once", "hi").stderr


def test_error_event_in_the_middle_is_told(once: Codeloop, upstream: Upstream) -> None:
    upstream.chunks = [HELLO[0], b'data: {"error": {"message": "engine died"}}\n\n', DONE]
    result = once("--once", "hi")
    assert (result.returncode, result.stdout.strip()) == (1, "Hel")
    assert result.stderr == "codeloop: the server ended the answer: engine died\n"


def test_answer_without_an_end_is_not_taken_for_whole(once: Codeloop, upstream: Upstream) -> None:
    upstream.chunks = HELLO[:2]
    result = once("--once", "hi")
    assert result.returncode == 1
    assert "broke the answer off" in result.stderr


def test_no_server_says_how_to_start_one(codeloop: Codeloop) -> None:
    result = codeloop("chat", "--url", "http://127.0.0.1:9/v1", "--once", "hi")
    assert result.returncode == 1
    assert "nothing answers at http://127.0.0.1:9/v1" in result.stderr
    assert "codeloop serve" in result.stderr


def converse(
    upstream: Upstream, environment: Mapping[str, str]
) -> tuple[subprocess.Popen[str], int]:
    """A conversation on a terminal; returns the process and the hand that types."""
    hand, terminal = os.openpty()
    process = subprocess.Popen(
        # Tests that were started in the background ignore Ctrl-C, and so would their children.
        ["env", "--default-signal=INT", *COMMAND, "chat", "--url", upstream.url],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=dict(environment),
    )
    os.close(terminal)
    return process, hand


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    seen = ""
    while text not in seen:
        character = process.stdout.read(1)
        assert character, f"ended before {text!r}: {seen!r}"
        seen += character
    return seen


def test_conversation_shows_reasoning_and_figures_and_remembers(
    upstream: Upstream, own_environment: Mapping[str, str]
) -> None:
    upstream.chunks.insert(0, event({"reasoning": "hmm"}))
    process, hand = converse(upstream, own_environment)
    with process:
        os.write(hand, b"one\n")
        seen = read_until(process, " s\n")
        assert "hmm" in seen
        assert "Hello" in seen
        assert "7 tokens" in seen
        os.write(hand, b"two\n")
        read_until(process, " s\n")
        os.write(hand, b"/reset\nthree\n")
        read_until(process, " s\n")
        os.write(hand, b"/quit\n")
        assert process.wait(10) == 0
    os.close(hand)
    assert [len(body["messages"]) for body in upstream.asked] == [1, 3, 1]
    assert upstream.asked[1]["messages"][1] == {"role": "assistant", "content": "Hello"}


def test_ctrl_c_stops_the_answer_and_not_the_program(
    upstream: Upstream, own_environment: Mapping[str, str]
) -> None:
    upstream.chunks = [HELLO[0]]
    upstream.is_holding = True
    process, hand = converse(upstream, own_environment)
    with process:
        os.write(hand, b"one\n")
        read_until(process, "Hel")
        process.send_signal(signal.SIGINT)
        read_until(process, "stopped")
        os.write(hand, b"/quit\n")
        assert process.wait(10) == 0
    os.close(hand)
