"""The overhead bench, against a scripted upstream and a real server."""

from __future__ import annotations

import pytest
from answers import text_reply
from pointsman_bench.overhead.measure import Settings, _quantiles, _Samples, measure
from pointsman_client import PointsmanError
from upstream import upstream_server


def test_differences_are_taken_within_a_round() -> None:
    """A round that was slow for both sides adds nothing to the difference."""
    samples = _Samples()
    for slowness in (1.0, 50.0, 2.0):
        samples.add("direct", [slowness] * 10)
        samples.add("routed", [slowness + 0.25] * 10)
    assert samples.difference("added", "routed", "direct").quantiles == (0.25, 0.25, 0.25)
    assert samples.row("direct").quantiles == (2.0, 2.0, 2.0)


def test_quantiles_are_observations() -> None:
    """Each quantile is one of the values, the last for the highest."""
    assert _quantiles([5.0, 1.0, 3.0, 2.0, 4.0]) == [3.0, 5.0, 5.0]


async def test_the_bench_runs() -> None:
    """Every call of both kinds reaches the upstream, and the report has every row."""
    said: list[str] = []
    reply = text_reply("openai", ["Hello ", "there."])
    async with upstream_server(default=lambda _: reply) as upstream:
        settings = Settings(f"{upstream.url}/v1", "some-model", rounds=2, requests=3)
        report = await measure(settings, said.append)
        warm_up_and_rounds = 2 * 20 + 2 * 2 * 3
        assert len(upstream.requests) == warm_up_and_rounds
    assert said == ["round 1 of 2", "round 2 of 2"]
    rows = report.as_dict()["rows"]
    assert isinstance(rows, dict)
    assert len(rows) == 8
    assert all(row["p50_ms"] > 0 for name, row in rows.items() if "added" not in name)


async def test_an_upstream_that_refuses_ends_the_bench() -> None:
    """A bench of failures is no bench: it stops and says what the upstream answered."""
    async with upstream_server() as upstream:
        settings = Settings(f"{upstream.url}/nowhere", "some-model", rounds=1, requests=1)
        with pytest.raises(PointsmanError) as caught:
            await measure(settings, lambda _: None)
    assert caught.value.reason == "ALL_MODELS_FAILED"
