"""Canned bytes: no sockets and no loop."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.upstream.errors import Interrupted, NotHttp, UpstreamError
from pointsman_server.upstream.parser import MAX_BARREN_BYTES, MAX_FIELDS, ResponseParser

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Request-Id: 7\r\n"
EVENTS = [b'data: {"n": %d}\n\n' % number for number in range(6)] + [b"data: [DONE]\n\n"]
BODY = b"".join(EVENTS)


def chunked(*pieces: bytes) -> bytes:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def sized(body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return HEAD + b"content-length: %d\r\n\r\n" % size + body


CHUNKED = chunked(*EVENTS)
SIZED = sized(BODY)
UNTIL_CLOSE = HEAD + b"\r\n" + BODY


def fed(*pieces: bytes) -> ResponseParser:
    parser = ResponseParser()
    feed_all(parser, pieces)
    return parser


def feed_all(parser: ResponseParser, pieces: Sequence[bytes]) -> None:
    for piece in pieces:
        parser.feed(piece)


def body(parser: ResponseParser) -> bytes:
    return b"".join(parser.pieces)


@pytest.mark.parametrize("response", [CHUNKED, SIZED])
def test_a_response_is_read_to_its_end(response: bytes) -> None:
    parser = fed(response)
    assert (parser.status, body(parser)) == (200, BODY)
    assert parser.fields[:2] == [(b"Content-Type", b"text/event-stream"), (b"X-Request-Id", b"7")]
    assert parser.complete
    assert parser.keep_alive


def test_a_body_without_a_length_ends_when_the_peer_closes() -> None:
    parser = fed(UNTIL_CLOSE)
    assert body(parser) == BODY
    assert not parser.complete
    assert not parser.keep_alive
    parser.end()
    assert parser.complete


@given(st.data())
def test_any_chunking_reads_the_same(data: st.DataObject) -> None:
    response = data.draw(
        st.sampled_from([CHUNKED, SIZED, b"HTTP/1.1 103 Hi\r\nx: y\r\n\r\n" + SIZED])
    )
    cuts = data.draw(st.lists(st.integers(0, len(response)), max_size=20))
    edges = sorted({0, *cuts, len(response)})
    parser = fed(*(response[a:b] for a, b in pairwise(edges)))
    whole = fed(response)
    assert (parser.status, parser.fields, body(parser)) == (200, whole.fields, BODY)
    assert parser.complete
    assert parser.keep_alive


@pytest.mark.parametrize("response", [CHUNKED, SIZED])
def test_no_place_to_cut_looks_like_an_end(response: bytes) -> None:
    for at in range(len(response)):
        parser = fed(response[:at])
        parser.end()
        assert not parser.complete, at
        assert BODY.startswith(body(parser)), at


def test_a_body_without_a_length_is_cut_only_within_the_head() -> None:
    head = len(HEAD) + 2
    for at in range(len(UNTIL_CLOSE)):
        parser = fed(UNTIL_CLOSE[:at])
        parser.end()
        assert parser.complete is (at >= head), at


def test_a_connection_carries_one_response_after_the_other() -> None:
    parser = ResponseParser()
    for response in (CHUNKED, SIZED, CHUNKED):
        parser.feed(response)
        assert (parser.complete, parser.keep_alive, body(parser)) == (True, True, BODY)
        assert len(parser.fields) == 3
        parser.reset()
        assert (parser.status, parser.complete, parser.pieces) == (0, False, [])


@pytest.mark.parametrize(
    "surplus",
    [b"x", b"\x00\xff", b"HTT", b"HTTP/1.1 200 OK\r\n\r\nfalse", SIZED, b"0\r\n\r\n", b"\r\n\r\nx"],
)
@pytest.mark.parametrize("apart", [True, False])
def test_what_follows_the_end_is_nobodys_and_spoils_the_connection(
    surplus: bytes, apart: bool
) -> None:
    parser = fed(CHUNKED, surplus) if apart else fed(CHUNKED + surplus)
    assert (parser.status, body(parser), parser.complete) == (200, BODY, True)
    assert not parser.keep_alive


@pytest.mark.parametrize(
    "response",
    [
        HEAD + b"content-length: 2\r\nconnection: close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ],
)
def test_a_peer_that_will_close_is_believed(response: bytes) -> None:
    parser = fed(response)
    assert parser.complete
    assert not parser.keep_alive


def test_a_server_that_offers_another_protocol_goes_on_with_this_one() -> None:
    parser = fed(HEAD + b"upgrade: h2,h2c\r\nconnection: Upgrade\r\ncontent-length: 2\r\n\r\nok")
    assert (body(parser), parser.complete, parser.keep_alive) == (b"ok", True, True)


def test_interim_responses_are_not_the_answer() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    parser = fed(interim)
    assert (parser.status, parser.complete) == (0, False)
    parser.feed(SIZED)
    assert (parser.status, body(parser)) == (200, BODY)
    assert b"link" not in dict(parser.fields)


def test_trailers_are_no_headers() -> None:
    parser = fed(CHUNKED[:-2] + b"x-trailer: 1\r\nx-other: 2\r\n\r\n")
    assert parser.complete
    assert len(parser.fields) == 3
    parser.reset()
    parser.feed(SIZED)
    assert len(parser.fields) == 3


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01 this is no HTTP\r\n\r\n",
        b"<html></html>\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 099 Low\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: a\x00b\r\n\r\n",
    ],
)
def test_a_head_that_is_none_is_refused(sent: bytes) -> None:
    with pytest.raises(NotHttp):
        fed(sent)


@pytest.mark.parametrize(
    "framed",
    [
        b"zz\r\n",
        b"2\r\nabXX",
        b"fffffffffffffffff\r\n",
        b"-1\r\n",
        b"2\r\nab\r\n\x00\xff<<garbage>>\r\n\r\n",
    ],
)
def test_a_body_that_is_wrongly_framed_breaks_off_after_what_was_right(framed: bytes) -> None:
    parser = fed(HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nok\r\n")
    with pytest.raises(Interrupted):
        parser.feed(framed)
    assert body(parser).startswith(b"ok")
    assert not parser.complete


def test_old_servers_are_understood() -> None:
    assert body(fed(b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok")) == b"ok"
    padded = HEAD + b"transfer-encoding: chunked\r\n\r\n2  \r\nok\r\n0\r\n\r\n"
    assert fed(padded).complete


def heads_without_end() -> list[list[bytes]]:
    start = b"HTTP/1.1 200 OK\r\n"
    return [
        [start + b"x: " + b"y" * 100_000],
        [start + b"x: " + b"y" * 100_000 + b"\r\n\r\n"],
        [start, *[b"x: " + b"y" * 100 + b"\r\n"] * 1000],
        [start, *[b"x: y\r\n"] * (MAX_FIELDS + 2)],
        [start + b"x: y\r\n" * (MAX_FIELDS + 2)],
        [b"HTTP/1.1 200 " + b"OK" * 50_000],
        [b"HTTP/1.1 100 Continue\r\n\r\n"] * 5000,
        [b"\r\n" * 1000] * 50,
    ]


@pytest.mark.parametrize("pieces", heads_without_end())
def test_a_head_has_bounds(pieces: list[bytes]) -> None:
    with pytest.raises(NotHttp):
        fed(*pieces)


def test_a_head_within_its_bounds_is_read_however_much_body_comes_with_it() -> None:
    headers = b"x: %b\r\n" % (b"y" * (MAX_BARREN_BYTES // 2))
    content = b"z" * 200_000
    parser = fed(b"HTTP/1.1 200 OK\r\n" + headers + b"content-length: 200000\r\n\r\n" + content)
    assert body(parser) == content


@pytest.mark.parametrize(
    "pieces",
    [
        [b"1;x=" + b"y" * 10_000] * 10,
        [b"0\r\n" + b"x: " + b"y" * 10_000, *[b"y" * 10_000] * 10],
        [b"0\r\n", *[b"x: y\r\n"] * (MAX_FIELDS + 2)],
    ],
)
def test_what_brings_a_body_no_further_has_bounds(pieces: list[bytes]) -> None:
    parser = fed(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    with pytest.raises(Interrupted):
        feed_all(parser, pieces)


def test_a_body_that_goes_on_has_no_bounds() -> None:
    parser = fed(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    for _ in range(MAX_BARREN_BYTES // 4):
        for piece in (b"1\r", b"\n", b"x", b"\r", b"\n"):
            parser.feed(piece)
    assert len(body(parser)) == MAX_BARREN_BYTES // 4


@given(st.binary(max_size=300), st.integers(0, 300))
def test_whatever_comes_ends_in_a_response_or_in_an_error_that_does_not_repeat_it(
    sent: bytes, at: int
) -> None:
    try:
        fed(sent[:at], sent[at:])
    except UpstreamError as error:
        raised: UpstreamError | None = error
    else:
        raised = None
    assert raised is None or str(raised) in (str(NotHttp()), str(Interrupted()))
    assert raised is None or raised.__suppress_context__ or raised.__context__ is None
