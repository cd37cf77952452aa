"""The trace format."""

from __future__ import annotations

from pathlib import Path

import pytest
from pointsman.v1.router_service_pb2 import CompleteRequest
from pointsman_bench.load.errors import UsageError
from pointsman_bench.load.templates import ArmSpec, request_of, templates_of_trace
from pointsman_bench.load.trace import MAX_LINE_BYTES, parse_trace, read_trace

SECRET = "the prompt of somebody"


def test_lines_are_read_and_put_in_order() -> None:
    """Empty ones are passed over."""
    trace = parse_trace(
        [
            b'{"at_s": 2, "prompt": "second", "kind": "k"}\n',
            b"\n",
            b'{"at_s": 0.5, "prompt": "first", "leave_after_s": 1}\n',
        ],
        "t",
    )
    assert [line.prompt for line in trace.lines] == ["first", "second"]
    assert trace.length_s == 2.0
    assert (trace.lines[0].kind, trace.lines[1].kind) == ("trace", "k")


def test_every_field_reaches_the_request() -> None:
    """As the wire has it."""
    trace = parse_trace(
        [
            b'{"at_s": 0, "prompt": "p", "models": ["a", "b"], "max_output_tokens": 9, '
            b'"max_cost_usd": 0.002}'
        ],
        "t",
    )
    (template,) = templates_of_trace(trace)
    request = CompleteRequest.FromString(request_of(template, ArmSpec("x", hedging=False), "1-2"))
    assert request.messages[0].parts[0].text == "p\n\n(reference 1-2)"
    assert list(request.constraints.allowed_models) == ["a", "b"]
    assert request.constraints.max_cost_usd_nanos == template.cap == 2_000_000
    assert request.generation.max_output_tokens == 9
    assert request.execution.HasField("hedging")
    assert not request.execution.hedging


def test_what_a_line_does_not_say_is_left_to_the_server() -> None:
    """And without a reference the prompt is sent as it stands."""
    (template,) = templates_of_trace(parse_trace([b'{"at_s": 0, "prompt": "p"}'], "t"))
    request = CompleteRequest.FromString(request_of(template, ArmSpec("all"), ""))
    assert request.messages[0].parts[0].text == "p"
    assert not request.HasField("constraints")
    assert not request.HasField("generation")
    assert not request.HasField("execution")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"at_s": -1, "prompt": "%s"}', r"\$\.at_s"),
        ('{"at_s": 0, "prompt": ""}', r"\$\.prompt"),
        ('{"prompt": "%s"}', "at_s"),
        ('{"at_s": 0, "prompt": "%s", "promt": 1}', "promt"),
        ('{"at_s": 0, "prompt": "%s", "max_output_tokens": 0}', "max_output_tokens"),
        ('["%s"]', "object"),
        ('{"at_s": 0, "prompt": "%s"', "t:2"),
    ],
)
def test_a_wrong_line_is_named_with_its_field_and_without_its_prompt(line: str, says: str) -> None:
    """Counting from 1, and saying what a line is like."""
    text = line.replace("%s", SECRET)
    with pytest.raises(UsageError, match=says) as caught:
        parse_trace([b"\n", text.encode()], "t")
    assert str(caught.value).startswith("t:2: ")
    assert "a line is like" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_bytes_that_are_no_text_are_refused() -> None:
    """As a wrong line, not as an error of ours."""
    with pytest.raises(UsageError, match="t:1: "):
        parse_trace([b'{"at_s": 0, "prompt": "\xff"}'], "t")


def test_a_line_without_end_is_refused() -> None:
    """Before it is parsed."""
    with pytest.raises(UsageError, match="shorten"):
        parse_trace([b" " * 5 + b"x" * MAX_LINE_BYTES], "t")


def test_a_trace_without_requests_is_none() -> None:
    """It would measure nothing."""
    with pytest.raises(UsageError, match="no requests"):
        parse_trace([b"\n"], "t")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With what to give instead."""
    with pytest.raises(UsageError, match=r"absent\.jsonl: No such file.*JSONL"):
        read_trace(tmp_path / "absent.jsonl")
