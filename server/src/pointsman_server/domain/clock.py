"""Time and identifiers, passed in so that tests are exact and never sleep."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

Monotonic = Callable[[], float]
NewId = Callable[[], str]


def uuid7() -> str:
    """A UUID version 7: 48 bits of Unix milliseconds, then 74 random bits (RFC 9562, 5.7)."""
    value = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80
    value |= int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
