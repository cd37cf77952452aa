"""RouterService.Chat: one conversation over one stream.

Two tasks serve a conversation: one reads what the client says, so that a cancel is heard while a
turn is answered; the other answers turns in order. What they have to say goes through one bounded
queue, so that a client that does not read slows its provider down instead of filling memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing

from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from pointsman.v1 import router_service_pb2, usage_pb2

from pointsman_server.api import requests, responses
from pointsman_server.api.call import Call
from pointsman_server.api.messages import answer_message, recent
from pointsman_server.api.requests import ChatDefaults
from pointsman_server.api.status import to_status
from pointsman_server.domain import messages as domain
from pointsman_server.domain.clock import Monotonic
from pointsman_server.domain.errors import (
    FieldViolation,
    InvalidRequest,
    Overloaded,
    RouterError,
    ShuttingDown,
)
from pointsman_server.domain.events import (
    Completed,
    CompletionEvent,
    ModelSwitched,
    TextDelta,
    ToolCallDelta,
)
from pointsman_server.domain.messages import ToolCall
from pointsman_server.engine import SHED_RETRY_S, Completion, Engine

_pb = router_service_pb2

MAX_WAITING_TURNS = 8
MAX_HISTORY_CHARACTERS = 4 * 1024 * 1024
_OUTBOX = 16


class ChatHandler:
    """Serves conversations; each call of `chat` is one."""

    def __init__(self, engine: Engine, clock: Monotonic, total_s: float) -> None:
        self._engine = engine
        self._clock = clock
        self._total_s = total_s
        self._open: set[_Conversation] = set()
        self._draining = False

    def drain(self) -> None:
        """End every conversation once none of its turns is under way or waits."""
        self._draining = True
        for conversation in self._open:
            conversation.drain()

    async def chat(
        self, incoming: AsyncIterator[_pb.ChatRequest], call: Call
    ) -> AsyncGenerator[Message, None]:
        """Answer the turns of one conversation until the client has said its last.

        Raises:
            InvalidRequest: the client broke the order of the conversation: no setup first, a
                second setup, or the turn_id of a turn that has not ended.
            ShuttingDown: the server is draining; every turn that was taken has been answered.
        """
        conversation = _Conversation(self._engine, self._clock, self._total_s, call)
        if self._draining:
            conversation.drain()
        self._open.add(conversation)
        try:
            async with aclosing(conversation.run(incoming)) as outgoing:
                async for response in outgoing:
                    yield response
        finally:
            self._open.discard(conversation)


class _Turn:
    """One turn: waiting, then under way, then over."""

    def __init__(self, message: _pb.ChatTurn) -> None:
        self.message = message
        self.cancelled = False
        self.task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        if self.cancelled:  # once: a second would interrupt the settling that the first began
            return
        self.cancelled = True
        if self.task is not None:
            self.task.cancel()


class _Answer:
    """What a turn has said so far."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.calls: list[ToolCall] = []
        self.whole = False

    def add(self, batch: Iterable[CompletionEvent]) -> None:
        for event in batch:
            match event:
                case Completed():
                    self.whole = True
                case TextDelta(_, text):
                    self.text.append(text)
                case ToolCallDelta(_, tool_call):
                    self.calls.append(tool_call)
                case ModelSwitched(discard=True):
                    self.text.clear()
                    self.calls.clear()


