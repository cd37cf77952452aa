"""Good files give the configuration that they describe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from builders import make_model
from pointsman_server.config import (
    Config,
    ConfigError,
    find_file,
    from_environment,
    load_file,
    with_addresses,
    with_local_models,
    with_transport,
)
from pointsman_server.domain.model import Capability, ModelState, Tier
from pointsman_server.domain.money import Pricing
from pointsman_server.domain.profile import Complexity, Urgency
from pointsman_server.engine import Limits
from pointsman_server.execution.retry import RetryPolicy
from pointsman_server.execution.timeout import TimeoutPolicy
from pointsman_server.registry.catalogue import JUDGEMENTS, snapshot
from pointsman_server.routing.router import RoutingPolicy
from pointsman_server.routing.tree import DEFAULT_RULES, Condition
from pointsman_server.telemetry.logs import LogSettings
from pointsman_server.transports.base import GrpcSettings

Load = Callable[..., Config]

OPENAI = "version: 1\nproviders: {openai: {kind: openai, api_key: env:OPENAI_API_KEY}}\n"
KEYS = {
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "groq": "GROQ_API_KEY",
    "mistral": "MISTRAL_API_KEY",
}


def test_the_smallest_file_has_every_default(load: Load, tmp_path: Path) -> None:
    config = load(OPENAI)
    assert config.source == str(tmp_path / "pointsman.yaml")
    assert config.grpc == GrpcSettings(address="127.0.0.1:50051")
    assert config.metrics_address == ("127.0.0.1", 9464)
    assert config.limits == Limits()
    assert config.timeouts == TimeoutPolicy()
    assert config.retry == RetryPolicy()
    assert config.routing == RoutingPolicy()
    assert config.log == LogSettings()
    assert config.drain_s == 30.0
    (account,) = config.providers
    assert (account.name, account.kind, account.api_key) == ("openai", "openai", "sk-openai")
    assert account.http is not None
    assert account.http.base_url == "https://api.openai.com/v1"


def test_a_provider_without_models_brings_its_usual_ones(load: Load) -> None:
    config = load(OPENAI)
    usual = {n for n in JUDGEMENTS if n.startswith("openai/")}
    assert {m.name for m in config.models} == usual
    for model in config.models:
        facts, judgement = snapshot().facts[model.name], JUDGEMENTS[model.name]
        assert (model.pricing, model.context_window) == (facts.pricing, facts.context_window)
        assert (model.tier, model.strengths) == (judgement.tier, judgement.strengths)
        assert model.provider == "openai"
        assert f"openai/{model.provider_model}" == model.name


def test_an_account_with_a_vendor_brings_that_vendors_models(load: Load) -> None:
    config = load(
        "version: 1\nproviders:\n"
        "  work: {kind: openai, vendor: openai, base_url: 'https://proxy.test/v1'}\n"
        "  openai: {kind: openai, base_url: 'http://localhost:8000/v1'}\n"
        "models: {openai/mine: {price: {input: 0, output: 0}}}\n"
    )
    names = {m.name for m in config.models}
    assert "work/gpt-6-luna" in names
    assert [m.name for m in config.models if m.provider == "openai"] == ["openai/mine"]
    luna = next(m for m in config.models if m.name == "work/gpt-6-luna")
    assert luna.provider_model == "gpt-6-luna"
    assert luna.pricing == snapshot().facts["openai/gpt-6-luna"].pricing


def test_a_known_name_at_another_address_has_no_known_prices(load: Load) -> None:
    with pytest.raises(ConfigError, match="needs a price"):
        load(
            "version: 1\n"
            "providers: {openai: {kind: openai, base_url: 'http://localhost:8000/v1'}}\n"
            "models: {openai/gpt-6-luna: {}}\n"
        )


def test_units(load: Load) -> None:
    config = load(
        OPENAI
        + """
server:
  address: "[::1]:0"
  metrics: "[::1]:9000"
  max_in_flight: 7
  max_request_bytes: 2048
  classify_within: 20ms
  drain: 1.5m
