"""The published JSON Schema of the configuration file."""

from __future__ import annotations

import json
from pathlib import Path

from pointsman_server.config import file_schema

PUBLISHED = Path(__file__).parents[2] / "docs" / "config.schema.json"


def test_the_published_schema_is_the_one_in_force() -> None:
    """`pointsman check --schema | python -m json.tool > docs/config.schema.json` renews it."""
    assert json.loads(PUBLISHED.read_text()) == file_schema()


def test_durations_and_prices_are_texts_in_the_schema() -> None:
    """Editors must accept what people write: 8s, 5%, $0.25."""
    definitions = file_schema()["$defs"]
    assert isinstance(definitions, dict)
    assert definitions["TimeoutSection"]["properties"]["idle"]["type"] == "string"
    kinds = definitions["PriceSection"]["properties"]["input"]["anyOf"]
    assert [kind["type"] for kind in kinds] == ["string", "number"]
