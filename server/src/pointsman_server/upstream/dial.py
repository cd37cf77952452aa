"""Opening a TCP connection to a name: all its addresses, staggered ("Happy Eyeballs", RFC 8305)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Coroutine, Iterable, Sequence
from itertools import chain, zip_longest

STAGGER_S = 0.25

Address = tuple[socket.AddressFamily, tuple[object, ...]]
Connect = Callable[[Address], Coroutine[None, None, socket.socket]]


async def dial(host: str, port: int) -> socket.socket:
    """Connect to ``host``; the first of its addresses to answer wins.

    Raises:
        OSError: the name does not resolve (`socket.gaierror`), or no address answers.
    """
    return await first_to_answer(in_turn(await _resolve(host, port)), _connect, STAGGER_S)


def in_turn(addresses: Iterable[Address]) -> list[Address]:
    """Order addresses so that the families take turns, beginning with the first one's."""
    families: dict[socket.AddressFamily, list[Address]] = {}
    for address in addresses:
        families.setdefault(address[0], []).append(address)
    turns = chain.from_iterable(zip_longest(*families.values()))
    return [address for address in turns if address is not None]


async def first_to_answer(
    addresses: Sequence[Address], connect: Connect, stagger_s: float
) -> socket.socket:
    """Connect to one address after the other, beginning with the next where one fails or is slow.

    Raises:
        OSError: none answers; it is what the first one said, which the resolver prefers.
    """
    if len(addresses) == 1:
        return await connect(addresses[0])
    waiting = list(reversed(addresses))
    attempts: list[asyncio.Task[socket.socket]] = []
    running: set[asyncio.Task[socket.socket]] = set()
    try:
        while waiting or running:
            if waiting:
                attempts.append(asyncio.create_task(connect(waiting.pop())))
                running.add(attempts[-1])
            done, running = await asyncio.wait(
                running,
                timeout=stagger_s if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for attempt in done:
                if attempt.exception() is None:
                    attempts.remove(attempt)
                    return attempt.result()
        return attempts[0].result()
    finally:
        for attempt in attempts:
            attempt.cancel()
            attempt.add_done_callback(_close_late)


def _close_late(attempt: asyncio.Task[socket.socket]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()


async def _resolve(host: str, port: int) -> list[Address]:
    for family in (socket.AF_INET, socket.AF_INET6):
        # An address needs no resolver, whose threads may all be busy.
        with contextlib.suppress(OSError, ValueError):
            socket.inet_pton(family, host)
            return [(family, (host, port))]
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise socket.gaierror("a label of the name is empty or too long") from None
    return [(family, address) for family, _, _, _, address in found]


async def _connect(address: Address) -> socket.socket:
    family, peer = address
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        await asyncio.get_running_loop().sock_connect(connection, peer)
    except BaseException:
        connection.close()
        raise
    return connection
