"""Blocking calls in a thread, such that nothing they use is taken away while they run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """``call(*args)`` in a thread; a cancellation waits for it to return.

    A thread cannot be interrupted: leaving it behind would let it write to a file that the caller
    is about to close and remove. Calls must therefore be short.
    """
    running = asyncio.create_task(asyncio.to_thread(call, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # retrieved, so that asyncio does not report it as lost
        raise
