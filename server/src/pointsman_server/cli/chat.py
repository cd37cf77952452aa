"""`pointsman chat`: a conversation over one bidirectional stream."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Annotated

import typer
from pointsman_client import (
    DEFAULT_TARGET,
    Chat,
    Client,
    Constraints,
    Generation,
    PointsmanError,
    Turn,
)

from pointsman_server.cli.answers import AnswerPrinter
from pointsman_server.cli.complete import MaxTokens, Models, System
from pointsman_server.cli.options import Json, ServerAddress
from pointsman_server.cli.runner import run_async
from pointsman_server.cli.terminal import ModelColours, as_dict, err, out, print_json

MAX_LINE = 1024 * 1024


def chat(
    server: ServerAddress = None,
    model: Models = None,
    max_tokens: MaxTokens = None,
    system: System = None,
    timeout: Annotated[float, typer.Option(help="Seconds that a turn may take.")] = 300.0,
    json_output: Json = False,
) -> None:
    """Hold a conversation; each turn is routed by itself. Needs a server: pointsman serve.

    A line is a turn. Ctrl-C stops the answer under way; Ctrl-C or Ctrl-D at the prompt ends.
    """
    constraints = Constraints(models=tuple(model or ()))

    async def talk() -> None:
        async with (
            Client(server or DEFAULT_TARGET, timeout_s=timeout) as client,
            client.chat(
                system=system,
                constraints=constraints,
                generation=Generation(max_output_tokens=max_tokens),
            ) as conversation,
        ):
            await _Talk(conversation, json_output=json_output).run()

    run_async(talk())


class _Talk:
    """Reads lines and prints answers, one turn at a time."""

    def __init__(self, chat: Chat, *, json_output: bool) -> None:
        self._chat = chat
        self._json = json_output
        self._colours = ModelColours()
        self._interrupted = asyncio.Event()
        self._answering = False
        self._prompts = sys.stdin.isatty() and not json_output

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        lines = _Lines()
        try:
            while True:
                if self._prompts:
                    out().print("[bold]you[/] ", end="")
                line = await self._next_line(lines)
                if line is None:
                    break
                if line.strip():
                    await self._turn(line)
        finally:
            loop.remove_signal_handler(signal.SIGINT)
        if self._prompts:
            out().print()

    def _interrupt(self) -> None:
        self._interrupted.set()

    async def _next_line(self, lines: _Lines) -> str | None:
        """The next line; ``None`` at the end of input or at Ctrl-C."""
        self._interrupted.clear()
        reading = asyncio.create_task(lines.next())
        interrupted = asyncio.create_task(self._interrupted.wait())
        done, _ = await asyncio.wait({reading, interrupted}, return_when=asyncio.FIRST_COMPLETED)
        interrupted.cancel()
        if reading in done:
            return reading.result()
        reading.cancel()
        await asyncio.wait({reading})
        return None

    async def _turn(self, line: str) -> None:
        turn = self._chat.turn(line)
        self._interrupted.clear()
        stopping = asyncio.create_task(self._stop_when_interrupted())
        try:
            await self._print(turn)
        except PointsmanError as error:
            if not self._chat.is_open:
                raise
            self._say(str(error), turn)
        finally:
            stopping.cancel()

    async def _stop_when_interrupted(self) -> None:
        await self._interrupted.wait()
        await self._chat.cancel()

    async def _print(self, turn: Turn) -> None:
        if self._json:
            async for event in turn:
                print_json({"turn_id": turn.turn_id, "event": as_dict(event)})
            if turn.cancelled_usage is not None:
                usage = as_dict(turn.cancelled_usage)
                print_json({"turn_id": turn.turn_id, "cancelled": {"usage": usage}})
            return
        printer = AnswerPrinter(colours=self._colours)
        async for event in turn:
            printer.event(event)
        if turn.cancelled_usage is not None:
            printer.end_text()
            out().print("  stopped", style="dim")

    def _say(self, message: str, turn: Turn) -> None:
        if self._json:
            print_json({"turn_id": turn.turn_id, "error": message})
        else:
            err().print(f"  {message}", style="red")


class _Lines:
    """Lines of standard input, without blocking the loop or a thread that outlives it.

    The descriptor stays in blocking mode: it may be the terminal's, which output shares.
    """

    def __init__(self) -> None:
        self._fd = sys.stdin.fileno()
        self._buffer = b""
        self._ended = False

    async def next(self) -> str | None:
        """The next line, or ``None`` at the end. Cancelling loses nothing."""
        while b"\n" not in self._buffer and not self._ended and len(self._buffer) < MAX_LINE:
            await self._readable()
            data = os.read(self._fd, 65536)
            self._buffer += data
            self._ended = not data
        line, newline, self._buffer = self._buffer.partition(b"\n")
        return line.decode(errors="replace") if line or newline else None

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        try:
            loop.add_reader(self._fd, readable.set)
        except OSError:
            return  # a plain file: always readable, and cannot be polled
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._fd)
