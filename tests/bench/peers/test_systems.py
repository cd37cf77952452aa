"""What is compared: commands, configurations and requests, without any peer installed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pointsman.v1.router_service_pb2 import CompleteRequest, GenerateRequest
from pointsman_bench.capacity.work import COUNTER
from pointsman_bench.peers import gateways
from pointsman_bench.peers.catalogue import SYSTEMS
from pointsman_bench.peers.names import NAMES
from pointsman_bench.peers.pointsman import config_text
from pointsman_bench.peers.system import Place
from pointsman_bench.peers.workloads import TOKENS, WORKLOADS, Workload, behaviours, models
from pointsman_server.config import load_file

MODELS = models(tuple(WORKLOADS.values()))


def place(folder: Path) -> Place:
    """In front of an upstream at port 9."""
    return Place("127.0.0.1:9", MODELS, (0,), folder, folder, lambda _: None)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
def test_all_systems_are_given_the_same_work(name: str, workload: Workload, tmp_path: Path) -> None:
    """The same number of streams and tokens, the same model, and no prompt twice."""
    work = SYSTEMS[name]().work(workload, place(tmp_path), "127.0.0.1:10")
    assert work.address == "127.0.0.1:10"
    assert (work.streams, work.tokens, work.stagger_s) == (
        workload.streams,
        TOKENS,
        workload.stagger_s,
    )
    assert work.streamed == workload.streamed
    assert work.body.count(COUNTER) == 1
    assert workload.model.encode() in work.body


def test_the_names_and_the_catalogue_are_the_same() -> None:
    """Each name has a system that is called so."""
    assert tuple(SYSTEMS) == NAMES
    assert tuple(make().name for make in SYSTEMS.values()) == NAMES


def test_one_allowed_model_pins_it_and_two_let_the_prompt_be_read(tmp_path: Path) -> None:
    """That is all that tells the two kinds of calls apart."""
    burst, whole = WORKLOADS["burst"], WORKLOADS["nonstream"]
    pinned = SYSTEMS["pointsman-fast"]().work(burst, place(tmp_path), "a:1")
    read = SYSTEMS["pointsman-fast-read"]().work(whole, place(tmp_path), "a:1")
    assert pinned.path.endswith("/Complete")
    assert read.path.endswith("/Generate")
    allowed = CompleteRequest.FromString(pinned.body).constraints.allowed_models
    assert list(allowed) == ["bench/mock-64-0-0-a"]
    allowed = GenerateRequest.FromString(read.body).constraints.allowed_models
    assert list(allowed) == ["bench/mock-64-0-0-a", "bench/mock-64-0-0-a-twin"]


@pytest.mark.parametrize("transport", ["fast", "grpc"])
def test_the_servers_configuration_is_one_that_it_takes(transport: str, tmp_path: Path) -> None:
    """With every model there twice, and without hedging."""
    file = tmp_path / "pointsman.yaml"
    file.write_text(config_text(50000, "127.0.0.1:9", MODELS, transport))
    config = load_file(file, {})
    assert config.transport == transport
    assert len(config.models) == 2 * len(MODELS)
    assert config.routing.hedge.extra_share == 0


def test_peers_are_told_of_the_upstream_and_listen_on_loopback(tmp_path: Path) -> None:
    """Each in its own way."""
    here = place(tmp_path)
    litellm = gateways.litellm()
    command = litellm.command(tmp_path / "home", here, 5000)
    assert "127.0.0.1" in command.arguments
    config = json.loads((tmp_path / "litellm.yaml").read_text())
    assert [model["model_name"] for model in config["model_list"]] == list(MODELS)
    bases = {model["litellm_params"]["api_base"] for model in config["model_list"]}
    assert bases == {"http://127.0.0.1:9/v1"}

    smg = gateways.smg().command(tmp_path / "home", here, 5000)
    assert "http://127.0.0.1:9" in smg.arguments
    assert smg.arguments.count("127.0.0.1") == 2  # its own port and its metrics

    portkey = gateways.portkey()
    work = portkey.work(WORKLOADS["burst"], here, "127.0.0.1:5000")
    assert work.headers["x-portkey-custom-host"] == "http://127.0.0.1:9/v1"
    arguments = portkey.command(tmp_path / "home", here, 5000).arguments
    shim = Path(arguments[arguments.index("--require") + 1])
    assert 'host: "127.0.0.1"' in shim.read_text()


def test_versions_name_what_is_pinned() -> None:
    """For whoever wants to measure the same."""
    assert gateways.litellm().versions.startswith("litellm 1.")
    assert "@hono/node-server" in gateways.portkey().versions


def test_the_simulator_plays_the_workloads() -> None:
    """Each model once, with as many tokens as every answer has."""
    played = {each.name: each for each in behaviours(tuple(WORKLOADS.values()))}
    assert set(played) == set(MODELS)
    assert all(each.tokens.median == TOKENS for each in played.values())
    paced = played["mock-64-50000-20000-a"]
    assert (paced.first_token.median, paced.gap.median) == (0.05, 0.02)
    assert played["mock-64-0-0-a"].gap.median == 0
