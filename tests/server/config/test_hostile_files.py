"""No file makes loading slow, large or loud, or fail with anything but a `ConfigError`."""

from __future__ import annotations

import io
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pointsman_server.config import Config, ConfigError, Problem, schema
from pointsman_server.config.load import build
from pointsman_server.config.source import Source
from pydantic import BaseModel
from ruamel.yaml import YAML

Faults = Callable[..., tuple[Problem, ...]]
Load = Callable[..., Config]

OPENAI = "version: 1\nproviders: {openai: {kind: openai, api_key: env:OPENAI_API_KEY}}\n"


def laughs(levels: int, width: int) -> str:
    """Lists of lists of aliases: ``width`` to the power of ``levels`` values in the last."""
    lines = ["l0: &l0 [x]"]
    for i in range(1, levels + 1):
        lines.append(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * width)}]")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "use",
    [
        "timeouts: {total: *l9}",
        "policy: {tree: [{use: *l9}]}",
        "policy: {tree: *l9}",
        "policy: {hedge: {extra_cost: *l9}}",
        "models: {openai/x: {price: {input: *l9, output: *l9}}}",
        "server: {address: *l9}",
        "providers: *l9",
        "{x: *l9}: 1",
        "version: *l9",
    ],
)
def test_a_billion_laughs_cost_nothing(use: str, faults: Faults) -> None:
    text = f"version: 1\n{laughs(9, 10)}{use}\n".replace("version: 1\n", "", use.count("version"))
    tracemalloc.start()
    started = time.perf_counter()
    problems = faults(text)
    took, peak = time.perf_counter() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert took < 2
    assert peak < 20_000_000
    assert sum(len(str(p)) for p in problems) < 10_000


def test_a_bomb_of_merged_mappings(faults: Faults) -> None:
    lines = ["m0: &m0 {a: 1}"]
    for i in range(1, 20):
        lines.append(f"m{i}: &m{i} {{<<: [{', '.join([f'*m{i - 1}'] * 9)}]}}")
    (problem,) = faults("version: 1\n" + "\n".join(lines))
    assert "aliases (*)" in problem.cause


def test_what_is_wrong_is_not_repeated_at_length(faults: Faults) -> None:
    (problem,) = faults(OPENAI + f"timeouts: {{total: {'x' * 100_000}}}\n")
    assert len(str(problem)) < 300
    for value in ("[1, 2]", "{a: 1}"):
        (problem,) = faults(OPENAI + f"timeouts: {{total: {value}}}\n")
        assert "is not a duration" in problem.cause
        assert "1" not in problem.cause


def test_aliases_in_moderation_are_welcome(load: Load) -> None:
    config = load(
        """
version: 1
providers:
  a: &usual {kind: openai, base_url: "http://a.test/v1", api_key: &key env:KEY, keep_alive: false}
  b: {<<: *usual, base_url: "http://b.test/v1"}
  c: {kind: openai, base_url: "http://c.test/v1", api_key: *key}
models:
  a/m: &model {price: &price {input: 1, output: 2}, tier: &tier strong, enabled: &on true}
  b/m: *model
  c/m: {price: *price, tier: *tier, enabled: *on}
"""
    )
    assert [p.api_key for p in config.providers] == ["sk-key"] * 3
    assert [p.http.base_url for p in config.providers if p.http] == [
        "http://a.test/v1",
        "http://b.test/v1",
        "http://c.test/v1",
    ]
    assert [p.http.keep_alive for p in config.providers if p.http] == [False, False, True]
    first, *others = config.models
    assert [(m.tier, m.pricing, m.state) for m in others] == [
        (first.tier, first.pricing, first.state)
    ] * 2


def test_a_fault_in_what_was_merged_is_placed_where_it_was_written(faults: Faults) -> None:
    text = (
        "version: 1\n"
        "providers:\n"
        "  a: &a {kind: openai, base_url: 'http://a', api_key: env:NONE}\n"
        "  b:\n"
        "    <<: *a\n"
        "    connect_timeout: soon\n"
    )
    (problem,) = faults(text)
    assert (problem.line, problem.column) == (6, 5)
    first, second = faults(text.replace("soon", "1s"))
    assert first.cause.startswith("providers.a.api_key")
    assert second.cause.startswith("providers.b.api_key")
    assert (first.line, first.column) == (second.line, second.column) == (3, 46)


def test_an_anchor_that_is_used_again_means_the_later(load: Load) -> None:
    config = load(OPENAI + "server: {drain: &d 5s}\nretry: {max_delay: &d 7s, base_delay: *d}\n")
    assert config.retry.base_delay_s == 7.0


@pytest.mark.parametrize(
    "value",
    [
        "2001-13-45",
        "!!float abc",
        "!!int abc",
        "!!bool perhaps",
        "!!binary abc",
        "!!timestamp abc",
        "!!set {a, b}",
        "!!omap [a: 1, a: 2]",
        "!!python/object/apply:os.system ['true']",
        "=",
        '"\\ud800"',
        "0x",
        "1e999",
    ],
)
def test_odd_scalars_and_tags_are_a_fault_of_the_file(value: str, faults: Faults) -> None:
    assert faults(OPENAI + f"server: {{drain: {value}}}\n")[0].line == 3


def test_yaml_1_1_is_read_too(load: Load) -> None:
    config = load("%YAML 1.1\n---\n" + OPENAI + "telemetry: {log_prompts: yes}\n")
    assert config.log.prompts is True


SECTIONS = sorted(schema.File.model_fields.keys() - {"version"})
KEYS = sorted(
    {
        key
        for shape in vars(schema).values()
        if isinstance(shape, type) and issubclass(shape, BaseModel)
        for key in shape.model_fields
    }
)
NESTED = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["8s", "5%", "$1", "env:KEY", "file:/none", "cheap", "openai", "local"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*KEYS, "openai", "openai/x"]) | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(document=st.dictionaries(st.text(max_size=8), NESTED) | NESTED)
@example(document={"version": 1, "providers": {"openai": {"kind": "openai"}}})
def test_any_mapping_gives_a_configuration_or_a_config_error(document: object) -> None:
    text = dumped(document)
    with suppress(ConfigError):
        build(Source.parse("x.yaml", text), {"KEY": "sk-key"}, ())


@settings(max_examples=200, deadline=None)
@given(
    sections=st.dictionaries(
        st.sampled_from(SECTIONS),
        NESTED,
    )
)
def test_any_sections_give_a_configuration_or_a_config_error(sections: dict[str, object]) -> None:
    base = {"version": 1, "providers": {"openai": {"kind": "openai", "api_key": "env:KEY"}}}
    with suppress(ConfigError):
        build(Source.parse("x.yaml", dumped({**base, **sections})), {"KEY": "sk-key"}, ())


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.sampled_from("version: 1\n-&*!?|>%@`{}[],\"'#\\\tab<~="), max_size=60))
def test_any_text_gives_a_configuration_or_a_config_error(text: str) -> None:
    for whole in (text, OPENAI + text, OPENAI + "server: " + text):
        with suppress(ConfigError):
            build(Source.parse("x.yaml", whole), {"OPENAI_API_KEY": "sk-key"}, ())


def dumped(document: object) -> str:
    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump(document, stream)
    return stream.getvalue()
