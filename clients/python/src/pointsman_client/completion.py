"""One answer over one call."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import TypeAlias

import grpc
from pointsman.v1.router_service_pb2 import CompleteRequest, CompleteResponse, CompletionEvent

from pointsman_client.answer import Answer
from pointsman_client.errors import PointsmanError, from_rpc_error
from pointsman_client.tasks import being_cancelled

_END_GRACE_S = 1.0

CompleteCall: TypeAlias = "grpc.aio.UnaryStreamCall[CompleteRequest, CompleteResponse]"


class Completion(Answer):
    """The answer to ``Client.complete``. See ``Answer``.

    A task that is cancelled while it reads cancels the call, and with it the server's work.
    """

    def __init__(self, start: Callable[[], CompleteCall], target: str) -> None:
        super().__init__()
        self._start = start
        self._target = target
        self._call: CompleteCall | None = None
        self._responses: AsyncIterator[CompleteResponse] | None = None
        self._answered = False
        self._unread: deque[CompletionEvent] = deque()

    def cancel(self) -> None:
        """Stop the answer: the server stops its provider calls. No effect once it is whole."""
        if self.completed is None and self._error is None:
            self._cancelled = True
            self._unread.clear()
            if self._call is not None:
                self._call.cancel()

    async def aclose(self) -> None:
        """Stop the answer if it is still coming; otherwise let the call end in peace."""
        if self.completed is not None:
            # The status is still to come. To cancel now would look like a caller who left.
            with contextlib.suppress(PointsmanError, TimeoutError):
                async with asyncio.timeout(_END_GRACE_S):
                    await self._next_event()
        self.cancel()
        if self._call is not None:
            self._call.cancel()

    async def _next_event(self) -> CompletionEvent | None:
        while True:
            while self._unread:
                event = self._unread.popleft()
                try:
                    known = self._state.accept(event)
                except PointsmanError:
                    if self._call is not None:
                        self._call.cancel()
                    raise
                if known:
                    return event
            response = await self._next_response()
            if response is None:
                return None
            self._unread.extend(response.events)

    async def _next_response(self) -> CompleteResponse | None:
        if self._responses is None:
            if self._cancelled:
                return None
            self._call = self._start()
            self._responses = aiter(self._call)
        try:
            response = await anext(self._responses)
        except StopAsyncIteration:
            return None
        except asyncio.CancelledError:
            self._cancelled = self.completed is None
            if being_cancelled():
                raise
            return None
        except grpc.aio.AioRpcError as error:
            if self.completed is not None:
                return None
            raise from_rpc_error(error, self._target, answered=self._answered) from error
        self._answered = True
        return response
