"""How a serving process is told to stop: once to let calls end, twice to end them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine

from pointsman_server.app import Server


class Stop:
    """What was asked for so far. ``exit_code`` is the one that suits it."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.cut = asyncio.Event()
        self.exit_code = 0

    def on_signals(self) -> None:
        """Let SIGTERM and Ctrl-C ask: the first to stop, the second to do so at once."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.signalled, number)

    def signalled(self, number: int) -> None:
        """A signal has come."""
        if self.asked.is_set():
            self.exit_code = 128 + number
            self.cut.set()
        self.asked.set()

    async def unless_cut(self, work: Coroutine[None, None, None]) -> bool:
        """Do ``work`` and tell whether it was done; break it off where that is asked for."""
        working = asyncio.create_task(work)
        cut = asyncio.create_task(self.cut.wait())
        await asyncio.wait({working, cut}, return_when=asyncio.FIRST_COMPLETED)
        cut.cancel()
        if working.done():
            await working
            return True
        working.cancel()
        await asyncio.wait({working})
        return False


async def serve_until_stopped(server: Server, stop: Stop) -> None:
    """Serve on, let calls under way end, and close everything.

    Where calls are to be cut off instead, what is left of them ends with the event loop.
    """
    await stop.asked.wait()
    if not await stop.unless_cut(server.drain()):
        await server.core.close()
