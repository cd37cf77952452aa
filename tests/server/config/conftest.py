"""What the tests of configuration share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from pointsman_server.config import Config, ConfigError, Problem, load_file
from pointsman_server.domain.model import Model

KEYS = {"OPENAI_API_KEY": "sk-openai", "ANTHROPIC_API_KEY": "sk-ant", "KEY": "sk-key"}

Load = Callable[..., Config]
Faults = Callable[..., tuple[Problem, ...]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load a file with this text; environment and local models can be given."""

    def load(
        text: str | bytes, environ: Mapping[str, str] = KEYS, local: tuple[Model, ...] = ()
    ) -> Config:
        path = tmp_path / "pointsman.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_file(path, environ, local)

    return load


@pytest.fixture
def faults(load: Load, tmp_path: Path) -> Faults:
    """Load a file that is wrong; all problems, whose path has been checked."""

    def faults(
        text: str | bytes, environ: Mapping[str, str] = KEYS, local: tuple[Model, ...] = ()
    ) -> tuple[Problem, ...]:
        with pytest.raises(ConfigError) as caught:
            load(text, environ, local)
        problems = caught.value.problems
        assert {p.path for p in problems} == {str(tmp_path / "pointsman.yaml")}
        assert str(caught.value) == "\n".join(map(str, problems))
        assert all(p.cause for p in problems)
        return problems

    return faults
