"""Whether an answer was right: by a glance always, read in full now and then."""

from __future__ import annotations

from pointsman_bench.capacity.answers import AnswerError, Answers
from pointsman_bench.capacity.tally import Exchange, Tally


class Judge:
    """Judges calls that have ended well so far, and corrects what a glance counted wrongly."""

    def __init__(self, answers: Answers, tokens: int, verify_every: int, tally: Tally) -> None:
        self.answers = answers
        self.tally = tally
        self._tokens = tokens
        self._verify_every = verify_every

    def end(self, exchange: Exchange, now: float) -> None:
        """Judge a call and count it."""
        if not exchange.error:
            due = exchange.number % self._verify_every == 0
            if due or exchange.tokens != self._tokens:
                self._read(exchange)
        self.tally.end(exchange, now)

    def _read(self, exchange: Exchange) -> None:
        try:
            tokens = self.answers.read(exchange.pieces)
        except AnswerError as error:
            exchange.error = str(error)
            return
        if self.tally.open:
            self.tally.verified += 1
            self.tally.tokens += tokens - exchange.tokens
        exchange.tokens = tokens
        if tokens != self._tokens:
            exchange.error = f"{tokens} tokens came in place of {self._tokens}"
