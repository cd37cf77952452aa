"""Chat completions over HTTP/1.1, driven by canned bytes."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from pointsman_bench.capacity.answers import EventStreams
from pointsman_bench.capacity.http_calls import HttpCalls
from pointsman_bench.capacity.tally import Exchange, Tally
from pointsman_bench.capacity.work import COUNTER

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
EVENTS = [b'data: {"choices":[{"delta":{"content":"w%d "}}]}\n\n' % n for n in range(3)]
DONE = b"data: [DONE]\n\n"


def chunk(payload: bytes) -> bytes:
    """A chunk of HTTP/1.1."""
    return b"%x\r\n%s\r\n" % (len(payload), payload)


ANSWER = HEAD + b"".join(map(chunk, [*EVENTS, DONE])) + b"0\r\n\r\n"


def calls(body: bytes = b"{}") -> tuple[HttpCalls, Tally]:
    """A connection and its tally."""
    tally = Tally()
    tally.open = True
    headers = {"authorization": "Bearer sk-none"}
    return HttpCalls("/v1/chat", "here:80", headers, body, EventStreams(), tally), tally


def test_a_request_has_its_fields_its_length_and_its_number() -> None:
    """The length is that of the body with the number in it."""
    made, _ = calls(b'{"n":"' + COUNTER + b'"}')
    sent = made.begin(Exchange(1.0, 42))
    head, _, body = sent.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/chat HTTP/1.1\r\nhost: here:80\r\n")
    assert b"authorization: Bearer sk-none" in head
    assert body == b'{"n":"00000042"}'
    assert f"content-length: {len(body)}".encode() in head


@given(st.lists(st.integers(0, len(ANSWER)), max_size=6))
def test_it_does_not_matter_how_bytes_are_cut_into_reads(cuts: list[int]) -> None:
    """Tokens may be missed by a glance then, but no byte of the body."""
    made, tally = calls()
    made.begin(Exchange(1.0, 0))
    edges = [0, *sorted(cuts), len(ANSWER)]
    ended = [
        made.receive(ANSWER[start:stop], 2.0)
        for start, stop in itertools.pairwise(edges)
        if start < stop
    ]
    exchange = ended.pop()
    assert exchange is not None
    assert set(ended) <= {None}
    assert exchange.error == ""
    assert b"".join(exchange.pieces) == b"".join([*EVENTS, DONE])
    assert made.keep_alive
    assert tally.received_bytes == len(b"".join([*EVENTS, DONE]))


def test_the_first_token_is_the_first_event_with_text() -> None:
    """Head and role come before it."""
    made, _ = calls()
    made.begin(Exchange(1.0, 0))
    role = b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'
    made.receive(HEAD + chunk(role), 2.0)
    made.receive(chunk(EVENTS[0]), 3.0)
    exchange = made.receive(chunk(DONE) + b"0\r\n\r\n", 4.0)
    assert exchange is not None
    assert (exchange.first_token_at, exchange.tokens) == (3.0, 1)


def test_one_connection_takes_call_after_call() -> None:
    """The parser is used again."""
    made, _ = calls()
    for number in range(3):
        made.begin(Exchange(1.0, number))
        exchange = made.receive(ANSWER, 2.0)
        assert exchange is not None
        assert (exchange.number, exchange.tokens, exchange.error) == (number, 3, "")


def test_a_status_that_is_not_200_fails_the_call() -> None:
    """With the beginning of what the server said."""
    made, _ = calls()
    made.begin(Exchange(1.0, 0))
    said = b"HTTP/1.1 503 Away\r\ncontent-length: 9\r\n\r\nno worker"
    exchange = made.receive(said, 2.0)
    assert exchange is not None
    assert exchange.error == "HTTP status 503: no worker"


def test_a_server_that_closes_is_not_asked_again() -> None:
    """Not on this connection."""
    made, _ = calls()
    made.begin(Exchange(1.0, 0))
    exchange = made.receive(
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}", 2.0
    )
    assert exchange is not None
    assert not made.keep_alive


def test_what_is_no_http_fails_the_call() -> None:
    """As does a connection that is lost."""
    made, _ = calls()
    made.begin(Exchange(1.0, 0))
    exchange = made.receive(b"SSH-2.0-OpenSSH\r\n", 2.0)
    assert exchange is not None
    assert exchange.error.startswith("no HTTP/1.1")
    assert not made.keep_alive
    assert made.lose("gone") is None
