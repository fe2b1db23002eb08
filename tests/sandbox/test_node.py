"""A real node on loopback over real workers: its routes, who may use them, and what is never lost."""

import base64
import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from sandbox.errors import (
    SandboxError,
    SandboxUnavailable,
)
from sandbox.node import NodeServer
from sandbox.outcome import Outcome, Verdict
from sandbox.sandbox import Sandbox
from sandbox.settings import NodeSettings
from sandbox.wire import outcome_body, parsed_outcome

SECONDS = 30.0
FOREVER = "while True: pass"


NodeOf = Callable[..., Any]
StubOf = Callable[..., Any]


@pytest.fixture
def client(sandbox: Sandbox, node_of: NodeOf) -> Iterator[httpx.Client]:
    """A client of a node over the real sandbox."""
    with node_of(sandbox).client() as found:
        yield found


def python(source: str, **fields: Any) -> dict[str, Any]:
    return {"language": "python", "source": source, **fields}


def test_a_program_runs_with_its_files_arguments_and_stdin(client: httpx.Client) -> None:
    source = "import sys, part; print(part.x, sys.argv[1:], sys.stdin.buffer.read())"
    packed = base64.b64encode(b"\xff\n").decode()
    body = {
        "language": "python",
        "files": {"main.py": source, "part.py": {"base64": base64.b64encode(b"x = 5").decode()}},
        "arguments": ["a", "b c"],
        "stdin_base64": packed,
    }
    outcome = client.post("/run", json=body).raise_for_status().json()
    assert (outcome["verdict"], outcome["group"], outcome["exit_code"]) == ("ok", "fine", 0)
    assert outcome["stdout"] == "5 ['a', 'b c'] b'\\xff\\n'\n"
    assert "stdout_base64" not in outcome


def test_output_that_is_no_text_comes_back_whole(client: httpx.Client) -> None:
    source = "import sys; sys.stdout.buffer.write(b'a\\xff\\x00'); sys.exit(3)"
    outcome = client.post("/run", json=python(source)).raise_for_status().json()
    assert (outcome["verdict"], outcome["exit_code"]) == ("runtime_error", 3)
    assert outcome["stdout"] == "a\ufffd\0"
    assert base64.b64decode(outcome["stdout_base64"]) == b"a\xff\0"


@pytest.mark.parametrize("output", [b"", "é\0\r\n".encode(), b"\xff\xfe", b"\xed\xa0\x80"])
def test_an_outcome_is_the_same_at_the_other_end(output: bytes) -> None:
    outcome = Outcome(
        verdict=Verdict.OUT_OF_MEMORY, signal=9, stdout=output, stderr=output[::-1],
        stdout_truncated=True, cpu_seconds=0.25, wall_seconds=1.5, wait_seconds=0.5,
        peak_memory_bytes=7, num_left_processes=2, isolation="bare",
    )  # fmt: skip
    content = json.dumps(outcome_body(outcome)).encode()
    assert parsed_outcome(content) == outcome


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", "the body"),
        (b"[]", "the body"),
        ({}, "language is missing"),
        (python("1", sources=""), "sources is no field"),
        ({"language": "python"}, "neither of source and files"),
        (python("1", files={"a.py": ""}), "both of source and files"),
        (python("1", stdin=3), "stdin is 3"),
        (python("1", stdin="a", stdin_base64="YQ=="), "both stdin and stdin_base64"),
        (python("1", stdin_base64="?"), "program.stdin_base64 is '?': it is no base64"),
        ({"language": "python", "files": {"../a": ""}}, "'../a'"),
        ({"language": "python", "files": {"a": {"base64": "é"}}}, "program.files['a'].base64"),
        (python("1", limits={"cpu_seconds": -1}), "limits.cpu_seconds is -1"),
        (python("1", limits={"memory": 1}), "limits.memory is no limit"),
        (python("1", limits={"processes": True}), "limits.processes is True"),
        (python("1", limits=[]), "limits"),
        (python("1", arguments=["\0"]), "program.arguments"),
    ],
)
def test_a_bad_request_is_told_its_field(client: httpx.Client, body: Any, expected: str) -> None:
    sent = {"content": body} if isinstance(body, bytes) else {"json": body}
    answer = client.post("/run", **sent)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_program")
    assert expected in answer.json()["error"]["message"]


