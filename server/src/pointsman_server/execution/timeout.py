"""How long to wait for what. Everything is drawn from the request's one deadline."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimeoutPolicy:
    """Limits in seconds.

    ``total_s`` bounds a request whose caller set no deadline. An attempt may take
    ``first_token_s`` until its first token, and then no silence may last longer than ``idle_s``.
    """

    first_token_s: float = 30.0
    idle_s: float = 20.0
    total_s: float = 300.0

    def __post_init__(self) -> None:
        for name in ("first_token_s", "idle_s", "total_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be over 0, not {getattr(self, name)}")
