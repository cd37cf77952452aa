"""Requests as two providers would answer them: drawn from a seed, without a server or a clock."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from pointsman_bench.simulator.behaviour import Lognormal, Tail

_SHORTEST, _LONGEST = 10, 60_000


@dataclass(frozen=True, slots=True)
class Slowdown:
    """From ``start`` until ``end`` (shares of the whole) first tokens take ``factor`` times."""

    start: float
    end: float
    factor: float


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is sent, and how the models behave. Times in seconds.

    Attributes:
        rate: requests a second; they come as a Poisson process.
        requests: how many.
        first_token: of a prompt without tokens, with either model.
        tail: calls that take far longer.
        prompt: tokens of prompts.
        per_token: by what share a first-token time grows for each token of the prompt.
        answer: how long an answer takes after its first token.
        slowdowns: what happens to both models meanwhile.
    """

    rate: float = 100.0
    requests: int = 20_000
    first_token: Lognormal = Lognormal(0.05, 0.4)
    tail: Tail = Tail(0.02, 20.0)
    prompt: Lognormal = Lognormal(300.0, 1.2)
    per_token: float = 0.0
    answer: Lognormal = Lognormal(1.0, 0.7)
    slowdowns: tuple[Slowdown, ...] = ()

    def length_factor(self, prompt_tokens: int) -> float:
        """How many times longer a prompt's first token takes than one's without tokens."""
        return 1.0 + self.per_token * prompt_tokens


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``first_token_s`` and ``answer_s`` are of the first model and of the second."""

    due_s: float
    prompt_tokens: int
    first_token_s: tuple[float, float]
    answer_s: float


def draw(traffic: Traffic, seed: int) -> list[Request]:
    """The requests in the order in which they are due; equal seeds draw equal ones."""
    chance = random.Random(seed)
    length_s = traffic.requests / traffic.rate
    drawn, now = [], 0.0
    for _ in range(traffic.requests):
        now += chance.expovariate(traffic.rate)
        tokens = round(min(max(_sample(traffic.prompt, chance), _SHORTEST), _LONGEST))
        slow = traffic.length_factor(tokens) * _slowness(traffic, now / length_s)
        first = traffic.tail.factor if chance.random() < traffic.tail.share else 1.0
        second = first
        if chance.random() >= traffic.tail.shared:
            second = traffic.tail.factor if chance.random() < traffic.tail.share else 1.0
        times = (
            _sample(traffic.first_token, chance) * slow * first,
            _sample(traffic.first_token, chance) * slow * second,
        )
        drawn.append(Request(now, tokens, times, _sample(traffic.answer, chance)))
    return drawn


def _sample(of: Lognormal, chance: random.Random) -> float:
    return of.median * math.exp(of.sigma * chance.gauss(0, 1))


def _slowness(traffic: Traffic, moment: float) -> float:
    factor = 1.0
    for slowdown in traffic.slowdowns:
        if slowdown.start <= moment < slowdown.end or moment >= 1 <= slowdown.end:
            factor *= slowdown.factor
    return factor
