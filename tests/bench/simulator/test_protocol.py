"""One connection to the simulator, under virtual time and without a socket."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

import httptools
import pytest
from pointsman_bench.simulator.behaviour import (
    Change,
    Faults,
    Lognormal,
    ModelBehaviour,
    SimulatorConfig,
)
from pointsman_bench.simulator.protocol import Connection, Simulation
from pointsman_bench.simulator.server import Control
from virtual_time import now, virtual_time

STEADY = ModelBehaviour("m", Lognormal(0.2), Lognormal(0.05), Lognormal(4))


class Wire(asyncio.Transport):
    """Keeps what is written, and when."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[tuple[float, bytes]] = []
        self.closed = self.aborted = False

    def write(self, data: object) -> None:
        assert isinstance(data, bytes)
        self.written.append((now(), data))

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True


@dataclass
class Client:
    """A client of one connection, and the books behind it."""

    simulation: Simulation
    wire: Wire = field(default_factory=Wire)

    def __post_init__(self) -> None:
        self.simulation.clock = now
        self.connection = Connection(self.simulation, Control(self.simulation))
        self.connection.connection_made(self.wire)
        self.began = now()

    def ask(self, model: str = "m", **fields: object) -> None:
        body = {"model": model, "messages": [{"role": "user", "content": "x" * 30}], **fields}
        self.send(json.dumps(body).encode())

    def stream(self, model: str = "m", **fields: object) -> None:
        self.ask(model, stream=True, stream_options={"include_usage": True}, **fields)

    def send(self, body: bytes, path: str = "/v1/chat/completions", method: str = "POST") -> None:
        head = f"{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        self.connection.data_received(head.encode() + body)

    @property
    def times(self) -> list[float]:
        """When something was written, seconds after the beginning."""
        return [round(at - self.began, 4) for at, _ in self.wire.written]

    @property
    def books(self) -> dict[str, int]:
        """What is not 0 in the one model's books."""
        ledger = self.simulation.books.ledgers["m"]
        names = ("calls", "completed", "refused", "cut", "cancelled", "in_flight")
        return {name: value for name in names if (value := getattr(ledger, name))}

    def answer(self) -> Answer:
        """All that was written, as HTTP."""
        return Answer(b"".join(data for _, data in self.wire.written))


class Answer:
    """A parsed response."""

    def __init__(self, data: bytes) -> None:
        self.headers: dict[str, str] = {}
        self.body = b""
        self.whole = False
        parser = httptools.HttpResponseParser(self)
        parser.feed_data(data)
        self.status = parser.get_status_code()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.whole = True

    @property
    def events(self) -> list[dict[str, object]]:
        """The events but for the end marker."""
        lines = self.body.decode().split("\n\n")
        return [json.loads(x.removeprefix("data: ")) for x in lines if x and "[DONE]" not in x]

    @property
    def text(self) -> str:
        """What the model says."""
        deltas = [e["choices"][0]["delta"] for e in self.events if e["choices"]]  # type: ignore[index]
        return "".join(delta.get("content", "") for delta in deltas)


def client(model: ModelBehaviour = STEADY, *changes: Change) -> Client:
    return Client(Simulation.of(SimulatorConfig((model,), changes)))


@virtual_time
async def test_tokens_come_when_they_are_due() -> None:
    """The first after its time, each other a gap later, and the end with the last."""
    one = client()
    one.stream()
    await asyncio.sleep(1)
    assert one.times == [0.2, 0.25, 0.3, 0.35]
    answer = one.answer()
    assert (answer.status, answer.whole) == (200, True)
    assert answer.text == "The signal box stands "
    assert answer.events[-2]["choices"][0]["finish_reason"] == "stop"  # type: ignore[index]
    usage = answer.events[-1]["usage"]
    assert usage == {"prompt_tokens": 15, "completion_tokens": 4, "total_tokens": 19}
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert one.books == {"calls": 1, "completed": 1}


@virtual_time
async def test_a_timer_that_fires_early_changes_nothing() -> None:
    """Event loops' clocks lag behind the real one: nothing is sent before it is due, or twice."""
    one = client()
    loop = asyncio.get_running_loop()
    one.simulation.clock = lambda: loop.time() - 0.0011  # woken so, a millisecond is left to wait
    one.stream()
    one.simulation.clock = lambda: loop.time() - 0.0031
    await asyncio.sleep(1)
    answer = one.answer()
    assert answer.whole
    assert answer.text == "The signal box stands "
    assert answer.body.count(b'"role":"assistant"') == 1


