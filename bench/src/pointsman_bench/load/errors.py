"""Why a bench cannot be run."""

from __future__ import annotations


class BenchError(Exception):
    """A run cannot be made; ``str()`` says where, why and how to mend it."""


class UsageError(BenchError):
    """What was asked for is not possible: it names the option."""