def test_an_unknown_language_is_the_callers_fault(client: httpx.Client) -> None:
    for body in ({"language": "klingon", "source": ""}, {"language": "x", "files": {"a": ""}}):
        answer = client.post("/run", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_language")


def test_a_batch_comes_back_in_order(client: httpx.Client) -> None:
    programs = [python("print(input())", stdin=str(number)) for number in range(20)]
    answer = client.post("/run_batch", json={"programs": programs}).raise_for_status().json()
    assert [outcome["stdout"] for outcome in answer["outcomes"]] == [f"{n}\n" for n in range(20)]


def test_a_batch_stops_at_its_first_failure(client: httpx.Client) -> None:
    programs = [python(f"exit({number == 2})") for number in range(9)]
    body = {"programs": programs, "stop_at_first_failure": True}
    answer = client.post("/run_batch", json=body).raise_for_status().json()
    assert [outcome["exit_code"] for outcome in answer["outcomes"]] == [0, 0, 1]


@pytest.mark.parametrize(
    ("programs", "expected"),
    [
        ([], "programs"),
        ([python("")] * 1001, "programs"),
        ([python(""), python("", stdin_base64="?")], "programs[1].stdin_base64"),
        ([python(""), {"language": "python", "source": 1}], "programs[1].source is 1"),
    ],
)
def test_a_bad_batch_is_told_which_program(
    client: httpx.Client, programs: Sequence[Any], expected: str
) -> None:
    answer = client.post("/run_batch", json={"programs": programs})
    assert answer.status_code == 400
    assert expected in answer.json()["error"]["message"]


def fusion(code: str, **fields: Any) -> dict[str, Any]:
    """The request that verl's client sends."""
    sent = {"compile_timeout": 10, "run_timeout": 10, "memory_limit_MB": 1024, "stdin": ""}
    return {**sent, "code": code, "language": "python", "files": {}, "fetch_files": [], **fields}


@pytest.mark.parametrize(
    ("body", "status", "run_status", "return_code"),
    [
        (fusion("print(input())", stdin="3"), "Success", "Finished", 0),
        (fusion("raise SystemExit(4)"), "Failed", "Finished", 4),
        (fusion("import os; os.abort()"), "Failed", "Finished", -6),
        (fusion(FOREVER, run_timeout=0.3), "Failed", "TimeLimitExceeded", None),
        (fusion("while True: print('x' * 9999)"), "Failed", "Finished", ...),
    ],
)
def test_sandboxfusions_clients_read_what_happened(
    client: httpx.Client, body: Any, status: str, run_status: str, return_code: Any
) -> None:
    answer = client.post("/run_code", json=body).raise_for_status().json()
    assert answer["status"] == status
    assert answer["compile_result"] is None
    assert answer["run_result"]["status"] == run_status
    assert answer["run_result"]["execution_time"] >= 0
    if return_code is ...:
        assert answer["run_result"]["return_code"] != 0
    else:
        assert answer["run_result"]["return_code"] == return_code
    if status == "Success":
        assert (answer["run_result"]["stdout"], answer["message"]) == ("3\n", "")


def test_sandboxfusions_clients_tell_a_compile_error_from_a_runtime_error(
    client: httpx.Client,
) -> None:
    present = {
        row["name"]: row["is_present"] for row in client.get("/languages").json()["languages"]
    }
    if not present["cpp"]:
        pytest.skip("no C++ compiler here")
    refused = client.post("/run_code", json=fusion("int main( {", language="cpp")).json()
    assert (refused["status"], refused["run_result"]) == ("Failed", None)
    assert refused["compile_result"]["status"] == "Finished"
    assert refused["compile_result"]["return_code"] != 0
    assert "error" in refused["compile_result"]["stderr"]
    ran = client.post("/run_code", json=fusion("int main() { return 3; }", language="cpp")).json()
    assert (ran["status"], ran["run_result"]["return_code"]) == ("Failed", 3)
    assert (ran["compile_result"]["status"], ran["compile_result"]["return_code"]) == (
        "Finished",
        0,
    )


def test_sandboxfusions_files_lie_beside_the_code(client: httpx.Client) -> None:
    files = {"in/data.bin": base64.b64encode(b"\xff").decode(), "nothing": None}
    body = fusion("print(open('in/data.bin', 'rb').read())", files=files)
    answer = client.post("/run_code", json=body).raise_for_status().json()
    assert answer["run_result"]["stdout"] == "b'\\xff'\n"


def test_a_sandboxfusion_request_that_cannot_be_run_is_no_verdict(client: httpx.Client) -> None:
    for body in (
        fusion("", language="klingon"),
        fusion("", fetch_files=["a"]),
        fusion("", files={"a": "?"}),
    ):
        answer = client.post("/run_code", json=body)
        assert (answer.status_code, answer.json()["status"]) == (400, "SandboxError")
        assert answer.json()["run_result"] is None


def test_only_a_key_opens_the_node(sandbox: Sandbox, node_of: NodeOf) -> None:
    node = node_of(sandbox, keys=("first", "sécond"))
    basic = base64.b64encode("verl:sécond".encode()).decode()
    headers = {
        "": 401, "Bearer": 401, "Bearer firs": 401, "Bearer  first": 200, "bearer first": 200,
        "Basic !": 401, f"Basic {basic}": 200, "first": 401,
    }  # fmt: skip
    with node.client() as client:
        for header, status in headers.items():
            answer = client.post("/run", json=python(""), headers={"Authorization": header})
            assert answer.status_code == status, header
        refused = client.post("/run_batch", content=b"{")
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert refused.json()["error"]["code"] == "no_key"
        assert client.get("/languages").status_code == 401
        assert [client.get(path).status_code for path in ("/health", "/ready", "/metrics")] == [
            200
        ] * 3


@pytest.mark.parametrize(
    "settings", [{"host": "0.0.0.0"}, {"host": "::"}, {"host": "10.0.0.7"}, {"keys": ("",)}]
)
def test_a_node_that_anybody_could_use_is_not_started(
    settings: dict[str, Any], stub_of: StubOf
) -> None:
    with pytest.raises(SandboxError, match="keys"):
        NodeServer(stub_of(), NodeSettings(port=0, **settings))


def test_a_port_that_is_taken_is_named(node_of: NodeOf, stub_of: StubOf) -> None:
    node = node_of(stub_of())
    with pytest.raises(SandboxError, match=f"port is {node.server.port}"):
        NodeServer(stub_of(), NodeSettings(port=node.server.port))


def test_a_body_beyond_the_limit_is_refused_unread(node_of: NodeOf, stub_of: StubOf) -> None:
    node = node_of(stub_of(), body_bytes=2048)

    def endless() -> Iterator[bytes]:
        while True:
            yield b" " * 1024

    with node.client() as client:
        answer = client.post("/run", json=python("#" * 2048))
        assert (answer.status_code, answer.headers["connection"]) == (413, "close")
        assert answer.json()["error"]["code"] == "body_too_large"
    with node.client() as client, contextlib.suppress(httpx.WriteError):
        answer = client.post("/run", content=endless())
        assert answer.status_code == 413


def test_a_full_line_refuses_at_once_and_says_when(node_of: NodeOf, stub_of: StubOf) -> None:
    stub = stub_of()
    node = node_of(stub, queue=1)
    with node.client() as client, ThreadPoolExecutor(2) as threads:
        first = threads.submit(client.post, "/run", json=python("", stdin="1"))
        assert stub.begun.acquire(timeout=SECONDS)
        second = threads.submit(client.post, "/run", json=python("", stdin="2"))
        wait_for(lambda: "codeloop_sandbox_waiting 1.0" in client.get("/metrics").text)
        for route, body in (("/run", python("")), ("/run_batch", {}), ("/run_code", {})):
            refused = client.post(route, json=body)
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "busy")
            assert int(refused.headers["retry-after"]) >= 1
        stub.ended.set()
        assert [run.result().json()["stdout"] for run in (first, second)] == ["1", "2"]


