"""Reading prompts: the classifier, off the event loop, and a memory of what was read."""

from pointsman_server.reading.cache import CacheCounts
from pointsman_server.reading.lengths import (
    estimate_tokens,
    estimate_tool_tokens,
    least_tokens,
    split_prompt,
)
from pointsman_server.reading.profiles import to_profile
from pointsman_server.reading.reader import ClassifierReader, Reader

__all__ = [
    "CacheCounts",
    "ClassifierReader",
    "Reader",
    "estimate_tokens",
    "estimate_tool_tokens",
    "least_tokens",
    "split_prompt",
    "to_profile",
]
