"""The server's own account, from its metrics page in Prometheus' text format."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp

from pointsman_bench.load.errors import BenchError

_TIMEOUT = aiohttp.ClientTimeout(total=10)
_NAMES = {
    "pointsman_requests_total": "requests",
    "pointsman_attempts_total": "attempts",
    "pointsman_attempts_in_flight": "in_flight",
    "pointsman_cost_usd_total": "cost_usd",
}


@dataclass(frozen=True, slots=True)
class Scrape:
    """What a server had counted when it was looked at."""

    requests: int = 0
    attempts: int = 0
    in_flight: int = 0
    cost_usd: float = 0.0

    def since(self, earlier: Scrape) -> Scrape:
        """What was counted since ``earlier``; what is in flight is as it is."""
        return Scrape(
            self.requests - earlier.requests,
            self.attempts - earlier.attempts,
            self.in_flight,
            self.cost_usd - earlier.cost_usd,
        )


def parse(text: str) -> Scrape:
    """Sum the samples of each metric over its labels; what is not there counts as 0."""
    sums = dict.fromkeys(_NAMES.values(), 0.0)
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name = line.partition("{")[0].partition(" ")[0]
        if name in _NAMES:
            # labels may hold anything; the value, and perhaps a timestamp, stand after them
            rest = line.rpartition("}")[2] if "{" in line else line.partition(" ")[2]
            sums[_NAMES[name]] += float(rest.split()[0])
    return Scrape(
        requests=round(sums["requests"]),
        attempts=round(sums["attempts"]),
        in_flight=round(sums["in_flight"]),
        cost_usd=sums["cost_usd"],
    )


async def scrape(url: str) -> Scrape:
    """Look at a metrics page.

    Raises:
        BenchError: there is none.
    """
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session, session.get(url) as response:
            response.raise_for_status()
            return parse(await response.text())
    except (aiohttp.ClientError, TimeoutError) as error:
        raise BenchError(
            f"no metrics are to be had at {url} ({error}); give the page of the server that "
            f"--target names with --metrics, or leave it away"
        ) from None