class _Conversation:
    def __init__(self, engine: Engine, clock: Monotonic, total_s: float, call: Call) -> None:
        self._engine = engine
        self._clock = clock
        self._total_s = total_s
        self._call = call
        self._history: tuple[domain.Message, ...] = ()
        self._turns: dict[str, _Turn] = {}
        self._waiting: deque[_Turn] = deque()
        self._wake = asyncio.Event()
        self._said_last = False
        self._draining = False
        self._left = False
        # None ends the conversation
        self._outbox: asyncio.Queue[_pb.ChatResponse | None] = asyncio.Queue(_OUTBOX)

    def drain(self) -> None:
        self._draining = True
        self._wake.set()

    async def run(
        self, incoming: AsyncIterator[_pb.ChatRequest]
    ) -> AsyncGenerator[_pb.ChatResponse, None]:
        work = asyncio.create_task(self._work(incoming), name="chat")
        try:
            while (response := await self._outbox.get()) is not None:
                yield response
            await work
        finally:
            self._left = True  # nobody takes from the outbox any more: waiting for room in it hangs
            work.cancel()
            await asyncio.wait({work})

    async def _work(self, incoming: AsyncIterator[_pb.ChatRequest]) -> None:
        """Listen and answer until both are done; then say that nothing more comes."""
        try:
            defaults = await self._setup(incoming)
            if defaults is None:
                return
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(incoming))
                group.create_task(self._answer_all(defaults))
        except* RouterError as errors:
            raise errors.exceptions[0] from None
        finally:
            if not self._left:
                await self._outbox.put(None)

    async def _setup(self, incoming: AsyncIterator[_pb.ChatRequest]) -> ChatDefaults | None:
        first = await anext(incoming, None)
        if first is None:
            return None
        if first.WhichOneof("request") != "setup":
            raise InvalidRequest(FieldViolation("setup", "must be the first message of a chat"))
        defaults = requests.from_setup(first.setup)
        self._history = defaults.history
        return defaults

    async def _listen(self, incoming: AsyncIterator[_pb.ChatRequest]) -> None:
        async for request in incoming:
            match request.WhichOneof("request"):
                case "turn":
                    await self._take(request.turn)
                case "cancel":
                    turn = self._turns.get(request.cancel.turn_id)
                    if turn is not None:
                        turn.cancel()
                case "setup":
                    problem = "a chat is set up once, by its first message"
                    raise InvalidRequest(FieldViolation("setup", problem))
                case _:
                    problem = "is empty, or a kind of message that this server does not know"
                    raise InvalidRequest(FieldViolation("request", problem))
        self._said_last = True
        self._wake.set()

    async def _take(self, message: _pb.ChatTurn) -> None:
        if not message.turn_id or len(message.turn_id) > requests.MAX_ID:
            problem = f"must have 1 to {requests.MAX_ID} characters"
            raise InvalidRequest(FieldViolation("turn.turn_id", problem))
        if message.turn_id in self._turns:
            problem = f"{message.turn_id!r} is a turn that has not ended"
            raise InvalidRequest(FieldViolation("turn.turn_id", problem))
        if len(self._waiting) >= MAX_WAITING_TURNS:
            refusal = to_status(Overloaded(MAX_WAITING_TURNS, SHED_RETRY_S))
            await self._say(message.turn_id, error=refusal)
            return
        turn = _Turn(message)
        self._turns[message.turn_id] = turn
        self._waiting.append(turn)
        self._wake.set()

    async def _answer_all(self, defaults: ChatDefaults) -> None:
        while True:
            while not self._waiting:
                if self._said_last:
                    return
                if self._draining:
                    raise ShuttingDown
                self._wake.clear()
                await self._wake.wait()
            turn = self._waiting.popleft()
            # a task of its own, so that it can be cancelled without ending the conversation
            turn.task = asyncio.create_task(self._answer(turn, defaults), name="chat turn")
            try:
                if turn.cancelled:
                    turn.task.cancel()
                await asyncio.wait({turn.task})
            finally:
                turn.task.cancel()
                await asyncio.wait({turn.task})
            if turn.task.cancelled():  # before it began
                await self._say(turn.message.turn_id, cancelled=_pb.ChatCancelled())
            else:
                turn.task.result()
            del self._turns[turn.message.turn_id]

    async def _answer(self, turn: _Turn, defaults: ChatDefaults) -> None:
        turn_id, answer = turn.message.turn_id, _Answer()
        asked: tuple[domain.Message, ...] = ()
        completion: Completion | None = None
        try:
            call = Call(accepted_at=self._clock(), deadline=self._call.deadline)
            request = requests.from_turn(turn.message, defaults, self._history, call, self._total_s)
            asked = request.messages[len(self._history) :]
            completion = self._engine.complete(request)
            await self._stream(turn_id, completion, answer, call)
        except RouterError as error:
            self._remember(asked, answer)
            await self._say(turn_id, error=to_status(_in_turn(error, turn.message)))
            return
        except asyncio.CancelledError:
            if self._left or not turn.cancelled:
                raise
            self._remember(asked, answer)
            if answer.whole:  # the cancel came too late to have an effect
                return
            receipt = completion.receipt if completion else None
            usage = responses.to_usage(receipt.usage) if receipt else usage_pb2.Usage()
            await self._say(turn_id, cancelled=_pb.ChatCancelled(usage=usage))
            return
        self._remember(asked, answer)

    async def _stream(
        self, turn_id: str, completion: Completion, answer: _Answer, call: Call
    ) -> None:
        sequence = 0
        async with aclosing(completion.events()) as batches:
            async for batch in batches:
                elapsed = self._clock() - call.accepted_at
                message = _pb.ChatResponse(turn_id=turn_id)
                responses.add_events(message.events.events, batch, sequence, elapsed)
                await self._outbox.put(message)
                # remembered only once it is on its way: what a cancel keeps is what was sent
                answer.add(batch)
                sequence += len(batch)

    def _remember(self, asked: tuple[domain.Message, ...], answer: _Answer) -> None:
        """Keep the turn in the history, unless nothing was said."""
        said = answer_message(answer.text, answer.calls)
        if said is None:
            return
        self._history = recent((*self._history, *asked, said), MAX_HISTORY_CHARACTERS)

    async def _say(
        self,
        turn_id: str,
        *,
        error: Status | None = None,
        cancelled: _pb.ChatCancelled | None = None,
    ) -> None:
        response = _pb.ChatResponse(turn_id=turn_id, error=error, cancelled=cancelled)
        await self._outbox.put(response)


def _in_turn(error: RouterError, turn: _pb.ChatTurn) -> RouterError:
    """The error with the paths that fields have in a chat, where the engine named a request's."""
    if not isinstance(error, InvalidRequest):
        return error
    homes = {
        "overrides": "turn",
        "constraints": "turn" if turn.HasField("constraints") else "setup",
    }
    return InvalidRequest(
        *(
            FieldViolation(f"{homes[root]}.{v.field}", v.description)
            if (root := v.field.partition(".")[0]) in homes
            else v
            for v in error.violations
        )
    )
