"""One connection to the simulator: HTTP/1.1 in, answers out as their plans say."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import httptools
import msgspec

from pointsman_bench.simulator.behaviour import Change, ModelBehaviour, SimulatorConfig
from pointsman_bench.simulator.books import Books, Ledger
from pointsman_bench.simulator.draw import CallPlan, draw, next_gap
from pointsman_bench.simulator.payload import Payload, error_answer, json_answer

MAX_BODY_BYTES = 16 << 20
_ANSWERS_WAITED_FOR_S = 0.0005
"""A first token due sooner than this is sent at once: timers are no finer than a millisecond."""

Control = Callable[[bytes, str, bytes], bytes | None]
"""Method, path and body of a request to the control endpoint; its answer, None if there is none."""


class _StreamOptions(msgspec.Struct):
    include_usage: bool = False


class _Body(msgspec.Struct):
    model: str
    messages: msgspec.Raw
    stream: bool = False
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None


@dataclass(slots=True)
class Simulation:
    """What all connections share. ``began_at`` is when the run's clock started (monotonic)."""

    models: dict[str, ModelBehaviour]
    payloads: dict[str, Payload]
    changes: list[Change]
    books: Books
    rng: random.Random
    clock: Callable[[], float] = time.monotonic
    began_at: float | None = None
    open: set[Connection] = field(default_factory=set)

    @classmethod
    def of(cls, config: SimulatorConfig) -> Simulation:
        """A simulation that has seen nothing."""
        models = {model.name: model for model in config.models}
        return cls(
            models=models,
            payloads={name: Payload(name) for name in models},
            changes=list(config.changes),
            books=Books.of(models),
            rng=random.Random(config.seed),
        )

    def now_s(self) -> float:
        """The run's clock: below 0 until it starts."""
        return -1.0 if self.began_at is None else self.clock() - self.began_at

    def was_late(self, seconds: float) -> None:
        """Note how late a first token was sent; before the clock starts, nobody measures."""
        if self.began_at is None or self.now_s() >= 0:
            self.books.late.record(seconds)


@dataclass(slots=True)
class _Answer:
    """An answer under way."""

    plan: CallPlan
    payload: Payload
    ledger: Ledger
    input_tokens: int
    stream: bool
    usage: bool
    due: float
    sent: int = 0
    timer: asyncio.TimerHandle | None = None