timeouts: {first_token: 8s, idle: 500ms, total: 1h}
retry: {max_retries: 2, max_attempts: 5, base_delay: 50 ms, max_delay: 2s, max_retry_after: 3s}
policy: {hedge: {extra_cost: 2.5%, min_delay: 10ms}, max_output_tokens: 99, min_confidence: 1}
telemetry: {log_level: debug, log_prompts: true}
"""
    )
    assert config.grpc == GrpcSettings(address="[::1]:0", max_request_bytes=2048, max_drain_s=90.0)
    assert config.metrics_address == ("::1", 9000)
    assert config.limits == Limits(max_in_flight=7, classify_s=0.02)
    assert config.drain_s == 90.0
    assert config.timeouts == TimeoutPolicy(8.0, 0.5, 3600.0)
    assert config.retry == RetryPolicy(2, 5, 0.05, 2.0, 3.0)
    assert config.routing.hedge.extra_share == 0.025
    assert config.routing.hedge.min_delay_s == 0.01
    assert config.routing.default_output_bound == 99
    assert config.routing.tree.min_confidence == 1.0
    assert config.log == LogSettings("debug", prompts=True)


@pytest.mark.parametrize(("written", "share"), [("0.05", 0.05), ("0", 0.0), ("'100 %'", 1.0)])
def test_shares(written: str, share: float, load: Load) -> None:
    config = load(OPENAI + f"policy: {{hedge: {{extra_cost: {written}}}}}\n")
    assert config.routing.hedge.extra_share == share


@pytest.mark.parametrize(
    ("written", "nanos"),
    [
        ("$0.25", 250_000_000),
        ("0.1", 100_000_000),
        ("3", 3_000_000_000),
        ("'$0.000000001'", 1),
        ("0", 0),
        ("1_000", 1_000_000_000_000),
        ("1.5e-3", 1_500_000),
    ],
)
def test_prices_are_exact(written: str, nanos: int, load: Load) -> None:
    price = f"{{input: {written}, output: $0.4}}"
    config = load(OPENAI + f"models: {{openai/x: {{price: {price}}}}}\n")
    assert config.models[0].pricing == Pricing(nanos, nanos, 400_000_000)


def test_a_unix_socket_and_no_metrics(load: Load) -> None:
    config = load(OPENAI + "server: {address: 'unix:/run/p.sock', metrics: null}\n")
    assert config.grpc.address == "unix:/run/p.sock"
    assert config.metrics_address is None


def test_everything_that_a_model_can_be_told(load: Load) -> None:
    config = load(
        OPENAI
        + """
models:
  fast:
    provider: openai
    provider_model: gpt-6-luna
    tier: strong
    price: {input: $1, output: $2, cached_input: $0.10}
    context_window: 1000
    max_output_tokens: 5000
    capabilities: [tool_use, vision]
    quality: {code: 0.9}
    strengths: code
    weaknesses: [math, law]
    regions: eu
    open_weights: true
    enabled: false
    first_token: 300ms
    timeout: 4s
    machine: box
"""
    )
    (model,) = config.models
    assert (model.name, model.provider, model.provider_model) == ("fast", "openai", "gpt-6-luna")
    assert model.tier is Tier.STRONG
    assert model.pricing == Pricing(1_000_000_000, 100_000_000, 2_000_000_000)
    assert (model.context_window, model.max_output_tokens) == (1000, 1000)
    assert model.capabilities == {Capability.TOOL_USE, Capability.VISION}
    assert dict(model.quality_priors) == {"code": 0.9}
    assert model.strengths == {"code"}
    assert model.weaknesses == {"math", "law"}
    assert model.regions == {"eu"}
    assert model.open_weights
    assert model.state is ModelState.DISABLED
    assert model.latency.first_token_s == 0.3
    assert model.latency.tokens_per_s == JUDGEMENTS["openai/gpt-6-luna"].latency.tokens_per_s
    assert (model.first_token_timeout_s, model.machine) == (4.0, "box")


def test_what_is_not_written_of_a_model_is_as_known(load: Load) -> None:
    for section in ("", "{}", "{timeout: 4s}"):
        config = load(OPENAI + f"models:\n  openai/gpt-6.1-sol: {section}\n")
        facts = snapshot().facts["openai/gpt-6.1-sol"]
        (model,) = config.models
        assert model.pricing == facts.pricing
        assert model.capabilities == facts.capabilities
        assert model.tier is Tier.STRONG
    emptied = load(OPENAI + "models: {openai/gpt-6.1-sol: {strengths: [], capabilities: []}}\n")
    assert emptied.models[0].strengths == emptied.models[0].capabilities == frozenset()


def test_rules_of_the_tree(load: Load) -> None:
    config = load(
        OPENAI
        + """