@virtual_time
async def test_an_answer_without_gaps_is_one_write() -> None:
    """Head, tokens and end together."""
    one = client(ModelBehaviour("m", Lognormal(0.0), Lognormal(0.0), Lognormal(64)))
    one.stream()
    assert one.times == [0.0]
    assert one.answer().whole
    assert len(one.answer().text.split()) == 64


@virtual_time
async def test_a_bound_cuts_the_answer_short_and_says_so() -> None:
    """As models do."""
    one = client()
    one.stream(max_completion_tokens=2)
    await asyncio.sleep(1)
    assert one.answer().events[-2]["choices"][0]["finish_reason"] == "length"  # type: ignore[index]
    assert len(one.answer().text.split()) == 2


@virtual_time
async def test_usage_is_sent_to_those_who_ask() -> None:
    """And to nobody else."""
    one = client()
    one.ask(stream=True)
    await asyncio.sleep(1)
    assert all("usage" not in event for event in one.answer().events)
    assert one.answer().whole


@virtual_time
async def test_who_wants_no_stream_gets_the_answer_when_a_stream_would_have_ended() -> None:
    """As one JSON object."""
    one = client()
    one.ask()
    await asyncio.sleep(1)
    assert one.times == [0.35]
    body = json.loads(one.answer().body)
    assert body["choices"][0]["message"]["content"] == "The signal box stands "
    assert body["usage"]["completion_tokens"] == 4
    assert one.books == {"calls": 1, "completed": 1}


@virtual_time
async def test_a_client_that_leaves_is_noted_and_sent_nothing_more() -> None:
    """Before the first token or later; the tokens sent stay in the books."""
    for leaves, tokens in ((0.1, 0), (0.27, 2)):
        one = client()
        one.stream()
        await asyncio.sleep(leaves)
        one.connection.connection_lost(None)
        await asyncio.sleep(1)
        assert len(one.wire.written) == tokens
        assert one.books == {"calls": 1, "cancelled": 1}
        assert one.simulation.books.ledgers["m"].output_tokens == tokens
        assert not one.simulation.open


@virtual_time
async def test_a_client_that_closes_between_calls_left_nothing() -> None:
    """An idle connection is no call."""
    one = client()
    one.stream()
    await asyncio.sleep(1)
    one.connection.connection_lost(None)
    assert one.books == {"calls": 1, "completed": 1}


