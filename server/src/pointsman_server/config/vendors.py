"""Well-known providers: their dialect, address and the environment variable of their key."""

from __future__ import annotations

from dataclasses import dataclass

from pointsman_server.config.config import ProviderKind
from pointsman_server.providers.anthropic import ANTHROPIC_BASE_URL
from pointsman_server.providers.openai import OPENAI_BASE_URL


@dataclass(frozen=True, slots=True)
class Vendor:
    """A well-known provider."""

    kind: ProviderKind
    base_url: str
    key_variable: str
    ask_for_usage: bool = True


VENDORS = {
    "openai": Vendor("openai", OPENAI_BASE_URL, "OPENAI_API_KEY"),
    "anthropic": Vendor("anthropic", ANTHROPIC_BASE_URL, "ANTHROPIC_API_KEY"),
    "groq": Vendor("openai", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    # reports usage without being asked
    "mistral": Vendor(
        "openai", "https://api.mistral.ai/v1", "MISTRAL_API_KEY", ask_for_usage=False
    ),
}
