"""Running a command's coroutine."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` on uvloop to its end. Ctrl-C cancels it and raises KeyboardInterrupt."""
    return uvloop.run(work)
