"""What the supervisor and its worker say to each other: one line of JSON each way."""

from __future__ import annotations

import msgspec

MAX_LINE_BYTES = 1 << 16


class WorkerSettings(msgspec.Struct, frozen=True):
    """What to serve and where; the first line on the worker's stdin.

    The context of ``slot_context`` tokens is for each of the ``slots`` that answer at once.
    """

    model_path: str
    socket_path: str
    api_key: str
    model_name: str
    slot_context: int
    slots: int
    threads: int

    def __repr__(self) -> str:
        return f"WorkerSettings(model_name={self.model_name!r})"


class WorkerReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """How starting went; the only line on the worker's stdout. ``error`` is empty where it did."""

    error: str = ""
