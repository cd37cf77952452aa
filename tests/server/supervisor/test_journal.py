"""The lines of the parent and those of its workers are of one kind."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

from pointsman_server.supervisor.journal import Journal
from pointsman_server.telemetry.logs import LogSettings, configure


def test_the_parents_lines_are_such_as_a_workers() -> None:
    """JSON with an event, a level and a time in UTC; a worker's have its number, too."""
    parent, worker = io.StringIO(), io.StringIO()
    Journal(parent).write("warning", "worker_crashed", {"worker": 1, "why": "it\nended"})
    configure(LogSettings(), worker, worker=1).warning("worker_crashed", why="it\nended")
    (one,), (other,) = (text.getvalue().splitlines() for text in (parent, worker))
    ours, theirs = json.loads(one), json.loads(other)
    for line in (ours, theirs):
        told = datetime.fromisoformat(line.pop("timestamp"))
        assert abs((datetime.now(UTC) - told).total_seconds()) < 60
    assert (
        ours
        == theirs
        == {
            "event": "worker_crashed",
            "level": "warning",
            "worker": 1,
            "why": "it\nended",
        }
    )


def test_a_process_that_serves_alone_has_no_number() -> None:
    stream = io.StringIO()
    configure(LogSettings(), stream).info("serving")
    assert "worker" not in json.loads(stream.getvalue())


def test_what_is_said_to_people_is_no_json() -> None:
    stream = io.StringIO()
    Journal(stream).say("serving one/a")
    assert stream.getvalue() == "serving one/a\n"
