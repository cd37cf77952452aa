"""The fast transport: gRPC over h2corn, an HTTP/2 server in Rust, inside our own event loop.

h2corn reads and writes on threads of its own and runs the application as tasks of our loop. It
cancels such a task as soon as its client resets the stream or goes away, holds at most 2 MiB of
responses a connection for a client that does not read, and then makes the task wait.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

from h2corn import Config
from h2corn._lib import prepare_tls, serve_fds
from h2corn._lifespan import PreparedApplication

from pointsman_server.api.call import Service
from pointsman_server.domain.clock import Monotonic
from pointsman_server.transports.asgi import GrpcApplication
from pointsman_server.transports.base import SETTLE_S, GrpcSettings, OnFault
from pointsman_server.transports.exchange import Limits
from pointsman_server.transports.inspection import Health, reflection_services, served_names
from pointsman_server.transports.listening import (
    adopt,
    close,
    forget,
    listen,
    turn_away,
)

MAX_METADATA_BYTES = 16 * 1024
_MAX_HEADER_BLOCK_BYTES = 256 * 1024  # over this it is not the call that ends, but the connection
_WINDOW_BYTES = 1024 * 1024
_CONNECTION_WINDOW_BYTES = 4 * _WINDOW_BYTES
_UNREAD_TIMES = 6  # how much longer a reader may pause that holds up nobody
LAST_WORDS_S = 1.0
"""How long clients have to take the statuses of calls that a stop has cut off."""


class FastServer:
    """Serves handlers over gRPC, with health and reflection. See `Transport`."""

    def __init__(
        self,
        settings: GrpcSettings,
        services: Sequence[Service],
        clock: Monotonic,
        on_fault: OnFault,
    ) -> None:
        self._settings = settings
        self._health = Health(s.name for s in services)
        background = [self._health.service(), *reflection_services(served_names(services))]
        limits = Limits(settings.max_request_bytes, settings.stalled_s)
        self._application = GrpcApplication(services, background, limits, clock, on_fault)
        self._sockets: list[socket.socket] = []
        self._stop = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen. ``port`` is then the port in use, also where 0 was asked for.

        Raises:
            OSError: the address cannot be listened on.
        """
        settings = self._settings
        silence_s, answer_s = settings.keepalive_s, settings.keepalive_timeout_s
        if settings.listen_fds:
            sockets = adopt(settings.listen_fds, silence_s=silence_s, answer_s=answer_s)
        else:
            sockets = listen(
                settings.address,
                reuse_port=settings.reuse_port,
                silence_s=silence_s,
                answer_s=answer_s,
            )
        self._sockets = sockets
        if not settings.address.startswith("unix:"):
            self.port = sockets[0].getsockname()[1]
        started = asyncio.Event()
        serving = asyncio.create_task(self._serve(started), name="h2corn")
        waiting = asyncio.create_task(started.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not started.is_set():
            self._stop_listening()
            await serving
        self._serving = serving
        self._health.set(serving=True)

    async def not_serving(self) -> None:
        """Tell load balancers to send nothing more, while calls under way go on."""
        self._health.set(serving=False)

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, give those under way ``grace_s`` seconds, then cut them off.

        Watchers of our health and readers of our reflection never end by themselves, and are not
        waited for. A second call, while the first waits, may shorten its grace.
        """
        serving = self._serving
        if serving is None:
            return
        self._stop.set()
        if not self._settings.listen_fds:
            turn_away(self._sockets)
        idle = asyncio.create_task(self._drained())
        try:
            waited = {idle, serving}
            await asyncio.wait(waited, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            idle.cancel()
        self._application.cut_off()
        await asyncio.wait({serving}, timeout=LAST_WORDS_S)
        self._serving = None
        self._stop_listening()

    def _stop_listening(self) -> None:
        sockets, self._sockets = self._sockets, []
        close(sockets)
        if sockets and not self._settings.listen_fds:
            forget(self._settings.address)

    async def _serve(self, started: asyncio.Event) -> None:
        """Serve until told to stop, and until every connection is closed.

        h2corn's own `Server` does this, too; it also says on standard error what it is and where
        it listens, between our logs.
        """
        config = _config(self._settings, self._sockets)
        application = PreparedApplication(self._application, False, config.lifespan)
        await application.startup(required=False)
        stop = asyncio.create_task(self._until_stop())
        try:
            await serve_fds(
                application,
                [one.fileno() for one in self._sockets],
                config,
                stop,
                ready_trigger=lambda error: started.set() if error is None else None,
                prepared_tls=prepare_tls(config),
            )
        finally:
            stop.cancel()

    async def _until_stop(self) -> str:
        await self._stop.wait()
        return "stop"

    async def _drained(self) -> None:
        await asyncio.sleep(SETTLE_S)  # calls just accepted are not counted yet
        await self._application.under_way.idle()


def _config(settings: GrpcSettings, sockets: Sequence[socket.socket]) -> Config:
    return Config(
        bind=tuple(f"fd://{one.fileno()}" for one in sockets),
        lifespan="off",
        http1=False,
        grpc=True,
        access_log=False,
        log_format="json",
        date_header=False,
        runtime_threads=1,
        max_concurrent_streams=settings.max_concurrent_streams,
        h2_max_header_list_size=MAX_METADATA_BYTES,
        h2_max_header_block_size=_MAX_HEADER_BLOCK_BYTES,
        h2_initial_stream_window_size=_WINDOW_BYTES,
        h2_initial_connection_window_size=_CONNECTION_WINDOW_BYTES,
        h2_timeout_response_stall=settings.stalled_s * _UNREAD_TIMES,
        timeout_keep_alive=0,
        # `FastServer.stop` ends calls before; this ends what clients have still not read then
        timeout_graceful_shutdown=settings.max_drain_s + LAST_WORDS_S,
    )
