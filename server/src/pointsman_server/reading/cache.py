"""What was read of prompts lately, by a digest of their text: never by the text itself."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from hashlib import blake2b

from pointsman_server.domain.profile import Profile

LONGEST_CHARACTERS = 100_000
"""A longer text is not looked up: a digest of it would hold up the event loop for too long."""

_DIGEST_BYTES = 16


@dataclass(slots=True)
class CacheCounts:
    """How prompts came by their reading since the start.

    Attributes:
        hits: it was known.
        shared: the same prompt was just being read for somebody else.
        misses: it was read.
    """

    hits: int = 0
    shared: int = 0
    misses: int = 0


class ReadingCache:
    """The last ``size`` readings that were asked for, least recently used out first.

    Only what depends on the prompt alone is kept. Keys are BLAKE2b digests under a key that nobody
    else has (RFC 7693, section 2.5), so that who can see them cannot even tell whether a text that
    he knows was among the prompts.
    """

    def __init__(self, size: int, secret: bytes) -> None:
        self._size = size
        self._secret = secret
        self._readings: OrderedDict[bytes, Profile] = OrderedDict()

    def __len__(self) -> int:
        return len(self._readings)

    def key(self, text: str) -> bytes | None:
        """What a prompt is known by; ``None`` where it is too long, or nothing is to be kept."""
        if len(text) > LONGEST_CHARACTERS or self._size < 1:
            return None
        content = text.encode(errors="surrogatepass")
        return blake2b(content, key=self._secret, digest_size=_DIGEST_BYTES).digest()

    def get(self, key: bytes) -> Profile | None:
        """What was read, with the prompt's own tokens; it took no time now."""
        reading = self._readings.get(key)
        if reading is not None:
            self._readings.move_to_end(key)
        return reading

    def put(self, key: bytes, reading: Profile) -> None:
        """Remember what was read."""
        self._readings[key] = replace(reading, duration_s=0.0)
        self._readings.move_to_end(key)
        if len(self._readings) > self._size:
            self._readings.popitem(last=False)
