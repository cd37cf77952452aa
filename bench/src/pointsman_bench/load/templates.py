"""What requests ask, as messages ready to send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pointsman.v1.message_pb2 import ROLE_USER, Message, Part
from pointsman.v1.router_service_pb2 import CompleteRequest

from pointsman_bench.load.trace import Trace
from pointsman_bench.scenarios.scenario import Cap, Scenario

NANOS_PER_USD = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Template:
    """A request but for its reference: serialized, with what it is counted under.

    ``cap`` is the most that an answer may cost, in nano-USD.
    """

    kind: str
    request: bytes
    cap: int | None = None


@dataclass(frozen=True, slots=True)
class ArmSpec:
    """One side of an A/B. ``hedging`` of ``None`` leaves it to the server."""

    name: str
    hedging: bool | None = None


def templates_of(scenario: Scenario) -> tuple[Template, ...]:
    """Template p · caps + c asks prompt p under cap c, as `drawn_schedule` numbers them."""
    return tuple(
        _template(prompt.kind, prompt.text, cap.usd, scenario.max_output_tokens)
        for prompt in scenario.prompts
        for cap in scenario.caps
    )


def templates_of_trace(trace: Trace) -> tuple[Template, ...]:
    """One template a line."""
    return tuple(
        _template(line.kind, line.prompt, line.max_cost_usd, line.max_output_tokens, line.models)
        for line in trace.lines
    )


def cap_shares(caps: Sequence[Cap]) -> str:
    """What share of requests may cost how much, for a person."""
    return ", ".join(
        f"{cap.share:.0%} {'unbounded' if cap.usd is None else f'at most {cap.usd:g} USD'}"
        for cap in caps
    )


def request_of(template: Template, arm: ArmSpec, reference: str) -> bytes:
    """The request's bytes.

    The reference makes its prompt unlike all others', so that no cache of the server's answers
    more than it would in earnest; without one the prompt is sent as it stands.
    """
    request = CompleteRequest.FromString(template.request)
    if reference:
        request.messages[-1].parts[-1].text += f"\n\n(reference {reference})"
    if arm.hedging is not None:
        request.execution.hedging = arm.hedging
    return request.SerializeToString()


def _template(
    kind: str,
    text: str,
    cap_usd: float | None,
    max_output_tokens: int | None,
    models: Sequence[str] = (),
) -> Template:
    request = CompleteRequest(messages=[Message(role=ROLE_USER, parts=[Part(text=text)])])
    cap = None
    if cap_usd is not None:
        cap = request.constraints.max_cost_usd_nanos = round(cap_usd * NANOS_PER_USD)
    if max_output_tokens is not None:
        request.generation.max_output_tokens = max_output_tokens
    if models:  # else there would be constraints, though empty ones
        request.constraints.allowed_models.extend(models)
    return Template(kind, request.SerializeToString(), cap)
