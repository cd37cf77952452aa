"""Reading prompts: the classifier, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from pointsman_classifier import Classifier
from pointsman_classifier import Profile as RawProfile
from pointsman_classifier import Reading as RawReading

from pointsman_server.domain.messages import GenerationOptions, Message, Role
from pointsman_server.domain.money import estimated_tokens
from pointsman_server.domain.profile import Complexity, Label, Profile, Urgency, Vocabulary

_MOST_BYTES_PER_TOKEN = 5
_TOKENS_PER_MESSAGE = 4  # the role and separators that chat templates add

_COMPLEXITIES = {"low": Complexity.LOW, "medium": Complexity.MEDIUM, "high": Complexity.HIGH}
_URGENCIES = {"low": Urgency.LOW, "normal": Urgency.NORMAL, "high": Urgency.HIGH}


class Reader(Protocol):
    """Says what a conversation's last prompt asks for."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The labels it uses."""

    async def read(self, messages: Sequence[Message]) -> Profile:
        """Read the last user message; ``prompt_tokens`` covers the whole conversation."""


class ClassifierReader:
    """The classifier on threads of its own: inference releases the GIL, so the loop runs on."""

    def __init__(self, classifier: Classifier, threads: int = 1) -> None:
        self._classifier = classifier
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="classifier")
        labels = classifier.labels
        self.vocabulary = Vocabulary(
            task_types=labels["task_type"],
            domains=labels["domain"],
            tones=labels["tone"],
            classifier_version=classifier.version,
        )

    async def read(self, messages: Sequence[Message]) -> Profile:
        """Read the last user message; ``prompt_tokens`` covers the whole conversation."""
        prompt, others = split_prompt(messages)
        loop = asyncio.get_running_loop()
        raw = await loop.run_in_executor(self._pool, self._classifier.classify, prompt)
        return to_profile(raw, max(raw.tokens, least_tokens(prompt)) + others, self.vocabulary)

    def close(self) -> None:
        """Stop the threads. Idempotent."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def split_prompt(messages: Sequence[Message]) -> tuple[str, int]:
    """The prompt to read, and an estimate of the tokens in everything else.

    The prompt is the last user message: tool results and earlier turns are context, not the ask.
    """
    prompt = next((m for m in reversed(messages) if m.role is Role.USER), messages[-1])
    characters = sum(m.characters for m in messages if m is not prompt)
    others = estimated_tokens(characters) + _TOKENS_PER_MESSAGE * len(messages)
    return prompt.text, others


def estimate_tokens(messages: Sequence[Message]) -> int:
    """The whole conversation's tokens, without a tokenizer."""
    characters = sum(m.characters for m in messages)
    return estimated_tokens(characters) + _TOKENS_PER_MESSAGE * len(messages)


def estimate_tool_tokens(generation: GenerationOptions) -> int:
    """What the descriptions of tools and schemas add to a prompt."""
    characters = len(generation.response_json_schema or "") + sum(
        len(t.name) + len(t.description) + len(t.parameters_json_schema) for t in generation.tools
    )
    return estimated_tokens(characters)


def least_tokens(text: str) -> int:
    """Fewer tokens than this no vocabulary makes of ``text``, at about five bytes a token.

    The classifier's own count can be far less: to it a long word that it does not know, or a
    script that it does not read, is a single piece.
    """
    return len(text.encode(errors="surrogatepass")) // _MOST_BYTES_PER_TOKEN


def to_profile(raw: RawProfile, prompt_tokens: int, vocabulary: Vocabulary) -> Profile:
    """The classifier's reading in the server's own types."""
    return Profile(
        task_type=_label(raw.task_type),
        domain=_label(raw.domain),
        tone=_label(raw.tone),
        complexity=_COMPLEXITIES[raw.complexity.value],
        complexity_confidence=raw.complexity.confidence,
        urgency=_URGENCIES[raw.urgency.value],
        urgency_confidence=raw.urgency.confidence,
        confidence=raw.confidence,
        prompt_tokens=prompt_tokens,
        truncated=raw.truncated,
        classifier_version=vocabulary.classifier_version,
        duration_s=raw.duration_s,
        complexity_score=raw.complexity_score,
        multi_step=raw.multi_step,
        expected_output_tokens=raw.output_tokens,
        complexity_sure=raw.complexity.sure,
        urgency_sure=raw.urgency.sure,
    )


def _label(raw: RawReading) -> Label:
    return Label(raw.value, raw.confidence, raw.scores, raw.sure)
