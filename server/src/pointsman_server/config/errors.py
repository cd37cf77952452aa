"""What is wrong with a configuration: where, why, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault. ``line`` and ``column`` count from 1; ``mend`` may be empty."""

    path: str
    line: int
    column: int
    cause: str
    mend: str = ""

    def __str__(self) -> str:
        text = f"{self.path}:{self.line}:{self.column}: {self.cause}"
        return f"{text}\n    {self.mend}" if self.mend else text


class ConfigError(Exception):
    """A configuration that cannot be used, with every fault that was found in it."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))
