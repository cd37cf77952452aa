"""What the README shows must be true."""

from __future__ import annotations

import re
from pathlib import Path

from pointsman_server.config import load_file

README = Path(__file__).parents[2] / "README.md"


def blocks(language: str) -> list[str]:
    """The code blocks of a language."""
    found = re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), flags=re.DOTALL | re.M)
    assert found
    return list(found)


def test_the_configuration_shown_is_valid(tmp_path: Path) -> None:
    """The YAML of the README loads as it stands, given the keys that it names."""
    file = tmp_path / "pointsman.yaml"
    file.write_text(blocks("yaml")[0])
    config = load_file(file, {"OPENAI_API_KEY": "k1", "ANTHROPIC_API_KEY": "k2"})
    assert [m.name for m in config.models] == [
        "openai/gpt-6-luna",
        "anthropic/claude-opus-5-5",
        "here/qwen2.5-coder",
    ]
    assert len(config.routing.tree.rules) == 4


def test_the_program_shown_compiles() -> None:
    """The Python of the README parses, inside a coroutine."""
    body = "\n".join(f"    {line}" for line in blocks("python")[0].splitlines()[2:])
    compile(f"async def main():\n{body}", "README.md", "exec")
