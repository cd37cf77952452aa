"""Real weights for tests: fetched once into the same cache as the product's own."""

from __future__ import annotations

import os
from pathlib import Path

from pointsman_server.providers.local.catalogue import SMOLLM2_135M
from pointsman_server.providers.local.weights import cache_dir, fetch


async def smollm2_path() -> Path:
    """The path of SmolLM2-135M-Instruct; fetched where it is not here, and never skipped."""
    return await fetch(SMOLLM2_135M, cache_dir(os.environ), lambda _: None)
