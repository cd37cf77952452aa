"""Tell whose cancellation a CancelledError is."""

from __future__ import annotations

import asyncio


def being_cancelled() -> bool:
    """Whether a CancelledError is asyncio's word to the current task.

    gRPC raises the same error to whoever awaits a call that was cancelled on this side.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
