"""What is asked of the router, frozen at the edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pointsman_server.domain.decision import RoutingConstraints
from pointsman_server.domain.messages import GenerationOptions, Message
from pointsman_server.domain.profile import ProfileOverrides


class SwitchPolicy(StrEnum):
    """What may happen once text has been sent."""

    BEFORE_FIRST_TOKEN = "before_first_token"  # noqa: S105 - not a password
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class CallContext:
    """Whom and what a call is for, in the caller's own terms."""

    user_id: str = ""
    session_id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExecutionOptions:
    """How a call may trade money and steadiness for speed; ``None`` leaves it to the policy."""

    hedging: bool | None = None
    hedge_delay_s: float | None = None
    switch_policy: SwitchPolicy = SwitchPolicy.BEFORE_FIRST_TOKEN


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt to read, route and answer.

    ``accepted_at`` and ``deadline`` are seconds on the server's monotonic clock. ``messages`` is
    never empty; its last one is the one to answer. ``explain`` asks for every model considered,
    not just for those chosen.
    """

    messages: tuple[Message, ...]
    accepted_at: float
    deadline: float
    context: CallContext = CallContext()
    overrides: ProfileOverrides = ProfileOverrides()
    constraints: RoutingConstraints = RoutingConstraints()
    generation: GenerationOptions = GenerationOptions()
    execution: ExecutionOptions = ExecutionOptions()
    explain: bool = False