policy:
  tree:
    - when: {domain: [legal, medical], complexity: [medium, HIGH], urgency: low}
      use: [openai/gpt-6.1-sol, strong]
    - when: {task_type: code, tone: frustrated}
      use: tuned
    - use: cheap
"""
    )
    first, second, third = config.routing.tree.rules
    assert first.when == Condition(
        domain=frozenset({"legal", "medical"}),
        complexity=frozenset({Complexity.MEDIUM, Complexity.HIGH}),
        urgency=frozenset({Urgency.LOW}),
    )
    assert first.use == ("openai/gpt-6.1-sol", "strong")
    assert second.when == Condition(task_type=frozenset({"code"}), tone=frozenset({"frustrated"}))
    assert (second.use, third.use) == (("tuned",), ("cheap",))
    assert third.when == Condition()
    assert load(OPENAI).routing.tree.rules == DEFAULT_RULES
    assert load(OPENAI + "policy: {tree: []}\n").routing.tree.rules == ()


def test_provider_settings(load: Load) -> None:
    config = load(
        "version: 1\nproviders:\n"
        "  a: {kind: anthropic, base_url: 'https://a.test/', api_key: env:KEY, "
        "connect_timeout: 2s, max_connections: 9, keep_alive: false}\n"
        "  b: {kind: openai, base_url: 'https://b.test/v1', max_tokens_field: max_tokens}\n"
        "models: {a/m: {price: {input: 0, output: 0}}, b/m: {price: {input: 0, output: 0}}}\n"
    )
    a, b = config.providers
    assert a.http is not None
    assert (a.kind, a.api_key, a.http.base_url) == ("anthropic", "sk-key", "https://a.test")
    assert (a.http.connect_timeout_s, a.http.max_connections, a.http.keep_alive) == (2.0, 9, False)
    assert (b.kind, b.api_key, b.max_tokens_field) == ("openai", None, "max_tokens")


def test_local_models(load: Load) -> None:
    here = (
        make_model("tiny", Tier.CHEAP, provider="local", price=(0, 0)),
        make_model("small", Tier.MIDDLE, provider="local", price=(0, 0)),
    )
    config = load("version: 1\nproviders: {box: {kind: local}}\n", {}, here)
    assert [(p.name, p.kind, p.http) for p in config.providers] == [("box", "local", None)]
    assert [(m.name, m.provider) for m in config.models] == [("tiny", "box"), ("small", "box")]
    one = load(
        "version: 1\nproviders: {box: {kind: local}}\n"
        "models: {small: {provider: box, tier: strong}}\n",
        {},
        here,
    )
    assert [(m.name, m.tier) for m in one.models] == [("small", Tier.STRONG)]


def test_local_models_beside_the_environments(load: Load) -> None:
    here = (make_model("tiny", provider="local", price=(0, 0)),)
    base = from_environment({})
    config = with_local_models(base, here)
    assert [p.name for p in config.providers] == ["local"]
    assert config.models == here
    assert "tiny" in config.source
    assert config.digest != base.digest


@pytest.mark.parametrize("vendor", KEYS)
def test_each_vendors_key_in_the_environment(vendor: str) -> None:
    config = from_environment({KEYS[vendor]: " sk-1 \n", "UNRELATED_API_KEY": "x"})
    (account,) = config.providers
    assert (account.name, account.api_key) == (vendor, "sk-1")
    assert account.http is not None
    assert account.http.base_url.startswith("https://")
    assert {m.provider for m in config.models} == {vendor}
    assert {m.name for m in config.models} == {n for n in JUDGEMENTS if n.startswith(f"{vendor}/")}
    assert config.source == f"keys in the environment ({vendor})"
    assert config.metrics_address == ("127.0.0.1", 9464)


def test_all_keys_and_none_in_the_environment() -> None:
    config = from_environment(dict.fromkeys(KEYS.values(), "sk-1"))
    assert [p.name for p in config.providers] == list(KEYS)
    assert {m.name for m in config.models} == set(JUDGEMENTS)
    nothing = from_environment(dict.fromkeys(KEYS.values(), " "))
    assert not nothing.providers
    assert not nothing.models


def test_equal_files_have_equal_digests(load: Load) -> None:
    plain = load(OPENAI).digest
    dressed = load(
        "# a comment\nversion: 1\n\nproviders:\n  openai:\n    api_key: env:OPENAI_API_KEY\n"
        "    kind: openai   # as ever\ntimeouts: {total: 5m}\n",
        {"OPENAI_API_KEY": "another"},
    )
    assert plain == dressed.digest
    assert len(plain) == 16


@pytest.mark.parametrize(
    "change",
    [
        "timeouts: {total: 301s}",
        "models: {openai/gpt-6-luna: {}}",
        "models: {openai/gpt-6-luna: {tier: strong}}",
        "policy: {tree: [{use: cheap}]}",
        "telemetry: {log_prompts: true}",
        "server: {drain: 1s}",
    ],
)
def test_different_files_have_different_digests(change: str, load: Load) -> None:
    assert load(OPENAI + change + "\n").digest != load(OPENAI).digest


def test_which_file_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    named: Mapping[str, str] = {"POINTSMAN_CONFIG": "/etc/p.yaml"}
    assert find_file(None, {}) is None
    assert find_file(None, {"POINTSMAN_CONFIG": ""}) is None
    (tmp_path / "pointsman.yaml").touch()
    assert find_file(None, {}) == Path("pointsman.yaml")
    assert find_file(None, named) == Path("/etc/p.yaml")
    assert find_file(Path("mine.yaml"), named) == Path("mine.yaml")


def test_other_addresses(load: Load) -> None:
    config = load(OPENAI)
    assert with_addresses(config, None, None) == config
    moved = with_addresses(config, "unix:/run/p.sock", "0.0.0.0:1")
    assert moved.grpc.address == "unix:/run/p.sock"
    assert moved.metrics_address == ("0.0.0.0", 1)
    assert with_addresses(config, None, "off").metrics_address is None
    for address, metrics, option in (
        ("nowhere", None, "--address"),
        ("off", None, "--address"),
        (None, "nowhere", "--metrics"),
        (None, "unix:/run/m.sock", "--metrics"),
    ):
        with pytest.raises(ConfigError, match=f"{option}:1:1: .* is not an address\n"):
            with_addresses(config, address, metrics)


def test_what_a_provider_needs_to_be_asked(tmp_path: Path) -> None:
    """Vendors know whether to ask for usage; a file overrides it, and names Anthropic's header."""
    file = tmp_path / "pointsman.yaml"
    file.write_text(
        """
version: 1
providers:
  mistral: {kind: openai, api_key: env:KEY}
  openai: {kind: openai, api_key: env:KEY}
  old: {kind: openai, base_url: "http://127.0.0.1:1/v1", ask_for_usage: false}
  gate: {kind: anthropic, base_url: "http://127.0.0.1:1", key_header: x-api-key}
"""
    )
    config = load_file(file, {"KEY": "k"})
    asked = {p.name: (p.ask_for_usage, p.key_header) for p in config.providers}
    assert asked == {
        "mistral": (False, "authorization"),
        "openai": (True, "authorization"),
        "old": (False, "authorization"),
        "gate": (True, "x-api-key"),
    }


def test_the_transport_is_the_fast_one_unless_another_is_named(load: Load) -> None:
    config = load(OPENAI)
    assert config.transport == "fast"
    assert with_transport(config, None).transport == "fast"
    assert with_transport(config, "grpc").transport == "grpc"
    assert load(OPENAI + "server: {transport: grpc}\n").transport == "grpc"
    with pytest.raises(ConfigError, match=r"server\.transport"):
        load(OPENAI + "server: {transport: carrier-pigeon}\n")