@virtual_time
async def test_a_connection_carries_one_call_after_the_other() -> None:
    """Also where a request comes in pieces."""
    one = client()
    one.stream()
    await asyncio.sleep(1)
    one.wire.written.clear()
    body = json.dumps({"model": "m", "messages": [], "stream": True}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    for piece in (head[:20], head[20:], body[:5], body[5:]):
        one.connection.data_received(piece)
    await asyncio.sleep(1)
    assert one.answer().text == "The signal box stands "
    assert one.books == {"calls": 2, "completed": 2}


@virtual_time
async def test_a_client_that_does_not_read_is_not_sent_more() -> None:
    """Until it does."""
    one = client()
    one.stream()
    await asyncio.sleep(0.21)
    one.connection.pause_writing()
    await asyncio.sleep(1)
    assert one.times == [0.2]
    one.connection.resume_writing()
    assert one.answer().whole
    assert one.books == {"calls": 1, "completed": 1}


@pytest.mark.parametrize(
    ("faults", "status", "retry_after"),
    [
        (Faults(rate_limited=1, retry_after_s=3), 429, "3"),
        (Faults(server_error=1), 500, None),
        (Faults(overloaded=1), 529, None),
    ],
)
def test_refusals_come_in_the_dialects_form(
    faults: Faults, status: int, retry_after: str | None
) -> None:
    """With the wait where there is one; they are no completed calls."""

    @virtual_time
    async def refused() -> None:
        one = client(ModelBehaviour("m", faults=faults))
        one.stream()
        await asyncio.sleep(0.02)
        answer = one.answer()
        assert (answer.status, answer.whole) == (status, True)
        assert json.loads(answer.body)["error"]["code"] == status
        assert answer.headers.get("retry-after") == retry_after
        assert one.books == {"calls": 1, "refused": 1}

    refused()


@virtual_time
async def test_a_cut_answer_has_no_end() -> None:
    """The connection is closed after some tokens, even after the only one."""
    for tokens in (1, 4):
        model = ModelBehaviour(
            "m", Lognormal(0.1), Lognormal(0.01), Lognormal(tokens), faults=Faults(cut=1)
        )
        one = client(model)
        one.stream()
        await asyncio.sleep(1)
        assert one.wire.closed
        assert one.answer().text
        assert not one.answer().whole
        assert b"[DONE]" not in one.answer().body
        one.connection.connection_lost(None)
        assert one.books == {"calls": 1, "cut": 1}


@virtual_time
async def test_a_stalled_answer_stays_open_until_its_client_leaves() -> None:
    """Which the books call cancelled."""
    one = client(
        ModelBehaviour("m", Lognormal(0.1), Lognormal(0.01), Lognormal(4), faults=Faults(stall=1))
    )
    one.stream()
    await asyncio.sleep(60)
    assert not one.wire.closed
    assert not one.answer().whole
    assert one.books == {"calls": 1, "in_flight": 1}
    one.connection.connection_lost(None)
    assert one.books == {"calls": 1, "cancelled": 1}


@virtual_time
async def test_a_model_that_hangs_says_nothing_at_all() -> None:
    """And one that resets does so at once. Changes go by the run's clock."""
    hangs = client(STEADY, Change(("m",), 0, 10, "hang"))
    hangs.simulation.began_at = now()
    hangs.stream()
    await asyncio.sleep(60)
    assert hangs.wire.written == []
    assert hangs.books == {"calls": 1, "in_flight": 1}
    resets = client(STEADY, Change(("m",), 0, 10, "reset"))
    resets.simulation.began_at = now()
    resets.stream()
    assert resets.wire.aborted
    assert resets.books == {"calls": 1, "cut": 1}


@virtual_time
async def test_nothing_changes_before_the_runs_clock_starts() -> None:
    """A change from 0 on would else begin in the warm-up."""
    one = client(STEADY, Change(("m",), 0, 10))
    one.stream()
    await asyncio.sleep(1)
    assert one.answer().status == 200
    one.simulation.began_at = now() + 1
    one.wire.written.clear()
    one.stream()
    await asyncio.sleep(0.9)
    assert one.answer().status == 200


@virtual_time
async def test_only_lateness_in_the_measured_time_is_counted() -> None:
    """A cold start is nobody's measurement."""
    one = client()
    one.simulation.began_at = now() + 1
    one.stream()
    await asyncio.sleep(1.5)
    assert one.simulation.books.late.total == 0
    one.stream()
    await asyncio.sleep(1)
    assert one.simulation.books.late.total == 1


@virtual_time
async def test_what_is_no_request_for_a_model_gets_an_error() -> None:
    """The connection stays open for better ones."""
    for body, path, status in (
        (b"{", "/v1/chat/completions", 400),
        (b'{"model": "m"}', "/v1/chat/completions", 400),
        (b'{"model": "x", "messages": []}', "/v1/chat/completions", 404),
        (b"{}", "/v1/nothing", 404),
    ):
        one = client()
        one.send(body, path)
        assert one.answer().status == status
        assert one.books == {}
        assert not one.wire.closed


@virtual_time
async def test_bytes_that_are_no_http_close_the_connection() -> None:
    """So does a request before the last one was answered."""
    garbled = client()
    garbled.connection.data_received(b"\x00\x01\x02 hello\r\n\r\n")
    assert garbled.wire.closed
    hasty = client()
    hasty.stream()
    hasty.stream()
    assert hasty.wire.closed
    hasty.connection.connection_lost(None)
    await asyncio.sleep(1)
    assert hasty.books == {"calls": 1, "cancelled": 1}


@virtual_time
async def test_the_books_and_the_clock_are_to_be_had_under_control() -> None:
    """And changes can be made while it runs."""
    one = client()
    one.stream()
    await asyncio.sleep(1)
    one.wire.written.clear()
    one.send(b"", "/control/books", "GET")
    account = json.loads(one.answer().body)
    assert account["models"]["m"]["completed"] == 1
    assert account["in_flight"] == 0
    one.send(b'{"in_s": 2}', "/control/start")
    assert one.simulation.began_at == now() + 2
    one.send(b'[{"models": ["m"], "start_s": 0, "end_s": 9}]', "/control/changes")
    await asyncio.sleep(2)
    one.wire.written.clear()
    one.stream()
    await asyncio.sleep(0.02)
    assert one.answer().status == 503


@pytest.mark.parametrize(
    "body", [b'[{"models": ["x"], "start_s": 0, "end_s": 9}]', b"[{}]", b"nonsense"]
)
def test_changes_that_cannot_be_are_refused(body: bytes) -> None:
    """And those in force stay so."""

    @virtual_time
    async def refused() -> None:
        one = client(STEADY, Change(("m",), 0, 1))
        one.send(body, "/control/changes")
        assert one.answer().status == 400
        assert len(one.simulation.changes) == 1

    refused()


@virtual_time
async def test_its_models_are_listed() -> None:
    """As clients of the dialect ask for them."""
    one = client()
    one.send(b"", "/v1/models", "GET")
    assert [m["id"] for m in json.loads(one.answer().body)["data"]] == ["m"]
