"""A conversation over one stream, turn by turn."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from pointsman.v1.router_service_pb2 import (
    ChatCancel,
    ChatRequest,
    ChatResponse,
    ChatSetup,
    ChatTurn,
    CompletionEvent,
)
from pointsman.v1.usage_pb2 import Usage

from pointsman_client.answer import Answer
from pointsman_client.chat_stream import ChatCall, ChatStream
from pointsman_client.errors import (
    BrokenStream,
    Cancelled,
    DeadlineExceeded,
    PointsmanError,
    from_status,
)
from pointsman_client.messages import Prompt, conversation
from pointsman_client.options import Constraints, Overrides

_CANCEL_TIMEOUT_S = 5.0


class Turn(Answer):
    """The answer to one turn of a chat. See ``Answer``.

    Its errors do not end the chat, unless the stream itself has failed. A task that is cancelled
    while it reads leaves the turn under way: read on, or ``await chat.cancel()``.
    """

    def __init__(self, chat: Chat, request: ChatTurn, timeout_s: float | None) -> None:
        super().__init__()
        self._chat = chat
        self._request = request
        self._timeout_s = timeout_s
        self._deadline: float | None = None
        self._begun = False
        self._settled = False
        self._cancel_asked = False
        self._cancelled_usage: Usage | None = None
        self._unread: deque[CompletionEvent] = deque()

    @property
    def turn_id(self) -> str:
        """What identifies the turn within its chat."""
        return self._request.turn_id

    @property
    def cancelled_usage(self) -> Usage | None:
        """What a cancelled turn consumed. None where it was not cancelled."""
        return self._cancelled_usage

    async def aclose(self) -> None:
        """Stop the turn if it is under way; the chat goes on."""
        if self._begun and not self._settled:
            with contextlib.suppress(PointsmanError):
                await self._chat.cancel()

    async def _next_event(self) -> CompletionEvent | None:
        if self._settled:
            return None
        if not self._begun and self._timeout_s is not None:
            self._deadline = asyncio.get_running_loop().time() + self._timeout_s
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._chat._next_event(self)
        except TimeoutError:
            await self.aclose()
            raise DeadlineExceeded(f"the turn took longer than {self._timeout_s} s") from None

    def _take(self, response: ChatResponse) -> None:
        """Take the server's next message in."""
        match response.WhichOneof("response"):
            case "events":
                self._unread.extend(response.events.events)
            case "error":
                self._settled = True
                self._error = self._error or from_status(response.error)
            case "cancelled":
                self._settled = self._cancelled = True
                self._cancelled_usage = response.cancelled.usage
                if not self._cancel_asked:
                    self._error = Cancelled("the server cancelled the turn")
            case _:
                pass

    def _next_unread(self) -> CompletionEvent | None:
        """The next event taken in whose kind is known, or None where there is none."""
        while self._unread:
            event = self._unread.popleft()
            known = self._state.accept(event)
            self._settled = self.completed is not None
            if known:
                return event
        return None


class Chat:
    """A conversation over one stream; an async context manager.

    The server keeps the history while the stream is open. One turn at a time: the next may begin
    once the one before has ended or been cancelled.
    """

    def __init__(
        self,
        start: Callable[[], ChatCall],
        setup: ChatSetup,
        target: str,
        timeout_s: float | None,
    ) -> None:
        self._start = start
        self._setup = setup
        self._target = target
        self._timeout_s = timeout_s
        self._stream: ChatStream | None = None
        self._turn: Turn | None = None
        self._turns = 0
        self._reads = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._stream = ChatStream(self._start(), self._target)
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._stream.write(ChatRequest(setup=self._setup))
        except TimeoutError:
            raise DeadlineExceeded(f"{self._target} did not take the chat") from None
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        under_way = self._turn is not None and not self._turn._settled
        await self._opened().close(in_peace=kind is None and not under_way)

    @property
    def is_open(self) -> bool:
        """Whether another turn can be taken: true after a turn that failed by itself."""
        return self._stream is not None and not self._stream.failed

    def turn(
        self,
        prompt: Prompt,
        *,
        overrides: Overrides | None = None,
        constraints: Constraints | None = None,
        timeout_s: float | None = None,
    ) -> Turn:
        """Take the next turn: what the user says, or what the tools returned.

        Args:
            prompt: The user's words, or messages.
            overrides: What the caller already knows of this turn.
            constraints: Replaces the chat's own, for this turn.
            timeout_s: The most that the turn may take from when it is first read; the client's
                own where not given, none with ``math.inf``.

        Returns:
            The answer. Reading it raises RuntimeError while another turn is under way.

        """
        self._turns += 1
        request = ChatTurn(
            turn_id=str(self._turns),
            messages=conversation(prompt),
            overrides=None if overrides is None else overrides.to_proto(),
            constraints=None if constraints is None else constraints.to_proto(),
        )
        return Turn(self, request, self._timeout_s if timeout_s is None else timeout_s)

    async def cancel(self) -> None:
        """Stop the turn under way, if there is one. Its text so far stays in the history.

        Does not wait: the turn's iteration ends once the server has stopped it, and its
        ``cancelled_usage`` says what it cost. It may also have completed in the meantime.
        """
        turn = self._turn
        if turn is None or turn._settled or turn._cancel_asked:
            return
        turn._cancel_asked = True
        request = ChatRequest(cancel=ChatCancel(turn_id=turn.turn_id))
        try:
            async with asyncio.timeout(_CANCEL_TIMEOUT_S):
                await self._opened().write(request)
        except TimeoutError:
            raise DeadlineExceeded(f"{self._target} takes no more messages") from None

    async def _next_event(self, turn: Turn) -> CompletionEvent | None:
        if not turn._begun:
            await self._begin(turn)
        return await self._advance(turn)

    async def _begin(self, turn: Turn) -> None:
        stream = self._opened()
        stream.check()
        while self._turn is not None and not self._turn._settled:
            if not self._turn._cancel_asked:
                raise RuntimeError(
                    "another turn is under way: read it to its end, or await chat.cancel()"
                )
            # What is left of a cancelled turn comes before anything of the next.
            await self._advance(self._turn)
        self._turn = turn
        turn._begun = True
        await stream.write(ChatRequest(turn=turn._request))

    async def _advance(self, turn: Turn) -> CompletionEvent | None:
        """Read on until the turn has a new event, or None where it is over."""
        stream = self._opened()
        async with self._reads:
            while True:
                try:
                    event = turn._next_unread()
                    if event is not None or turn._settled:
                        return event
                    response = await stream.read()
                    if response.turn_id != turn.turn_id:
                        raise BrokenStream("the server answered a turn that is not under way")
                    turn._take(response)
                except BrokenStream as error:
                    raise stream.fail(error) from None

    def _opened(self) -> ChatStream:
        if self._stream is None:
            raise RuntimeError("the chat is not open: use `async with client.chat() as chat`")
        return self._stream
