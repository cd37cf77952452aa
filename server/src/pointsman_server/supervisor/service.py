"""The parent: does what the `Fleet` decides, and tells it what happens."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
from collections.abc import Callable

from pointsman_server.supervisor.actions import (
    Action,
    Announce,
    Cut,
    Drain,
    Finish,
    Kill,
    Start,
    Tell,
)
from pointsman_server.supervisor.fleet import Fleet
from pointsman_server.supervisor.gather import Gatherer, own_metrics
from pointsman_server.supervisor.hangup import Terminal
from pointsman_server.supervisor.journal import Journal
from pointsman_server.supervisor.listening import Port, reserve
from pointsman_server.supervisor.messages import Failed, FromWorker, Order, Ready, Report, Seat
from pointsman_server.supervisor.page import Page
from pointsman_server.supervisor.pinned import PinnedFile
from pointsman_server.supervisor.plan import Plan, host_port
from pointsman_server.supervisor.process import Ended, WorkerProcess

_ANOTHER = "choose another with --address or --metrics"

Event = Callable[[float], list[Action]]


class Service:
    """Runs the workers of a `Plan` on ``port``."""

    def __init__(self, plan: Plan, port: Port, journal: Journal) -> None:
        self._plan = plan
        self._port = port
        self._journal = journal
        self._fleet = Fleet(plan.workers, random.random)
        self._workers: dict[int, WorkerProcess] = {}
        self._sockets: dict[int, list[socket.socket]] = {}
        self._configs: dict[int, PinnedFile | None] = {}
        self._newest_config = 0
        self._passed_over: dict[str, str] = {}
        self._facts: Ready | None = None
        self._gatherer = Gatherer(self._workers)
        self._page = Page(self.metrics)
        self._metrics_port: int | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._terminal = Terminal()
        self._loop = asyncio.get_running_loop()
        self._finished: asyncio.Future[Finish] = self._loop.create_future()

    async def run(self) -> Finish:
        """Serve until told to stop, or until that cannot be.

        Raises:
            OSError: the configuration cannot be read, or the metrics cannot be served.
        """
        self._configs[0] = self._pinned()
        await self._serve_metrics()
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                self._loop.add_signal_handler(number, self._stop, number)
            self._loop.add_signal_handler(signal.SIGHUP, self._hung_up)
            self._happened(self._fleet.begin)
            return await self._finished
        finally:
            await self._page.close()

    async def metrics(self) -> str:
        """The metrics of all workers as one page."""
        return await self._gatherer.page(own_metrics(self._fleet.count(), self._fleet.crashes))

    async def _serve_metrics(self) -> None:
        if not self._plan.metrics:
            return
        host, port = host_port(self._plan.metrics)
        try:
            self._metrics_port = await self._page.start(host, port)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            where = self._plan.metrics
            raise OSError(f"cannot serve metrics on {where}: {why}; {_ANOTHER}") from None

    def _pinned(self) -> PinnedFile | None:
        path = self._plan.config_path
        try:
            return PinnedFile.read(path) if path else None
        except OSError as error:
            raise OSError(f"{path} cannot be read: {error.strerror}") from None

    def _stop(self, number: int) -> None:
        self._journal.write("info", "stopping", {"signal": signal.Signals(number).name})
        self._happened(lambda now: self._fleet.stop(now, 128 + number))

    def _hung_up(self) -> None:
        if self._terminal.is_gone():
            self._stop(signal.SIGHUP)
            return
        try:
            config = self._pinned()
        except OSError as error:
            self._journal.write("error", "reload_failed", {"why": str(error)})
            return
        self._newest_config = newest = self._newest_config + 1
        self._configs[newest] = config
        self._happened(lambda now: self._fleet.reload(now, newest))

    def _heard(self, start: Start, message: FromWorker | Ended) -> None:
        match message:
            case Ready(workers=workers, drain_s=drain_s):
                self._compare(message)
                if not message.adopted:
                    # its predecessor may have: what is sent to those sockets, nobody takes now
                    self._close(start.slot)
                self._happened(lambda now: self._fleet.ready(now, start.number, workers, drain_s))
            case Report(text):
                self._gatherer.reported(start.number, text)
            case Ended(why=why, failed=failed):
                del self._workers[start.number]
                self._gatherer.ended(start.number)
                code = failed.exit_code if failed else 1
                self._happened(lambda now: self._fleet.exited(now, start.number, why, code))

    def _compare(self, ready: Ready) -> None:
        """What is asked for elsewhere than at the start is told: it cannot be had by a reload."""
        self._facts = ready
        for setting, now, then in (
            ("server.address", ready.address, self._plan.address),
            ("server.metrics", ready.metrics, self._plan.metrics),
        ):
            if now != then and self._passed_over.get(setting) != now:
                self._passed_over[setting] = now
                fields = {"setting": setting, "asked_for": now, "in_force": then}
                self._journal.write("warning", "needs_a_restart", fields)

    def _happened(self, event: Event) -> None:
        """Tell the fleet and do what it wants."""
        if self._alarm is not None:
            self._alarm.cancel()
        actions = event(self._loop.time())
        self._release()
        for action in actions:
            self._do(action)
        wake_at = self._fleet.wake_at()
        if wake_at is not None and not self._finished.done():
            self._alarm = self._loop.call_at(wake_at, self._happened, self._fleet.tick)

    def _release(self) -> None:
        """Close what nobody needs: connections must not queue where nobody takes them."""
        for slot in [s for s in self._sockets if not self._fleet.occupied(s)]:
            self._close(slot)
        for number in self._configs.keys() - self._fleet.generations():
            config = self._configs.pop(number)
            if config is not None:
                config.close()

    def _close(self, slot: int) -> None:
        for one in self._sockets.pop(slot, ()):
            one.close()

    def _do(self, action: Action) -> None:
        match action:
            case Start():
                self._start(action)
            case Drain(number):
                self._workers[number].tell(Order.DRAIN)
            case Cut(number):
                self._workers[number].tell(Order.CUT)
            case Kill(number):
                self._workers[number].kill()
            case Tell(level, event, fields):
                self._journal.write(level, event, fields)
            case Announce():
                self._announce()
            case Finish():
                self._finished.set_result(action)

    def _start(self, start: Start) -> None:
        worker = WorkerProcess(lambda message: self._heard(start, message))
        self._workers[start.number] = worker
        try:
            if start.slot not in self._sockets:
                self._sockets[start.slot] = self._port.slot()
        except OSError as error:
            failed = Failed(f"cannot listen on {self._port.address}: {error.strerror}", 1)
            self._loop.call_soon(self._heard, start, Ended(1, failed))
            return
        config = self._configs[start.generation]
        seat = Seat(
            slot=start.slot,
            control_fd=-1,
            listen_fds=[one.fileno() for one in self._sockets[start.slot]],
            address=self._port.address,
            config_fd=config.fd if config else -1,
            config_path=self._plan.config_path,
        )
        worker.start(self._plan.arguments, seat)

    def _announce(self) -> None:
        facts = self._facts
        models = facts.models if facts else []
        self._journal.write(
            "info",
            "serving",
            {
                "address": self._port.address,
                "workers": self._fleet.wanted,
                "metrics_port": self._metrics_port,
                "models": models,
                "classifier": facts.classifier if facts else None,
                "config": facts.config if facts else None,
                "config_digest": facts.config_digest if facts else None,
            },
        )
        if self._plan.banner:
            self._journal.say(
                f"serving {', '.join(models)}\non {self._port.address} with "
                f"{self._fleet.wanted} workers; Ctrl-C stops them"
            )


async def serve(plan: Plan, journal: Journal) -> Finish:
    """Serve ``plan`` to its end.

    Raises:
        OSError: an address cannot be listened on, or the configuration cannot be read.
    """
    host, number = host_port(plan.address)
    try:
        port = reserve(host, number)
    except OSError as error:
        why = f"cannot listen on {plan.address}: {error.strerror}; {_ANOTHER}"
        raise OSError(why) from None
    try:
        return await Service(plan, port, journal).run()
    finally:
        port.close()
