"""How the core says what happens, without knowing who listens.

Observers must be quick and must not raise. Only `DecisionDetails` carry a prompt, and only an
observer that was switched on to see it may keep it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from pointsman_server.domain.attempts import AttemptReason, AttemptRecord
from pointsman_server.domain.decision import Decision
from pointsman_server.domain.errors import RouterError
from pointsman_server.domain.messages import Message
from pointsman_server.domain.money import Usage
from pointsman_server.domain.request import CallContext


@dataclass(frozen=True, slots=True)
class DecisionDetails:
    """A prompt was routed. ``messages`` is for observers that were switched on to see prompts."""

    decision: Decision
    context: CallContext
    messages: Sequence[Message]


@dataclass(frozen=True, slots=True)
class AttemptStart:
    """An attempt began."""

    decision_id: str
    number: int
    model: str
    reason: AttemptReason


@dataclass(frozen=True, slots=True)
class AttemptDetails:
    """An attempt ended."""

    decision_id: str
    record: AttemptRecord
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """A call ended, in whatever way: what it spent and what came of it.

    ``error`` names the class of the error that ended it; empty where the answer is whole.
    ``baseline_cost_nanos`` is what the answer alone would have cost with the strongest model; 0
    without one. ``first_token_s`` and ``duration_s`` count from acceptance, in seconds.
    """

    decision_id: str
    context: CallContext
    attempts: tuple[AttemptRecord, ...]
    usage: Usage
    baseline_cost_nanos: int
    error: str
    first_token_s: float | None
    duration_s: float


class Observer(Protocol):
    """Told of everything that happens to a request."""

    def reading_failed(self, error: Exception) -> None:
        """The classifier broke down on a prompt; the request goes on without a reading."""

    def refused(self, error: RouterError) -> None:
        """A request ended before a model was chosen."""

    def decided(self, details: DecisionDetails) -> None:
        """A model was chosen."""

    def attempt_started(self, details: AttemptStart) -> None:
        """A provider call began."""

    def attempt_ended(self, details: AttemptDetails) -> None:
        """A provider call ended."""

    def request_ended(self, receipt: Receipt) -> None:
        """A request ended, whole, failed or cancelled."""


class Observers:
    """Several observers as one.

    One that raises, against its contract, harms neither the others nor the request: ``on_fault``
    is told, and may itself fail (where it writes to the disk that is full, say).
    """

    def __init__(
        self, observers: Sequence[Observer], on_fault: Callable[[Exception], object]
    ) -> None:
        self._observers = tuple(observers)
        self._on_fault = on_fault

    def reading_failed(self, error: Exception) -> None:
        """Tell all."""
        self._tell(lambda observer: observer.reading_failed(error))

    def refused(self, error: RouterError) -> None:
        """Tell all."""
        self._tell(lambda observer: observer.refused(error))

    def decided(self, details: DecisionDetails) -> None:
        """Tell all."""
        self._tell(lambda observer: observer.decided(details))

    def attempt_started(self, details: AttemptStart) -> None:
        """Tell all."""
        self._tell(lambda observer: observer.attempt_started(details))

    def attempt_ended(self, details: AttemptDetails) -> None:
        """Tell all."""
        self._tell(lambda observer: observer.attempt_ended(details))

    def request_ended(self, receipt: Receipt) -> None:
        """Tell all."""
        self._tell(lambda observer: observer.request_ended(receipt))

    def _tell(self, news: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            try:
                news(observer)
            except Exception as error:  # noqa: BLE001 - a full disk must not end requests
                with suppress(Exception):
                    self._on_fault(error)
