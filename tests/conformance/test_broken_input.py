"""Broken input: each kind gets its own 4xx in OpenAI's shape, and the server goes on answering."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from deploy.launch import Launched
from server.protocol import HARMLESS, REFUSED

CHAT = "/v1/chat/completions"
PLAIN = "/v1/completions"
HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture
async def http(server: Launched) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"authorization": f"Bearer {server.key}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        yield session


async def send(
    http: aiohttp.ClientSession, server: Launched, path: str, content: bytes, **headers: str
) -> tuple[int, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with http.post(server.base_url + path, data=content, headers=named) as answer:
        return answer.status, json.loads(await answer.read())


async def goes_on(http: aiohttp.ClientSession, server: Launched) -> None:
    """A good request is answered."""
    status, _ = await send(http, server, PLAIN, b'{"prompt": "x", "max_tokens": 1}')
    assert status == 200


RAW = {
    "empty body": (b"", 400, "invalid_json"),
    "no JSON": (b"{prompt: 1}", 400, "invalid_json"),
    "half JSON": (b'{"prompt": "x"', 400, "invalid_json"),
    "list": (b"[1]", 400, "invalid_json"),
    "text": (b'"x"', 400, "invalid_json"),
    "invalid UTF-8": (b'{"prompt": "\xff\xfe"}', 400, "invalid_json"),
    "lone surrogate": (b'{"prompt": "\\ud800"}', 400, "invalid_json"),
    "NaN": (b'{"prompt": "x", "temperature": NaN}', 400, "invalid_json"),
    "infinity": (b'{"prompt": "x", "top_p": Infinity}', 400, "invalid_json"),
    "deep nesting": (b'{"prompt": ' + b"[" * 100_000, 400, "invalid_json"),
    "nested deeper than can be written": (
        b'{"prompt": "x", "x": ' + b"[" * 300 + b"]" * 300 + b"}",
        400,
        "invalid_json",
    ),
    "duplicate keys, the last counts": (
        b'{"prompt": "x", "model": "scripted", "model": "nothing"}',
        404,
        "model_not_found",
    ),
    "body too large": (b'{"prompt": "' + b"x" * 5_000_000 + b'"}', 413, "request_too_large"),
    "a million tokens": (
        b'{"prompt": "' + b"x" * 1_000_000 + b'"}',
        400,
        "context_length_exceeded",
    ),
}


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
@pytest.mark.parametrize("case", RAW)
async def test_a_body_that_is_no_request(
    http: aiohttp.ClientSession, server: Launched, case: str
) -> None:
    content, status, code = RAW[case]
    found, body = await send(http, server, PLAIN, content)
    assert (found, body["error"]["code"]) == (status, code)
    assert set(body["error"]) == {"message", "type", "param", "code"}
    await goes_on(http, server)


FIELDS: list[tuple[str, dict[str, Any], str]] = [
    (PLAIN, {}, "prompt"),
    (PLAIN, {"prompt": 5}, "prompt"),
    (PLAIN, {"prompt": []}, "prompt"),
    (PLAIN, {"prompt": [[]]}, "prompt"),
    (PLAIN, {"prompt": [1, "x"]}, "prompt"),
    (PLAIN, {"prompt": [-1]}, "prompt"),
    (PLAIN, {"prompt": "x", "n": 0}, "n"),
    (PLAIN, {"prompt": "x", "n": 100_000}, "n"),
    (PLAIN, {"prompt": ["x"] * 200, "n": 100}, "n"),
    (PLAIN, {"prompt": "x", "max_tokens": -1}, "max_tokens"),
    (PLAIN, {"prompt": "x", "max_tokens": "many"}, "max_tokens"),
    (PLAIN, {"prompt": "x", "max_tokens": 2.5}, "max_tokens"),
    (PLAIN, {"prompt": "x", "max_tokens": 2**70}, "max_tokens"),
    (PLAIN, {"prompt": "x", "temperature": -0.1}, "temperature"),
    (PLAIN, {"prompt": "x", "temperature": 1e308}, "temperature"),
    (PLAIN, {"prompt": "x", "temperature": "hot"}, "temperature"),
    (PLAIN, {"prompt": "x", "top_p": 0}, "top_p"),
    (PLAIN, {"prompt": "x", "top_p": 1.1}, "top_p"),
    (PLAIN, {"prompt": "x", "top_k": -2}, "top_k"),
    (PLAIN, {"prompt": "x", "repetition_penalty": 0}, "repetition_penalty"),
    (PLAIN, {"prompt": "x", "frequency_penalty": 3}, "frequency_penalty"),
    (PLAIN, {"prompt": "x", "stop": ["s"] * 10_000}, "stop"),
    (PLAIN, {"prompt": "x", "stop": ""}, "stop"),
    (PLAIN, {"prompt": "x", "stop": [1]}, "stop"),
    (PLAIN, {"prompt": "x", "seed": "x"}, "seed"),
    (PLAIN, {"prompt": "x", "seed": 2**63}, "seed"),
    (PLAIN, {"prompt": "x", "logprobs": 21}, "logprobs"),
    (PLAIN, {"prompt": "x", "logit_bias": {"5": 101}}, "logit_bias"),
    (PLAIN, {"prompt": "x", "logit_bias": [1]}, "logit_bias"),
    (PLAIN, {"prompt": "x", "stream": "yes"}, "stream"),
    (PLAIN, {"prompt": "x", "stream_options": 5}, "stream_options"),
    (PLAIN, {"prompt": "x", "structured_outputs": 5}, "structured_outputs"),
    (PLAIN, {"prompt": "x", "suffix": "y"}, "suffix"),
    (PLAIN, {"prompt": "x", "model": 5}, "model"),
    (PLAIN, {"prompt": "x", "model": ""}, "model"),
    (CHAT, {}, "messages"),
    (CHAT, {"messages": []}, "messages"),
    (CHAT, {"messages": "hello"}, "messages"),
    (CHAT, {"messages": ["hello"]}, "messages"),
    (CHAT, {"messages": HELLO, "top_logprobs": -1}, "top_logprobs"),
    (CHAT, {"messages": HELLO, "tools": {}}, "tools"),
    (CHAT, {"messages": HELLO, "tools": [{}]}, "tools"),
    ("/v1/responses", {}, "input"),
    ("/v1/responses", {"input": []}, "input"),
    ("/v1/responses", {"input": "x", "previous_response_id": "r"}, "previous_response_id"),
    ("/detokenize", {"tokens": "x"}, "tokens"),
]


@pytest.mark.parametrize(("path", "body", "field"), FIELDS)
async def test_a_wrong_field_is_named(
    http: aiohttp.ClientSession, server: Launched, path: str, body: dict[str, Any], field: str
) -> None:
    status, answer = await send(http, server, path, json.dumps(body).encode())
    assert (status, answer["error"]["param"]) == (400, answer["error"]["param"])
    assert status == 400
    assert str(answer["error"]["param"]).startswith(field)
    assert field in answer["error"]["message"]
    await goes_on(http, server)


@pytest.mark.parametrize("field", sorted(REFUSED))
async def test_what_would_be_dropped_is_refused_by_name(
    http: aiohttp.ClientSession, server: Launched, field: str
) -> None:
    body = {"prompt": "x", "max_tokens": 1, field: {"any": "thing"}}
    status, answer = await send(http, server, PLAIN, json.dumps(body).encode())
    assert (status, answer["error"]["code"]) == (400, "unsupported_parameter")
    assert answer["error"]["param"] == field
    for harmless in (None, *HARMLESS.get(field, ())):
        status, _ = await send(http, server, PLAIN, json.dumps(body | {field: harmless}).encode())
        assert status == 200


async def test_unknown_fields_and_models_and_lanes(
    http: aiohttp.ClientSession, server: Launched
) -> None:
    body = json.dumps({"prompt": "x", "max_tokens": 1, "invented": {"by": "a client"}}).encode()
    assert (await send(http, server, PLAIN, body))[0] == 200
    status, answer = await send(http, server, PLAIN, body, x_codeloop_lane="fast")
    assert (status, answer["error"]["code"]) == (400, "invalid_lane")
    status, answer = await send(http, server, PLAIN, b'{"prompt": "x", "model": "nothing"}')
    assert (status, answer["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Basic eDp5", "Bearer cl-no", "x" * 9000]
)
async def test_a_malformed_authorization_is_401(server: Launched, value: str) -> None:
    async with (
        aiohttp.ClientSession(headers={"authorization": value}) as http,
        http.get(f"{server.url}/models") as answer,
    ):
        assert answer.status == 401
        assert (await answer.json())["error"]["code"] == "invalid_api_key"


def exchange(server: Launched, *pieces: bytes) -> bytes:
    """Send raw bytes and read what comes back until the server closes."""
    port = int(server.base_url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for piece in pieces:
            connection.sendall(piece)
        answer = b""
        while part := connection.recv(65536):
            answer += part
            if b"\r\n\r\n{" in answer and answer.endswith(b"}}"):
                break
        return answer


def head(server: Launched, *lines: str) -> bytes:
    fixed = (f"POST {PLAIN} HTTP/1.1", "host: x", f"authorization: Bearer {server.key}")
    return "\r\n".join((*fixed, *lines, "", "")).encode()


async def test_a_hundred_megabytes_are_refused_before_they_are_sent(
    http: aiohttp.ClientSession, server: Launched
) -> None:
    answer = await asyncio.to_thread(
        exchange, server, head(server, f"content-length: {100 * 2**20}")
    )
    assert answer.startswith(b"HTTP/1.1 413 ")
    await goes_on(http, server)


@pytest.mark.parametrize(
    "lines",
    [("content-length: 100",), ("transfer-encoding: chunked",)],
    ids=["declared", "chunked"],
)
async def test_a_body_that_never_ends_is_cut_off(
    http: aiohttp.ClientSession, server: Launched, lines: tuple[str, ...]
) -> None:
    answer = await asyncio.to_thread(exchange, server, head(server, *lines), b'5\r\n{"pro\r\n')
    assert answer.startswith(b"HTTP/1.1 408 ")
    await goes_on(http, server)


async def test_headers_that_never_end_are_cut_off(
    http: aiohttp.ClientSession, server: Launched
) -> None:
    answer = await asyncio.to_thread(exchange, server, b"GET /health HTTP/1.1\r\nx-slow: ")
    assert answer.startswith(b"HTTP/1.1 408 ")
    await goes_on(http, server)


async def test_headers_that_are_too_large_are_refused_while_they_come(
    http: aiohttp.ClientSession, server: Launched
) -> None:
    line = b"x-padding: " + b"x" * 1000 + b"\r\n"
    port = int(server.base_url.rpartition(":")[2])

    def flood() -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\n")
            with contextlib.suppress(ConnectionError):
                for _ in range(10_000):
                    connection.sendall(line)
                pytest.fail("ten megabytes of headers were taken")
            return connection.recv(4096)

    with contextlib.suppress(ConnectionResetError):  # the answer may be lost with the connection
        assert (await asyncio.to_thread(flood)).startswith(b"HTTP/1.1 431 ")
    await goes_on(http, server)


async def test_what_is_no_http_is_400(http: aiohttp.ClientSession, server: Launched) -> None:
    port = int(server.base_url.rpartition(":")[2])

    def talk() -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"\x16\x03\x01 this is TLS or worse\r\n\r\n")
            return connection.recv(4096)

    assert (await asyncio.to_thread(talk)).startswith(b"HTTP/1.1 400 ")
    await goes_on(http, server)
