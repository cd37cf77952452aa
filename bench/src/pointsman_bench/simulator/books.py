"""What the simulator saw: the providers' own account."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from pointsman_bench.results import ModelBooks
from pointsman_bench.sparse import Sparse


@dataclass(slots=True)
class Ledger:
    """The calls of one model so far."""

    calls: int = 0
    completed: int = 0
    refused: int = 0
    cut: int = 0
    cancelled: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def in_flight(self) -> int:
        """Calls that have not ended."""
        return self.calls - self.completed - self.refused - self.cut - self.cancelled


@dataclass(frozen=True, slots=True)
class Account:
    """A copy of the books, as the control endpoint sends it. ``late`` is an encoded histogram."""

    models: dict[str, ModelBooks]
    in_flight: int
    late: str
    late_p99_s: float
    unknown: int
    cpu_s: float


@dataclass(slots=True)
class Books:
    """One ledger a model; ``unknown`` counts calls of models that there are not."""

    ledgers: dict[str, Ledger]
    late: Sparse = field(default_factory=Sparse)
    unknown: int = 0

    @classmethod
    def of(cls, models: Iterable[str]) -> Books:
        """Empty books."""
        return cls({name: Ledger() for name in models})

    def account(self, cpu_s: float) -> Account:
        """The books as they are now."""
        return Account(
            models={name: _copy(ledger) for name, ledger in self.ledgers.items()},
            in_flight=sum(ledger.in_flight for ledger in self.ledgers.values()),
            late=self.late.encode() if self.late.counts else "",
            late_p99_s=self.late.quantile(0.99) or 0.0,
            unknown=self.unknown,
            cpu_s=cpu_s,
        )


def to_json(account: Account) -> bytes:
    """The account as JSON."""
    return msgspec.json.encode(account)


def from_json(data: bytes) -> Account:
    """Read an account."""
    return msgspec.json.decode(data, type=Account)


def _copy(ledger: Ledger) -> ModelBooks:
    return ModelBooks(
        calls=ledger.calls,
        completed=ledger.completed,
        refused=ledger.refused,
        cut=ledger.cut,
        cancelled=ledger.cancelled,
        input_tokens=ledger.input_tokens,
        output_tokens=ledger.output_tokens,
    )
