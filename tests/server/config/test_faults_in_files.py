"""Whatever is wrong with a file is told with its place, its cause and how to mend it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import make_model
from pointsman_server.config import ConfigError, Problem, load_file
from pointsman_server.config.source import MAX_BYTES

Faults = Callable[..., tuple[Problem, ...]]

OPENAI = "version: 1\nproviders: {openai: {kind: openai, api_key: env:OPENAI_API_KEY}}\n"

# Each is a file, the line and column of its one fault, and pieces of the cause and of the mend.
ONE_FAULT = {
    "no version": ("providers: {}\n", 1, 1, "version: is required", ""),
    "version 2": ("version: 2\n", 1, 1, "version: must be 1", ""),
    "version as text": ("version: '1'\n", 1, 1, "version: must be 1", ""),
    "version is huge": (f"version: {'1' * 5000}\n", 1, 1, "version: must be 1", ""),
    "unknown section": (OPENAI + "sever: {}\n", 3, 1, "sever: is not a setting", "'server'"),
    "nothing like it": (OPENAI + "xyzzy: 1\n", 3, 1, "is not a setting", "known: models, policy"),
    "unknown key": (
        OPENAI + "server:\n  adress: 127.0.0.1:1\n",
        4,
        3,
        "server.adress: is not a setting",
        "did you mean 'address'?",
    ),
    "unknown key of a provider": (
        "version: 1\nproviders:\n  openai:\n    kind: openai\n    apikey: env:KEY\n",
        5,
        5,
        "providers.openai.apikey: is not a setting",
        "did you mean 'api_key'?",
    ),
    "unknown key of a rule": (
        OPENAI + "policy:\n  tree:\n    - {use: cheap, wen: {}}\n",
        5,
        20,
        "policy.tree.0.wen: is not a setting",
        "did you mean 'when'?",
    ),
    "duration without unit": (
        OPENAI + "timeouts:\n  first_token: 8\n",
        4,
        3,
        "timeouts.first_token: 8 is not a duration",
        "write 8s, 500ms, 2m or 1h",
    ),
    "wrong unit": (OPENAI + "timeouts: {idle: 8 days}\n", 3, 12, "'8 days' is not a", "write 8s"),
    "no time at all": (OPENAI + "timeouts: {idle: 0s}\n", 3, 12, "'0s' must be over 0", ""),
    "too long a time": (OPENAI + "timeouts: {total: 25h}\n", 3, 12, "at most 24h", ""),
    "share over all": (OPENAI + "policy: {hedge: {extra_cost: 101%}}\n", 3, 18, "'101%'", ""),
    "share is text": (OPENAI + "policy: {hedge: {extra_cost: some}}\n", 3, 18, "share", "5%"),
    "share is not a number": (OPENAI + "policy: {hedge: {extra_cost: .nan}}\n", 3, 18, "nan", ""),
    "share is huge": (
        OPENAI + f"policy: {{hedge: {{extra_cost: {10**400}}}}}\n",
        3,
        18,
        "a huge number is not a share",
        "5%",
    ),
    "probability": (OPENAI + "policy: {min_confidence: 1.5}\n", 3, 10, "less than or equal", ""),
    "not a probability": (OPENAI + "policy: {min_confidence: .nan}\n", 3, 10, "must be", ""),
    "price is text": (
        OPENAI + "models: {openai/x: {price: {input: much, output: 1}}}\n",
        3,
        29,
        "models.openai/x.price.input: 'much' is not a price",
        "write $0.25",
    ),
    "price below nothing": (
        OPENAI + "models: {openai/x: {price: {input: $-1, output: 1}}}\n",
        3,
        29,
        "must lie between $0 and",
        "",
    ),
    "price is huge": (
        OPENAI + f"models: {{openai/x: {{price: {{input: 0x{'f' * 5000}, output: 1}}}}}}\n",
        3,
        29,
        "a huge number is not a price",
        "",
    ),
    "half a price": (
        OPENAI + "models: {openai/x: {price: {input: 1}}}\n",
        3,
        21,
        "models.openai/x.price.output: is required",
        "",
    ),
    "no price": (
        OPENAI + "models:\n  openai/unheard-of:\n    tier: cheap\n",
        4,
        3,
        "no price is known for 'openai/unheard-of'",
        "price: {input: $0.10",
    ),
    "no price of a nobody": (
        "version: 1\nproviders: {x: {kind: openai, base_url: 'http://x'}}\nmodels: {x/y: }\n",
        3,
        10,
        "models.x/y: needs a price",
        "0 for a model that costs nothing",
    ),
    "number is text": (
        OPENAI + "server: {max_in_flight: many}\n",
        3,
        10,
        "server.max_in_flight: must be a whole number",
        "",
    ),
    "number out of range": (OPENAI + "server: {max_in_flight: 0}\n", 3, 10, "greater than", ""),
    "whole number": (OPENAI + "retry: {max_retries: 1.5}\n", 3, 9, "whole number", ""),
    "text is a number": (
        "version: 1\nproviders: {p: {kind: openai, base_url: 5}}\n",
        2,
        31,
        "providers.p.base_url: must be text",
        "",
    ),
    "boolean is text": (
        OPENAI + "telemetry: {log_prompts: 'true'}\n",
        3,
        13,
        "telemetry.log_prompts: must be",
        "",
    ),
    "list is a mapping": (
        OPENAI + "policy: {tree: {use: cheap}}\n",
        3,
        10,
        "policy.tree: must be a list",
        "",
    ),
    "section is empty": (OPENAI + "server:\n", 3, 1, "server: must be a mapping of settings", ""),
    "provider is empty": ("version: 1\nproviders:\n  openai:\n", 3, 3, "must be a mapping", ""),
    "models is a list": (OPENAI + "models: [a]\n", 3, 1, "models: must be a mapping", ""),
    "unknown level": (
        OPENAI + "telemetry: {log_level: loud}\n",
        3,
        13,
        "must be 'debug', 'info', 'warning' or 'error'",
        "",
    ),
    "unknown kind": ("version: 1\nproviders: {a: {kind: gemini}}\n", 2, 17, "'anthropic'", ""),
    "unknown tier of a model": (
        OPENAI + "models: {openai/x: {tier: huge, price: {input: 1, output: 1}}}\n",
        3,
        21,
        "must be 'cheap', 'middle' or 'strong'",
        "",
    ),
    "unknown provider": (
        OPENAI + "models:\n  acme/x: {price: {input: 1, output: 1}}\n",
        4,
        3,
        "there is no provider called 'acme' (providers: openai)",
        "write provider: NAME",
    ),
    "provider without address": (
        "version: 1\nproviders: {acme: {kind: openai, api_key: env:KEY}}\n",
        2,
        13,
        "providers.acme: needs a base_url",
        "https://host/v1",
    ),
    "unknown vendor": (
        "version: 1\nproviders: {a: {kind: openai, base_url: 'http://x', vendor: opnai}}\n",
        2,
        53,
        "providers.a.vendor: 'opnai' is not known",
        "known: openai, anthropic, groq, mistral",
    ),
    "address without scheme": (
        "version: 1\nproviders: {acme: {kind: openai, base_url: acme.test/v1}}\n",
        2,
        13,
        "must look like https://host",
        "",
    ),
    "unknown tier in a rule": (
        OPENAI + "policy:\n  tree:\n    - use: [tuned, bigger]\n",
        5,
        20,
        "policy.tree.0.use.1: 'bigger' is neither a tier nor a model",
        "cheap, middle, strong, tuned, openai/",
    ),
    "rule without use": (OPENAI + "policy: {tree: [{when: {}}]}\n", 3, 17, "is required", ""),
    "rule that uses nothing": (OPENAI + "policy: {tree: [{use: []}]}\n", 3, 18, "at least 1", ""),
    "unknown complexity": (
        OPENAI + "policy:\n  tree:\n    - when: {complexity: [low, hard]}\n      use: cheap\n",
        5,
        14,
        "policy.tree.0.when.complexity: 'hard' is not one of low, medium, high",
        "",
    ),
    "unknown urgency": (
        OPENAI + "policy: {tree: [{when: {urgency: now}, use: cheap}]}\n",
        3,
        25,
        "'now' is not one of low, normal, high",
        "",
    ),
    "address": (OPENAI + "server: {address: nowhere}\n", 3, 10, "'nowhere' is not an", "127.0.0.1"),
    "port": (OPENAI + "server: {address: 'localhost:65536'}\n", 3, 10, "is not an address", ""),
    "port of five thousand digits": (
        OPENAI + f"server: {{address: 'localhost:{'1' * 5000}'}}\n",
        3,
        10,
        "is not an address",
        "",
    ),
    "IPv6 without brackets that is none": (
        OPENAI + "server: {address: '::x::1:80'}\n",
        3,
        10,
        "is not an address",
        "",
    ),
    "metrics on a socket": (
        OPENAI + "server: {metrics: 'unix:/run/m.sock'}\n",
        3,
        10,
        "server.metrics: 'unix:/run/m.sock' is not an address",
        "127.0.0.1:9464",
    ),
    "model whose name no header can carry": (
        OPENAI + "models: {openai/modèle: {price: {input: 1, output: 1}}}\n",
        3,
        10,
        "ASCII",
        "provider_model",
    ),
    "model without a name": (
        OPENAI + "models: {'': {provider: openai, price: {input: 1, output: 1}}}\n",
        3,
        10,
        "a model's name has 1 to",
        "",
    ),
    "no providers": ("version: 1\n", 1, 1, "there is no model to route to", "openai: {kind"),
    "no local weights": (
        "version: 1\nproviders: {here: {kind: local}}\n",
        2,
        13,
        "providers.here: no weights of local models are here",
        "pointsman demo",
    ),
    # what is not a configuration at all
    "empty": ("", 1, 1, "is not a mapping of settings", "version: 1"),
    "only a comment": ("# nothing\n", 1, 1, "is not a mapping of settings", "version: 1"),
    "list": ("- version: 1\n", 1, 1, "is not a mapping of settings", "version: 1"),
    "text": ("version 1\n", 1, 1, "is not a mapping of settings", "version: 1"),
    "duplicate key": (
        OPENAI + "server:\n  drain: 1s\n  metrics: null\n  drain: 2s\n",
        6,
        3,
        "'drain' is written twice",
        "remove one",
    ),
    "tab": (OPENAI + "server:\n\tdrain: 1s\n", 4, 1, "a tab where there can be none", "spaces"),
    "open bracket": (OPENAI + "models: {a: b\n", 4, 1, "expected ',' or '}'", ""),
    "colon in a value": (OPENAI + "server: a: b\n", 3, 10, "mapping values are not allowed", ""),
    "second document": (OPENAI + "---\nversion: 1\n", 3, 1, "a second document", "---"),
    "control character": (OPENAI + "server: a\x07b\n", 3, 10, "character that YAML", ""),
    "not UTF-8": (b"version: 1\nserver: \xff\n", 2, 9, "is not UTF-8", ""),
    "UTF-16": ("version: 1\n".encode("utf-16"), 1, 1, "is not UTF-8", ""),
    "too large": ("#" * (MAX_BYTES + 1), 1, 1, f"is longer than {MAX_BYTES} bytes", ""),
    "key is a list": (OPENAI + "? [a, b]\n: 1\n", 3, 3, "a key is text", ""),
    "key is a mapping": (OPENAI + "? {a: b}\n: 1\n", 3, 3, "a key is text", ""),
    "undefined alias": (OPENAI + "server: *none\n", 3, 9, "an anchor (&) that is not", "quotes"),
    "unknown tag": (OPENAI + "server: !secret x\n", 3, 9, "a tag (!) that is not", "quotes"),
    "alias inside of itself": (OPENAI + "server: &a {x: *a}\n", 3, 9, "inside of what it", ""),
    "merge of no mapping": (OPENAI + "server: {<<: 5}\n", 3, 10, "'<<' takes a mapping", ""),
    "deep": (OPENAI + "a: " + "[" * 5000, 3, 35, "nested more than 32 deep", ""),
}


@pytest.mark.parametrize("case", ONE_FAULT)
def test_one_fault(case: str, faults: Faults) -> None:
    text, line, column, cause, mend = ONE_FAULT[case]
    (problem,) = faults(text)
    assert (problem.line, problem.column) == (line, column), problem
    assert cause in problem.cause
    assert mend in problem.mend
    assert len(str(problem)) < 1000


def test_a_problem_reads_as_place_then_cause_then_mend() -> None:
    problem = Problem("a.yaml", 3, 7, "server.x: is not a setting", "did you mean 'y'?")
    assert str(problem) == "a.yaml:3:7: server.x: is not a setting\n    did you mean 'y'?"
    assert str(Problem("a.yaml", 3, 7, "is bad")) == "a.yaml:3:7: is bad"


def test_several_faults_of_shape_at_once(faults: Faults) -> None:
    problems = faults(
        textwrap.dedent(
            """\
            version: 1
            servr: {}
            timeouts: {idle: never, totl: 5s}
            retry:
              max_retries: -1
            """
        )
    )
    assert [(p.line, p.column) for p in sorted(problems, key=lambda p: p.line)] == [
        (2, 1),
        (3, 12),
        (3, 25),
        (5, 3),
    ]


def test_several_faults_of_sense_at_once(faults: Faults) -> None:
    problems = faults(
        textwrap.dedent(
            """\
            version: 1
            providers:
              openai: {kind: openai, api_key: env:NO_SUCH_VARIABLE}
              acme: {kind: openai}
            models:
              openai/unheard-of:
              ghost/x:
            policy:
              tree:
                - {when: {complexity: [easy, low, hard]}, use: [best]}
            """
        )
    )
    assert [p.cause.partition(":")[0] for p in problems] == [
        "providers.openai.api_key",
        "providers.acme",
        "models.openai/unheard-of",
        "models.ghost/x",
        "policy.tree.0.use.0",
        "policy.tree.0.when.complexity",
        "policy.tree.0.when.complexity",
    ]
    assert [p.line for p in problems] == [3, 4, 6, 7, 10, 10, 10]


def test_every_key_that_is_written_twice_is_told(faults: Faults) -> None:
    problems = faults(OPENAI + "server: {drain: 1s, drain: 2s}\nretry: {}\nretry: {}\n")
    assert [(p.line, p.column) for p in problems] == [(5, 1), (3, 21)]


def test_a_variable_that_is_not_set(faults: Faults) -> None:
    for environ in ({}, {"OPENAI_API_KEY": ""}, {"OPENAI_API_KEY": " \n"}):
        (problem,) = faults(OPENAI, environ)
        assert (problem.line, problem.column) == (2, 36)
        assert "environment variable OPENAI_API_KEY is not set" in problem.cause
        assert "export OPENAI_API_KEY=..." in problem.mend


def test_a_local_model_whose_weights_are_not_here(faults: Faults) -> None:
    here = make_model("tiny", provider="local")
    text = "version: 1\nproviders: {local: {kind: local}}\nmodels: {local/other: {}}\n"
    (problem,) = faults(text, local=(here,))
    assert (problem.line, problem.column) == (3, 10)
    assert "is not a local model whose weights are here (here: tiny)" in problem.cause
    assert "pointsman demo" in problem.mend


def test_a_model_of_two_providers(faults: Faults) -> None:
    here = make_model("tiny", provider="local")
    two = "version: 1\nproviders: {a: {kind: local}, b: {kind: local}}\n"
    (problem,) = faults(two, local=(here,))
    assert problem.cause == "models.tiny: is a model of two providers"
    mixed = OPENAI.replace("}}", "}, a: {kind: local}}")
    mixed += "models: {tiny: {provider: openai, price: {input: 1, output: 1}}}\n"
    (problem,) = faults(mixed, local=(here,))
    assert (problem.line, problem.column) == (3, 10)
    assert problem.cause == "models.tiny: is a model of two providers"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_file(tmp_path / "none.yaml", {})
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"{tmp_path}/none.yaml:1:1: cannot be read: No such file")
    assert "--config" in problem.mend


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    for path in (tmp_path, Path("a\0b")):
        with pytest.raises(ConfigError, match="cannot be read"):
            load_file(path, {})


def test_a_file_without_end_is_not_read_to_its_end() -> None:
    with pytest.raises(ConfigError, match="is longer than"):
        load_file(Path("/dev/zero"), {})


def test_no_more_problems_of_shape_than_anybody_reads(faults: Faults) -> None:
    assert len(faults("version: 1\n" + "".join(f"x{i}: 1\n" for i in range(500)))) == 50


def test_a_label_that_the_classifier_does_not_have(load: Callable[[str], object]) -> None:
    """A rule that could never hold is refused where it stands, with the labels that there are."""
    text = (
        OPENAI + "policy: {tree: [{when: {domain: leagal, tone: [casual, angry]}, use: cheap}]}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load(text)
    first, second = map(str, caught.value.problems)
    assert "policy.tree.0.when.domain: 'leagal' is not one of" in first
    assert "legal" in first
    assert "policy.tree.0.when.tone: 'angry' is not one of" in second
