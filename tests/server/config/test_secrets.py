"""Keys come by reference and are shown nowhere, also where something is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pointsman_server.config import Config, ConfigError, Problem, from_environment

Faults = Callable[..., tuple[Problem, ...]]
Load = Callable[..., Config]

CANARY = "sk-canary-7f3e"
MODEL = "models: {acme/m: {price: {input: 0, output: 0}}}\n"


def provider(rest: str) -> str:
    section = f"{{kind: openai, base_url: 'http://x', {rest}}}"
    return f"version: 1\nproviders:\n  acme: {section}\n{MODEL}"


@pytest.mark.parametrize(
    "written",
    [
        CANARY,
        f"'{CANARY}'",
        f"env:{CANARY}",
        f"ENV:{CANARY}",
        f"env: {CANARY}",
        f"Bearer {CANARY}",
        f"[{CANARY}]",
        f"{{env: {CANARY}}}",
        f"*{CANARY}",
        f"!{CANARY} x",
        f"!{CANARY}!x y",
        f"!<{CANARY}> y",
        f"%{CANARY}",
        f"@{CANARY}",
        f'"\\{CANARY}"',
        f"|{CANARY}",
        f"x: {CANARY}",
        f'"file:\\0{CANARY}"',
        f"{CANARY}, api_key: {CANARY}",
        f"env:KEY, api_key: {CANARY}",
        f"env:KEY, apikey: {CANARY}",
        f"env:KEY, keep_alive: {CANARY}",
        f"env:KEY, max_connections: {CANARY}",
        f"env:KEY, max_tokens_field: {CANARY}",
        f"env:KEY, kind: {CANARY}",
    ],
)
def test_a_key_written_into_the_file_is_not_repeated(written: str, faults: Faults) -> None:
    problems = faults(provider(f"api_key: {written}"))
    shown = " ".join(map(str, problems)) + " ".join(map(repr, problems))
    assert CANARY not in shown
    assert "7f3e" not in shown


def test_what_is_no_reference_says_what_one_is(faults: Faults) -> None:
    (problem,) = faults(provider(f"api_key: {CANARY}"))
    assert (problem.line, problem.column) == (3, 46)
    assert problem.cause == "providers.acme.api_key: is not a reference to a secret"
    assert problem.mend.startswith("write env:NAME or file:PATH")


@pytest.mark.parametrize("odd", ["\x01", "\n", "\r\nx-evil: 1", "\x7f", " ", "é"])
def test_a_key_that_no_header_can_carry(odd: str, faults: Faults) -> None:
    (problem,) = faults(provider("api_key: env:KEY"), {"KEY": f"{CANARY}{odd}{CANARY}"})
    assert problem.cause.startswith("providers.acme: the API key contains a")
    assert CANARY not in str(problem)


def test_a_key_in_a_file(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "key"
    secret.write_text(f"{CANARY}\n")
    config = load(provider(f"api_key: 'file:{secret}'"))
    assert config.providers[0].api_key == CANARY
    monkeypatch.setenv("HOME", str(tmp_path))
    config = load(provider("api_key: 'file:~/key'"))
    assert config.providers[0].api_key == CANARY


def test_a_key_in_a_file_that_cannot_be_read(faults: Faults, tmp_path: Path) -> None:
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_text(" \n")
    binary.write_bytes(b"\xff\xfe" + CANARY.encode())
    for where, why in (
        (tmp_path / "none", "cannot be read: FileNotFoundError"),
        (tmp_path, "cannot be read: IsADirectoryError"),
        ("~nobody-of-that-name/key", "cannot be read: RuntimeError"),
        (empty, "is empty"),
        (binary, "cannot be read: UnicodeDecodeError"),
    ):
        (problem,) = faults(provider(f"api_key: 'file:{where}'"))
        assert problem.cause == f"providers.acme.api_key: {where} {why}"
        assert (problem.line, problem.column) == (3, 46)


def test_a_file_without_end_is_not_read_to_its_end(load: Load) -> None:
    with pytest.raises(ConfigError, match="control character"):
        load(provider("api_key: 'file:/dev/zero'"))


@pytest.mark.parametrize(
    "url",
    [
        f"http://user:{CANARY}@host/v1",
        f"http://{CANARY}@host",
        f"{CANARY}://host",
        f"http://host:{CANARY}",
        f"http://host?key={CANARY}",
        f"http://host#{CANARY}",
        f"http:// {CANARY}",
    ],
)
def test_a_base_url_with_a_password_is_refused_and_not_repeated(url: str, faults: Faults) -> None:
    (problem,) = faults(f"version: 1\nproviders:\n  a: {{kind: openai, base_url: '{url}'}}\n")
    assert (problem.line, problem.column) == (3, 3)
    assert "the base URL" in problem.cause
    assert CANARY not in str(problem)


def test_no_key_is_in_the_repr_of_a_configuration(load: Load) -> None:
    text = "version: 1\nproviders: {openai: {kind: openai, api_key: env:KEY}}\n"
    loaded = load(text, {"KEY": CANARY})
    found = from_environment({"OPENAI_API_KEY": CANARY, "ANTHROPIC_API_KEY": CANARY})
    for config in (loaded, found):
        assert config.providers[0].api_key == CANARY
        assert CANARY not in repr(config)
        assert CANARY not in str(config)
        assert CANARY not in config.source + config.digest


def test_a_key_of_the_environment_that_no_header_can_carry() -> None:
    with pytest.raises(ConfigError) as caught:
        from_environment({"OPENAI_API_KEY": f"{CANARY}\x00"})
    (problem,) = caught.value.problems
    assert problem.path == "OPENAI_API_KEY"
    assert "control character" in problem.cause
    assert CANARY not in str(caught.value)
