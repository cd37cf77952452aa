"""The bidirectional stream under a chat: reads, writes, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TypeAlias

import grpc
from pointsman.v1.router_service_pb2 import ChatRequest, ChatResponse

from pointsman_client.errors import BrokenStream, Cancelled, PointsmanError, from_rpc_error
from pointsman_client.tasks import being_cancelled

_END_GRACE_S = 1.0

ChatCall: TypeAlias = "grpc.aio.StreamStreamCall[ChatRequest, ChatResponse]"


class ChatStream:
    """One open call of RouterService.Chat. Once it has failed, it fails in the same way for good.

    One reader at a time; writers take turns. A reader that is cancelled loses no message: the
    next reader gets it. A writer that is cancelled ends the stream, since half a message cannot
    be taken back.
    """

    def __init__(self, call: ChatCall, target: str) -> None:
        self._call = call
        self._target = target
        self._responses = aiter(call)
        self._reading: asyncio.Task[ChatResponse | PointsmanError] | None = None
        self._writes = asyncio.Lock()
        self._answered = False
        self._error: PointsmanError | None = None

    @property
    def failed(self) -> bool:
        """Whether it has ended for good."""
        return self._error is not None

    def check(self) -> None:
        """Raise the PointsmanError that has ended the stream, if one has."""
        if self._error is not None:
            raise self._error

    async def read(self) -> ChatResponse:
        """Wait for the server's next message.

        Raises:
            PointsmanError: there is none: the stream has ended, and why.

        """
        self.check()
        if self._reading is None:
            self._reading = asyncio.create_task(self._pull())
        outcome = await asyncio.shield(self._reading)
        self._reading = None
        if isinstance(outcome, PointsmanError):
            raise self.fail(outcome)
        self._answered = True
        return outcome

    async def write(self, request: ChatRequest) -> None:
        """Send a message.

        Raises:
            PointsmanError: the stream has ended, and why.

        """
        async with self._writes:
            self.check()
            try:
                await self._call.write(request)
            except (asyncio.InvalidStateError, grpc.aio.AioRpcError):
                raise self.fail(await self._ending()) from None
            except asyncio.CancelledError:
                error = self.fail(Cancelled("the chat was cancelled"))
                if being_cancelled():
                    raise
                raise error from None

    def fail(self, error: PointsmanError) -> PointsmanError:
        """End the stream for a reason; returns the reason that was first."""
        if self._error is None:
            self._error = error
        self._call.cancel()
        return self._error

    async def close(self, *, in_peace: bool) -> None:
        """End the stream: in peace by saying so and hearing the server out, otherwise at once."""
        if in_peace and self._error is None:
            with contextlib.suppress(TimeoutError, PointsmanError):
                async with asyncio.timeout(_END_GRACE_S):
                    await self._call.done_writing()
                    while True:
                        await self.read()
        self.fail(Cancelled("the chat is closed"))
        if self._reading is not None:
            await self._reading
            self._reading = None

    async def _pull(self) -> ChatResponse | PointsmanError:
        """Read once. Failures are returned, so that nobody need be there to catch them."""
        try:
            return await anext(self._responses)
        except StopAsyncIteration:
            return BrokenStream("the server ended the chat")
        except grpc.aio.AioRpcError as error:
            return from_rpc_error(error, self._target, answered=self._answered)
        except asyncio.CancelledError:
            return Cancelled("the chat was cancelled")

    async def _ending(self) -> PointsmanError:
        """Say why a call that takes no more writes has ended."""
        call = self._call
        code = await call.code()
        if code is grpc.StatusCode.OK:
            return BrokenStream("the server ended the chat")
        error = grpc.aio.AioRpcError(
            code,
            await call.initial_metadata(),
            await call.trailing_metadata(),
            details=await call.details(),
        )
        return from_rpc_error(error, self._target, answered=self._answered)
