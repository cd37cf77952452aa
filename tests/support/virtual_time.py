"""An event loop on which time passes only when everyone waits: tests are exact and never sleep."""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

P = ParamSpec("P")


class _Jump(selectors.DefaultSelector):
    """Waits for nothing: where the loop would sleep, its clock jumps."""

    loop: VirtualTimeLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events:
            if timeout is None:
                raise RuntimeError("everything waits for something that will never happen")
            self.loop.now += timeout
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Its ``time`` begins at 1,000 s, so that a forgotten zero is seen."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.lost: list[dict[str, Any]] = []
        selector = _Jump()
        selector.loop = self
        super().__init__(selector)
        self.set_exception_handler(lambda _, context: self.lost.append(context))

    def time(self) -> float:
        return self.now


def now() -> float:
    """The running loop's time: the clock to pass in."""
    return asyncio.get_running_loop().time()


def virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async test under virtual time; it fails if it leaves a task or loses an error."""

    async def watched(*args: P.args, **kwargs: P.kwargs) -> None:
        await test(*args, **kwargs)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"left running: {left}"

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        loops: list[VirtualTimeLoop] = []

        def make() -> VirtualTimeLoop:
            loops.append(VirtualTimeLoop())
            return loops[0]

        with asyncio.Runner(loop_factory=make) as runner:
            runner.run(watched(*args, **kwargs))
        assert not loops[0].lost, f"errors that nobody saw: {loops[0].lost}"

    return run
