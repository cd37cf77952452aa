"""What the parent and a worker say to each other: one line of JSON a message.

    parent -> worker   an `Order`
    worker -> parent   `Ready` or `Failed`, once; then a `Report` for each that was ordered, and a
                       last one when everything has ended

The end of the channel means that the other side is gone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum

MAX_LINE_BYTES = 16 * 1024 * 1024
"""A report has every series of a worker's metrics: tens of kilobytes, usually."""


class Order(StrEnum):
    """What a worker is told."""

    REPORT = "report"
    DRAIN = "drain"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class Seat:
    """A worker's place, given on its command line.

    File descriptors are inherited. ``listen_fds`` are sockets bound to ``address``, which are
    shared with the worker's successor. ``config_fd`` has the configuration file's text as it is in
    force; negative where there is no file.
    """

    slot: int
    control_fd: int
    listen_fds: list[int]
    address: str
    config_fd: int = -1
    config_path: str = ""


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker serves. What it was told by its configuration, and what it serves.

    ``adopted`` says whether it serves from the sockets of its seat, or from such as it has bound.
    """

    adopted: bool
    workers: int
    address: str
    metrics: str
    drain_s: float
    config: str
    config_digest: str
    classifier: str
    models: list[str]


@dataclass(frozen=True, slots=True)
class Failed:
    """The worker cannot serve. ``message`` is for people, as a command's error is."""

    message: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class Report:
    """The worker's metrics, in Prometheus' text format."""

    text: str


FromWorker = Ready | Failed | Report


class ProtocolError(Exception):
    """A line is no message; the text says why, without repeating the line."""


def encode(message: FromWorker | Order) -> bytes:
    """A message as a line."""
    if isinstance(message, Order):
        return message.value.encode() + b"\n"
    value = {"kind": type(message).__name__.lower(), **asdict(message)}
    return json.dumps(value).encode() + b"\n"


def decode(line: bytes) -> FromWorker:
    """A worker's message.

    Raises:
        ProtocolError: it is none.
    """
    has = _Fields(line)
    match has.text("kind"):
        case "ready":
            return Ready(
                adopted=bool(has.whole("adopted")),
                workers=has.whole("workers"),
                address=has.text("address"),
                metrics=has.text("metrics"),
                drain_s=has.number("drain_s"),
                config=has.text("config"),
                config_digest=has.text("config_digest"),
                classifier=has.text("classifier"),
                models=has.texts("models"),
            )
        case "failed":
            return Failed(has.text("message"), has.whole("exit_code"))
        case "report":
            return Report(has.text("text"))
        case _:
            raise ProtocolError("a message of no known kind")


def encode_seat(seat: Seat) -> str:
    """A seat for the command line."""
    return json.dumps(asdict(seat))


def decode_seat(text: str) -> Seat:
    """A seat from the command line.

    Raises:
        ProtocolError: it is none.
    """
    has = _Fields(text.encode())
    return Seat(
        slot=has.whole("slot"),
        control_fd=has.whole("control_fd"),
        listen_fds=has.wholes("listen_fds"),
        address=has.text("address"),
        config_fd=has.whole("config_fd"),
        config_path=has.text("config_path"),
    )


def decode_order(line: bytes) -> Order:
    """An order.

    Raises:
        ProtocolError: it is none.
    """
    try:
        return Order(line.decode().strip())
    except ValueError:
        raise ProtocolError("not an order") from None


class _Fields:
    """A mapping's values, each taken once and of its type."""

    def __init__(self, line: bytes) -> None:
        try:
            value = json.loads(line)
        except ValueError:
            raise ProtocolError("not JSON") from None
        if not isinstance(value, dict):
            raise ProtocolError("not a mapping")
        self._values: dict[str, object] = value

    def text(self, name: str) -> str:
        value = self._values.pop(name, None)
        if not isinstance(value, str):
            raise ProtocolError(f"{name} is no text")
        return value

    def whole(self, name: str) -> int:
        value = self._values.pop(name, None)
        if not isinstance(value, int):
            raise ProtocolError(f"{name} is no whole number")
        return value

    def number(self, name: str) -> float:
        value = self._values.pop(name, None)
        if not isinstance(value, (int, float)):
            raise ProtocolError(f"{name} is no number")
        return float(value)

    def wholes(self, name: str) -> list[int]:
        value = self._values.pop(name, None)
        if not isinstance(value, list) or not all(isinstance(each, int) for each in value):
            raise ProtocolError(f"{name} is no list of whole numbers")
        return value

    def texts(self, name: str) -> list[str]:
        value = self._values.pop(name, None)
        if not isinstance(value, list):
            raise ProtocolError(f"{name} is no list")
        return [str(each) for each in value]
