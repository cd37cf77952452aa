"""The TypeScript client against every transport: its conformance program, check by check."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from scripted_prompts import first_account, prompt_of, second_account
from served import Served, serving
from transports import over
from typescript import PACKAGE, CheckResult, Departure, build, conform, own_tests
from upstream import Upstream

SOON_S = 0.1

_CHECK = re.compile(r'^  "([^"]+)": async \(', re.MULTILINE)


def _checks() -> list[str]:
    """The names of the program's checks, by its source."""
    sources = ("calls.ts", "streams.ts")
    texts = [(PACKAGE / "conformance" / name).read_text() for name in sources]
    return [name for text in texts for name in _CHECK.findall(text)]


CHECKS = _checks()


@dataclass(frozen=True)
class Run:
    """What came of the program over one transport, and how long after each departure (in seconds)
    the provider's connection was closed: ``None`` where it was not."""

    results: dict[str, CheckResult]
    delays: dict[str, float | None]
    faults: int


@pytest.fixture(scope="session")
def dist(request: pytest.FixtureRequest) -> Path:
    """The client, built once a session."""
    return build(request.config.cache.mkdir("pointsman-typescript"))


@cache
def run(dist: Path, transport: str) -> Run:
    """Run the program over a transport, once a session."""
    return asyncio.run(_run(dist, transport))


async def _run(dist: Path, transport: str) -> Run:
    with TemporaryDirectory() as folder:
        async with serving(Path(folder), over(transport)) as served:
            served.one.default, served.two.default = first_account, second_account
            results = await conform(dist, served.address, served.server.drain)
            return Run(results, _delays(served, results), len(served.log_lines("internal_error")))


def _delays(served: Served, results: dict[str, CheckResult]) -> dict[str, float | None]:
    left = [departure for result in results.values() for departure in result.left]
    return {one.prompt: _delay(served.one, one) for one in left}


def _delay(upstream: Upstream, departure: Departure) -> float | None:
    for request in upstream.requests:
        if prompt_of(request) == departure.prompt:
            for close in upstream.closes:
                if close.connection == request.connection and close.at > request.at:
                    return close.at - departure.left_at if close.answering else None
    return None


@pytest.mark.parametrize("check", CHECKS)
def test_it_is_served(check: str, transport: str, dist: Path) -> None:
    found = run(dist, transport)
    result = found.results.get(check)
    assert result is not None, "the program ended before this check"
    assert result.ok, result.error
    for departure in result.left:
        delay_s = found.delays[departure.prompt]
        assert delay_s is not None, f"the provider was not told: {departure.prompt}"
        assert -0.01 < delay_s < SOON_S


def test_every_check_is_run_and_none_fails_inside_the_server(transport: str, dist: Path) -> None:
    found = run(dist, transport)
    assert list(found.results) == CHECKS
    assert len(CHECKS) >= 35
    assert sum(len(result.left) for result in found.results.values()) >= 6
    assert found.faults == 0


def test_the_clients_own_tests_pass(dist: Path) -> None:
    own_tests(dist)