def test_our_own_fault_is_503_and_never_a_verdict(node_of: NodeOf, stub_of: StubOf) -> None:
    stub = stub_of(fault=SandboxUnavailable("a worker broke"))
    with node_of(stub).client() as client:
        for route in ("/run", "/run_code"):
            body = fusion("") if route == "/run_code" else python("")
            answer = client.post(route, json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
            assert int(answer.headers["retry-after"]) >= 1
            assert "verdict" not in answer.json()
        assert answer.json()["status"] == "SandboxError"
        assert client.get("/ready").status_code == 503
        stub.fault = None
        stub.ended.set()
        assert client.get("/ready").status_code == 200


@pytest.mark.parametrize("route", ["/run", "/run_batch", "/run_code"])
def test_a_client_that_hangs_up_cancels_its_program(
    node_of: NodeOf, route: str, stub_of: StubOf
) -> None:
    stub = stub_of()
    body = {
        "/run": python(""),
        "/run_batch": {"programs": [python("")] * 3},
        "/run_code": fusion(""),
    }
    node = node_of(stub)
    with node.client() as client, pytest.raises(httpx.ReadTimeout):
        client.post(route, json=body[route], timeout=0.3)
    assert stub.cancelled.acquire(timeout=SECONDS)
    with node.client() as client:
        wait_for(lambda: f'route="{route}",status="499"}} 1.0' in client.get("/metrics").text)
        assert "codeloop_sandbox_running 0.0" in client.get("/metrics").text


def test_a_hang_up_frees_a_real_worker(sandbox: Sandbox, node_of: NodeOf) -> None:
    node = node_of(sandbox)
    body = python(FOREVER, limits={"cpu_seconds": 600})
    for _ in range(sandbox.num_workers):
        with node.client() as client, pytest.raises(httpx.ReadTimeout):
            client.post("/run", json=body, timeout=0.3)
    with node.client() as client:
        assert client.post("/run", json=python("print(1)")).json()["stdout"] == "1\n"


def test_languages_tell_what_is_here(client: httpx.Client) -> None:
    found = {row["name"]: row for row in client.get("/languages").json()["languages"]}
    assert found["python"]["is_present"]


def test_metrics_count_requests_and_verdicts(client: httpx.Client) -> None:
    client.post("/run", json=python("exit(1)"))
    client.get("/nowhere")
    page = client.get("/metrics").text
    assert 'codeloop_sandbox_requests_total{route="/run",status="200"} 1.0' in page
    assert 'codeloop_sandbox_requests_total{route="other",status="404"} 1.0' in page
    assert 'outcomes_total{language="python",verdict="runtime_error"} 1.0' in page


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
