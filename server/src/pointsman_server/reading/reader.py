"""Says what a conversation's last prompt asks for."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from pointsman_classifier import Classifier
from pointsman_classifier import Profile as RawProfile

from pointsman_server.domain.messages import Message
from pointsman_server.domain.profile import Profile, Vocabulary
from pointsman_server.reading.cache import CacheCounts, ReadingCache
from pointsman_server.reading.lengths import least_tokens, split_prompt
from pointsman_server.reading.profiles import to_profile
from pointsman_server.reading.thread import Reading, ReadingThread

CACHE_SIZE = 4096
"""How many readings are remembered, at about two kilobytes each."""

_SECRET_BYTES = 32


class Reader(Protocol):
    """Says what a conversation's last prompt asks for."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The labels it uses."""

    async def read(self, messages: Sequence[Message]) -> Profile:
        """Read the last user message; ``prompt_tokens`` covers the whole conversation."""


class ClassifierReader:
    """The classifier on a thread of its own: inference releases the GIL, so the loop runs on.

    Identical prompts are read once: those that come while the first is being read wait for it, and
    those that come later find it in a bounded memory. ``counts`` says how often. Whatever is asked
    of one reader is asked on one event loop at a time.
    """

    def __init__(
        self, classifier: Classifier, *, cache_size: int = CACHE_SIZE, secret: bytes | None = None
    ) -> None:
        """Takes a loaded classifier.

        Args:
            classifier: what reads.
            cache_size: how many readings are remembered; 0 for none.
            secret: what digests of prompts are made with; random where it is not given.
        """
        self._thread = ReadingThread(classifier.classify, "classifier")
        self._cache = ReadingCache(cache_size, secret or secrets.token_bytes(_SECRET_BYTES))
        self._under_way: dict[object, Reading[RawProfile]] = {}
        self.counts = CacheCounts()
        labels = classifier.labels
        self.vocabulary = Vocabulary(
            task_types=labels["task_type"],
            domains=labels["domain"],
            tones=labels["tone"],
            classifier_version=classifier.version,
        )

    async def read(self, messages: Sequence[Message]) -> Profile:
        """Read the last user message; ``prompt_tokens`` covers the whole conversation.

        A reading that was known took no time: its ``duration_s`` is 0.

        Raises:
            RuntimeError: the reader was closed.
            Exception: whatever the classifier broke down on.
        """
        prompt, others = split_prompt(messages)
        key = self._cache.key(prompt)
        profile = None if key is None else self._cache.get(key)
        if profile is None:
            raw = await self._read(prompt, key)
            profile = self._profile(raw, prompt)
        else:
            self.counts.hits += 1
        return replace(profile, prompt_tokens=profile.prompt_tokens + others)

    def close(self) -> None:
        """Stop the thread, and send away who waits. Idempotent."""
        self._thread.close()
        for reading in self._under_way.values():
            reading.cancel()

    async def _read(self, prompt: str, key: bytes | None) -> RawProfile:
        reading = None if key is None else self._under_way.get(key)
        if reading is None or reading.loop.is_closed():
            self.counts.misses += 1
            reading = Reading(prompt, partial(self._whole, key))
            future = reading.join()
            self._thread.submit(reading)
            self._under_way[reading if key is None else key] = reading
        else:
            self.counts.shared += 1
            future = reading.join()
        try:
            return await future
        finally:
            reading.leave(future)
            if not reading.waiting and not reading.started:
                self._forget(reading, key)

    def _whole(
        self, key: bytes | None, reading: Reading[RawProfile], outcome: RawProfile | Exception
    ) -> None:
        """A reading is made, or broke down: on the event loop."""
        self._forget(reading, key)
        if key is not None and not isinstance(outcome, Exception):
            self._cache.put(key, self._profile(outcome, reading.text))
        reading.deliver(outcome)

    def _forget(self, reading: Reading[RawProfile], key: bytes | None) -> None:
        place = reading if key is None else key
        if self._under_way.get(place) is reading:
            del self._under_way[place]

    def _profile(self, raw: RawProfile, prompt: str) -> Profile:
        """The reading with the prompt's own tokens."""
        return to_profile(raw, max(raw.tokens, least_tokens(prompt)), self.vocabulary)
