"""Real nodes on loopback and their client: like one sandbox, whatever becomes of some of them."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from sandbox.errors import (
    InvalidProgram,
    IsolationUnavailable,
    RunCancelled,
    SandboxBusy,
    SandboxUnavailable,
    UnknownLanguage,
)
from sandbox.isolation.http import HttpIsolation
from sandbox.outcome import Outcome, Verdict
from sandbox.pool import Ticket
from sandbox.program import Limits, Program
from sandbox.sandbox import Sandbox
from sandbox.settings import SandboxSettings

SECONDS = 30.0

NodeOf = Callable[..., Any]
StubOf = Callable[..., Any]
RemoteOf = Callable[..., HttpIsolation]


@pytest.fixture
def remote_of() -> Iterator[RemoteOf]:
    """The client of some nodes; its keywords are its own and `node_key`."""
    with contextlib.ExitStack() as stack:

        def connect(*nodes: Any, node_key: str = "", **keywords: Any) -> HttpIsolation:
            urls = tuple(node.url for node in nodes)
            settings = SandboxSettings(isolation="http", nodes=urls, node_key=node_key)
            return stack.enter_context(closing(HttpIsolation(settings, **keywords)))

        yield connect


def main_py(source: bytes, stdin: bytes = b"") -> Program:
    return Program(language="python", files={"main.py": source}, stdin=stdin)


def test_a_remote_run_is_like_a_local_one(
    sandbox: Sandbox, node_of: NodeOf, remote_of: RemoteOf
) -> None:
    client = remote_of(node_of(sandbox, keys=("k",)), node_key="k")
    source = b"import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()); sys.exit(3)"
    outcome = client.run(main_py(source, b"\xff\r\n"), Limits(cpu_seconds=2))
    assert (outcome.verdict, outcome.exit_code) == (Verdict.RUNTIME_ERROR, 3)
    assert (outcome.stdout, outcome.isolation) == (b"\xff\r\n", sandbox.description)
    with pytest.raises(UnknownLanguage):
        client.run(Program(language="klingon", files={"a": b""}))
    assert client.run(main_py(b"")).ok


def test_a_body_that_a_node_does_not_take_is_the_callers_fault(
    node_of: NodeOf, remote_of: RemoteOf, stub_of: StubOf
) -> None:
    client = remote_of(node_of(stub_of(), body_bytes=2048))
    with pytest.raises(InvalidProgram, match="2048"):
        client.run(main_py(b"#" * 4096))


def test_a_refused_key_is_told_with_its_setting(
    node_of: NodeOf, remote_of: RemoteOf, stub_of: StubOf
) -> None:
    client = remote_of(node_of(stub_of(), keys=("right",)), node_key="wrong")
    with pytest.raises(SandboxUnavailable, match=r"set sandbox\.node_key"):
        client.run(main_py(b""))


@pytest.mark.parametrize("nodes", [(), ("10.0.0.7:8070",), ("ftp://a",), ("http://",)])
def test_an_address_that_is_none_is_refused_at_start(nodes: tuple[str, ...]) -> None:
    with pytest.raises(IsolationUnavailable, match=r"sandbox\.nodes"):
        HttpIsolation(SandboxSettings(isolation="http", nodes=nodes))


def test_nodes_that_all_fail_are_named_with_their_errors(
    node_of: NodeOf, remote_of: RemoteOf, stub_of: StubOf
) -> None:
    gone, broken = node_of(stub_of()), node_of(stub_of(fault=SandboxUnavailable("worker broke")))
    gone.stop()
    client = remote_of(gone, broken)
    for _ in range(2):
        with pytest.raises(SandboxUnavailable) as caught:
            client.run(main_py(b""))
        assert all(text in str(caught.value) for text in (gone.url, broken.url, "worker broke"))


def test_a_node_that_fails_leaves_the_program_to_another(
    node_of: NodeOf, remote_of: RemoteOf, stub_of: StubOf
) -> None:
    well = stub_of()
    well.ended.set()
    client = remote_of(node_of(stub_of(fault=SandboxUnavailable("worker broke"))), node_of(well))
    assert all(client.run(main_py(b"", b"%d" % n)).stdout == b"%d" % n for n in range(20))


def test_a_full_node_is_asked_again_when_it_said(
    node_of: NodeOf, remote_of: RemoteOf, stub_of: StubOf
) -> None:
    stub = stub_of()
    client = remote_of(node_of(stub, queue=0))
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(client.run, main_py(b"", b"1"))
        assert stub.begun.acquire(timeout=SECONDS)
        second = threads.submit(client.run, main_py(b"", b"2"))
        threading.Timer(0.3, stub.ended.set).start()
        assert [run.result(SECONDS).stdout for run in (first, second)] == [b"1", b"2"]


def test_lines_that_stay_full_are_busy_not_unavailable(
    node_of: NodeOf, remote_of: RemoteOf, stub_of: StubOf
) -> None:
    busy = SandboxBusy("full", retry_after_seconds=7)
    client = remote_of(
        node_of(stub_of(fault=busy)), node_of(stub_of(fault=busy)), patience_seconds=0.1
    )
    with pytest.raises(SandboxBusy) as caught:
        client.run(main_py(b""))
    assert caught.value.retry_after_seconds > 0


def test_a_run_that_is_taken_back_ends_on_its_node(
    node_of: NodeOf, remote_of: RemoteOf, stub_of: StubOf
) -> None:
    stub, ticket = stub_of(), Ticket()
    client = remote_of(node_of(stub))
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(client.run, main_py(b""), Limits(), ticket)
        assert stub.begun.acquire(timeout=SECONDS)
        ticket.cancel()
        with pytest.raises(RunCancelled):
            running.result(SECONDS)
    assert stub.cancelled.acquire(timeout=SECONDS)


def test_a_node_that_stops_under_load_loses_no_program(
    sandbox: Sandbox, node_of: NodeOf, remote_of: RemoteOf
) -> None:
    first, second = node_of(sandbox), node_of(sandbox)
    client = remote_of(first, second)
    done = threading.Semaphore(0)

    def run(number: int) -> Outcome:
        outcome = client.run(main_py(b"print(int(input()) ** 2)", b"%d" % number))
        done.release()
        return outcome

    with ThreadPoolExecutor(16) as threads:
        running = [threads.submit(run, number) for number in range(200)]
        for _ in range(40):
            assert done.acquire(timeout=SECONDS)
        first.stop(at_once=True)
        outcomes = [future.result(SECONDS) for future in running]
    assert [outcome.stdout for outcome in outcomes] == [b"%d\n" % n**2 for n in range(200)]