class Connection(asyncio.Protocol):
    """Answers one request after the other."""

    def __init__(self, simulation: Simulation, control: Control) -> None:
        self._shared = simulation
        self._control = control
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._answer: _Answer | None = None
        self._url = b""
        self._body = bytearray()
        self._whole = False
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but class
        self._shared.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone; if it was being answered, it did not want the rest."""
        self._shared.open.discard(self)
        self._transport = None
        answer, self._answer = self._answer, None
        if answer is not None:
            if answer.timer is not None:
                answer.timer.cancel()
            answer.ledger.cancelled += 1

    def pause_writing(self) -> None:
        """The client reads more slowly than it is sent to."""
        self._paused = True

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._paused = False
        if self._answer is not None and self._answer.timer is None:
            self._wait(self._answer)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()
            return
        # not in the parser's own callback, which would take an error of ours for one of the client
        if self._whole:
            self._whole = False
            self._serve()

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url = b""
        self._body.clear()

    def on_url(self, url: bytes) -> None:
        """A piece of the path."""
        self._url += url

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body += body
        if len(self._body) > MAX_BODY_BYTES:
            self.close()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._whole = True

    def _serve(self) -> None:
        if self._transport is None or self._answer is not None:
            self.close()  # a client that sends before it was answered
            return
        path = self._url.decode("latin-1").partition("?")[0]
        if path.endswith("/chat/completions"):
            self._chat()
            return
        answer = self._control(self._parser.get_method(), path, bytes(self._body))
        self._transport.write(answer or error_answer(404, f"there is nothing at {path}"))

    def _chat(self) -> None:
        shared = self._shared
        try:
            asked = msgspec.json.decode(bytes(self._body), type=_Body)
        except msgspec.MsgspecError as error:
            self._write(error_answer(400, str(error)))
            return
        model = shared.models.get(asked.model)
        if model is None:
            shared.books.unknown += 1
            self._write(error_answer(404, f"there is no model {asked.model!r}"))
            return
        ledger = shared.books.ledgers[asked.model]
        ledger.calls += 1
        key = bytes(asked.messages)
        bound = asked.max_completion_tokens or asked.max_tokens
        plan = draw(model, shared.changes, shared.now_s(), key, bound, shared.rng)
        answer = _Answer(
            plan=plan,
            payload=shared.payloads[asked.model],
            ledger=ledger,
            input_tokens=max(1, len(key) // 4),
            stream=asked.stream,
            usage=bool(asked.stream_options and asked.stream_options.include_usage),
            due=shared.clock() + plan.first_token_s,
        )
        self._answer = answer
        if plan.status == 200 and not plan.reset:
            ledger.input_tokens += answer.input_tokens
        if plan.reset and self._transport is not None:
            self._ended(answer)
            ledger.cut += 1
            self._transport.abort()
        elif not plan.silent:
            self._wait(answer)

    def _wait(self, answer: _Answer) -> None:
        wait = answer.due - self._shared.clock()
        if wait > _ANSWERS_WAITED_FOR_S:
            answer.timer = self._loop.call_later(wait, self._go_on, answer)
        else:
            self._go_on(answer)

    def _go_on(self, answer: _Answer) -> None:
        """Send what is due by now."""
        answer.timer = None
        plan = answer.plan
        if plan.status != 200:
            message = f"simulated status {plan.status}"
            self._ended(answer)
            answer.ledger.refused += 1
            self._write(error_answer(plan.status, message, plan.retry_after_s))
        elif not answer.stream:
            self._send_whole(answer)
        elif not self._paused:
            self._send_due(answer)

    def _send_whole(self, answer: _Answer) -> None:
        plan = answer.plan
        if answer.sent == 0 and plan.gap_s:  # wait as long as a stream would have taken
            answer.sent = plan.tokens
            answer.due += plan.gap_s * (plan.tokens - 1)
            self._wait(answer)
            return
        finish = "stop" if plan.full else "length"
        self._completed(answer, plan.tokens)
        self._write(answer.payload.whole(finish, answer.input_tokens, plan.tokens))

    def _send_due(self, answer: _Answer) -> None:
        plan, first = answer.plan, answer.sent
        now = self._shared.clock()
        late = now - answer.due
        broken = plan.cut_after or plan.stall_after
        last = broken or plan.tokens
        upto = last if plan.gap_s == 0 else first
        while upto < last and answer.due <= now + _ANSWERS_WAITED_FOR_S:
            upto += 1
            answer.due += next_gap(plan, self._shared.rng)
        if upto == first and upto < last:  # a timer may fire a little early
            self._wait(answer)
            return
        if first == 0:
            self._shared.was_late(late)
        parts: list[bytes | memoryview] = [answer.payload.opening()] if first == 0 else []
        parts.append(answer.payload.tokens(first, upto - first))
        answer.sent = upto
        answer.ledger.output_tokens += upto - first
        if upto == last and broken is None:
            finish = "stop" if plan.full else "length"
            closing = answer.payload.closing(
                finish, answer.input_tokens, plan.tokens, usage=answer.usage
            )
            self._completed(answer, 0)
            self._write(b"".join([*parts, closing]))
            return
        self._write(b"".join(parts))
        if upto < last:
            self._wait(answer)
        elif plan.cut_after is not None:
            self._ended(answer)
            answer.ledger.cut += 1
            self.close()

    def _completed(self, answer: _Answer, tokens: int) -> None:
        self._ended(answer)
        answer.ledger.completed += 1
        answer.ledger.output_tokens += tokens

    def _ended(self, answer: _Answer) -> None:
        if self._answer is answer:
            self._answer = None

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


def models_answer(simulation: Simulation) -> bytes:
    """What GET /v1/models answers."""
    listed = [{"id": name, "object": "model"} for name in simulation.models]
    return json_answer(msgspec.json.encode({"object": "list", "data": listed}))
