"""One page of metrics out of several processes' pages."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.telemetry.merge import Totals, parse, render
from pointsman_server.telemetry.metrics import MetricsObserver
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

GAUGES = {"pointsman_attempts_in_flight"}
"""Each gauge here is a number of things that each process has its own of, so that the sum is the
number of all. Another kind of gauge needs another rule in `merge.add`."""

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
Event = tuple[str, str, float]


class Process:
    """A process that counts calls, times them, and knows how many are under way."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Counter("calls", "Calls.", ("model",), registry=self.registry)
        self.cost = Counter("cost", "Money.", registry=self.registry)
        self.times = Histogram(
            "seconds", "Time.", ("model",), buckets=(0.1, 1.0), registry=self.registry
        )
        self.open = Gauge("open", "Under way.", ("model",), registry=self.registry)

    def apply(self, event: Event) -> None:
        _, model, amount = event
        self.calls.labels(model).inc()
        self.cost.inc(amount)
        self.times.labels(model).observe(amount)
        self.open.labels(model).set(amount)

    def page(self) -> str:
        return generate_latest(self.registry).decode()


def samples(text: str) -> Samples:
    """As Prometheus reads a page, without the times at which series began."""
    return {
        (s.name, frozenset(s.labels.items())): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
        if not s.name.endswith("_created")
    }


def lines(text: str) -> list[tuple[str, str]]:
    """Each line's beginning and end; one way to write a number is as good as another."""
    parts = [line.rpartition(" ") for line in text.splitlines()]
    return [(a, b if a.startswith("#") else repr(float(b))) for a, _, b in parts]


def test_a_page_alone_stays_as_it_is() -> None:
    """Comments, order, labels with spaces and braces in them, and odd numbers included."""
    process = Process()
    for model in ("one/a", 'we"ird\\ {name="x"} \n 1.0'):
        process.apply(("", model, 0.5))
    process.open.labels("nan").set(math.nan)
    process.open.labels("inf").set(math.inf)
    process.open.labels("less").set(-math.inf)
    totals = Totals()
    totals.reported(1, process.page())
    assert lines(totals.page()) == lines(process.page())
    assert lines(render(parse(process.page()))) == lines(process.page())


models = st.sampled_from(["one/a", "two/b", "x y"])
amounts = st.floats(0.0, 10.0)
counted = st.tuples(st.sampled_from(["1", "2", "3"]), models, amounts)


@given(st.lists(counted, max_size=30))
def test_the_sum_over_processes_is_what_one_would_have_counted(events: list[Event]) -> None:
    alone, processes = Process(), {name: Process() for name in "123"}
    totals = Totals()
    for event in events:
        alone.apply(event)
        processes[event[0]].apply(event)
    for number, process in enumerate(processes.values()):
        totals.reported(number, process.page())
    expected, found = samples(alone.page()), samples(totals.page())
    assert found.keys() == expected.keys()
    for series, value in expected.items():
        if series[0] != "open":
            assert found[series] == pytest.approx(value)


happenings = st.one_of(counted, st.tuples(st.just("ends"), st.sampled_from("123"), amounts))


@given(st.lists(happenings, max_size=60))
def test_nothing_that_is_counted_ever_goes_down(events: list[Event]) -> None:
    """Whoever ends, and however the floats of a sum round: else Prometheus sees a reset."""
    totals, processes, numbers = Totals(), {n: Process() for n in "123"}, dict.fromkeys("123", 0)
    before: Samples = {}
    for event in events:
        kind, which, _ = event
        if kind == "ends":
            totals.ended(numbers[which] * 10 + int(which))
            numbers[which] += 1
            processes[which] = Process()
        else:
            processes[kind].apply(event)
            totals.reported(numbers[kind] * 10 + int(kind), processes[kind].page())
        now = samples(totals.page())
        for series, value in before.items():
            if series[0] != "open":
                assert now[series] >= value, series
        before = now


def test_what_a_process_has_open_ends_with_it() -> None:
    totals, one, two = Totals(), Process(), Process()
    one.apply(("", "a", 3.0))
    two.apply(("", "a", 4.0))
    totals.reported(1, one.page())
    totals.reported(2, two.page())
    assert 'open{model="a"} 7.0\n' in totals.page()
    totals.ended(1)
    totals.ended(1)
    page = totals.page()
    assert 'open{model="a"} 4.0\n' in page
    assert 'calls_total{model="a"} 2.0\n' in page


def test_a_series_began_when_its_first_process_did() -> None:
    """The time of its birth is no amount: times are not added up."""
    totals, one, two = Totals(), Process(), Process()
    births = [
        float(line.split()[1])
        for p in (one, two)
        for line in p.page().splitlines()
        if line.startswith("cost_created")
    ]
    totals.reported(1, one.page())
    totals.reported(2, two.page())
    totals.ended(1)
    assert f"cost_created {min(births)!r}\n" in totals.page()


def test_more_pages_come_after() -> None:
    assert Totals().page() == ""
    assert Totals().page(["a 1.0\n", "b 2.0\n"]) == "a 1.0\nb 2.0\n"


def test_our_own_page_comes_through_as_it_is() -> None:
    text = MetricsObserver().page()
    assert lines(render(parse(text))) == lines(text)


def test_every_gauge_of_ours_can_be_summed() -> None:
    families = MetricsObserver().registry.collect()
    assert {f.name for f in families if f.type == "gauge"} == GAUGES


@pytest.mark.parametrize("text", ["what is this", "a 1.0\n", "# HELP a A.\n# TYPE a gauge\na x\n"])
def test_what_is_no_page_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of any kind
        parse(text)
