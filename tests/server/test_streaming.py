"""Streams: whatever the engine sends, in whatever pieces, the client gets a whole stream."""

import itertools

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.engine import TokenCount
from server.streaming import DONE, ChunkRewriter, ResponsesRewriter, encode_event


def chunk(text: str = "", finish: str | None = None, index: int = 0, **delta: str) -> bytes:
    choice = {"index": index, "delta": {"content": text, **delta}, "finish_reason": finish}
    return encode_event({"id": "x", "choices": [choice]})


USAGE = encode_event(
    {"id": "x", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
)
WHOLE = chunk("a") + chunk("b") + chunk("", "stop") + USAGE + DONE


def events(data: bytes) -> list[object]:
    assert data.endswith(b"\n\n")
    return [
        "[DONE]" if event == b"data: [DONE]" else orjson.loads(event.removeprefix(b"data: "))
        for event in data.split(b"\n\n")[:-1]
    ]


def run(rewriter: ChunkRewriter, *pieces: bytes) -> bytes:
    return b"".join(map(rewriter.feed, pieces)) + rewriter.close()


def test_usage_is_counted_and_taken_out_when_the_client_did_not_ask() -> None:
    rewriter = ChunkRewriter(wants_usage=False)
    sent = run(rewriter, WHOLE)
    assert rewriter.tokens == TokenCount(prompt=3, completion=2)
    assert b"usage" not in sent
    assert sent == WHOLE.replace(USAGE, b"")


def test_usage_stays_when_the_client_asked() -> None:
    assert run(ChunkRewriter(wants_usage=True), WHOLE) == WHOLE


@given(cuts=st.lists(st.integers(1, len(WHOLE) - 1), max_size=12))
def test_the_same_bytes_come_out_however_the_stream_is_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(set(cuts)), len(WHOLE)]
    pieces = [WHOLE[start:end] for start, end in itertools.pairwise(edges)]
    assert run(ChunkRewriter(wants_usage=True), *pieces) == WHOLE


def test_only_whole_events_leave_so_that_a_comment_can_stand_between_any_two() -> None:
    rewriter = ChunkRewriter(wants_usage=False)
    assert rewriter.feed(chunk("a")[:-1]) == b""
    assert rewriter.feed(b"\n") == chunk("a")


def test_reasoning_goes_out_under_both_names() -> None:
    sent = run(ChunkRewriter(wants_usage=False), chunk("", reasoning="hm"), chunk("", "stop"))
    delta = events(sent)[0]["choices"][0]["delta"]  # type: ignore[index]
    assert delta["reasoning"] == delta["reasoning_content"] == "hm"


def test_an_answer_that_speaks_of_our_patterns_is_not_mistaken_for_them() -> None:
    tricky = chunk('{"usage":{"x":1},"finish_reason":"stop","error":1} data: [DONE]')
    rewriter = ChunkRewriter(wants_usage=False)
    sent = rewriter.feed(tricky)
    assert events(sent) == events(tricky)
    assert rewriter.error is None
    assert rewriter.tokens is None


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param((chunk("a"),), id="ends without a finish reason"),
        pytest.param((chunk("a"), DONE), id="says done without a finish reason"),
        pytest.param((chunk("a"), chunk("b")[:20]), id="is cut inside an event"),
        pytest.param((chunk("", "stop"), DONE), id="finishes one choice of two"),
        pytest.param((chunk("a"), b'data: {"choices":[{"finish_reason":"st\n\n'), id="not JSON"),
        pytest.param((b'data: {"error":{"message":"m","code":500}}\n\n', DONE), id="fails"),
        pytest.param((), id="is empty"),
    ],
)
def test_a_stream_that_is_not_whole_ends_with_one_error_event_then_done(
    pieces: tuple[bytes, ...],
) -> None:
    sent = events(run(ChunkRewriter(wants_usage=False, choices=2), *pieces))
    assert sent[-1] == "[DONE]"
    errors = [event for event in sent if isinstance(event, dict) and "error" in event]
    assert errors == [sent[-2]]
    assert isinstance(errors[0]["error"]["code"], str)


def test_nothing_follows_an_error() -> None:
    rewriter = ChunkRewriter(wants_usage=False)
    rewriter.feed(b'data: {"error":{"message":"m"}}\n\n')
    assert rewriter.feed(chunk("late", "stop")) == b""
    assert rewriter.close() == b""
    assert rewriter.fail({"message": "again"}) == b""


def test_responses_end_with_an_error_event_when_the_engine_stops_early() -> None:
    rewriter = ResponsesRewriter()
    created = b'event: response.created\ndata: {"type":"response.created"}\n\n'
    sent = rewriter.feed(created) + rewriter.close()
    assert sent.startswith(created + b"event: error\n")
    assert sent.endswith(DONE)


def test_responses_usage_is_read_from_the_last_event() -> None:
    rewriter = ResponsesRewriter()
    usage = {
        "input_tokens": 5,
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 2},
    }
    body = orjson.dumps({"type": "response.completed", "response": {"usage": usage}})
    sent = rewriter.feed(b"event: response.completed\ndata: " + body + b"\n\n") + rewriter.close()
    assert rewriter.tokens == TokenCount(prompt=5, completion=7, reasoning=2)
    assert sent.endswith(DONE)
