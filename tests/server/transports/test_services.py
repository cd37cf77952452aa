"""What is served besides answers: readings, decisions, models, facts, health, reflection."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from pointsman.v1 import (
    admin_service_pb2,
    classification_pb2,
    decision_pb2,
    registry_pb2,
    registry_service_pb2,
    router_service_pb2,
)
from pointsman_server import __version__
from pointsman_server.transports.base import GrpcSettings, is_loopback
from served import (
    BadRequest,
    ErrorInfo,
    ResourceInfo,
    Served,
    Settings,
    ask,
    detail,
    reason_of,
    serving,
    status_of,
    user,
)

Health = health_pb2.HealthCheckResponse


async def refused(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


def fields_of(error: grpc.aio.AioRpcError) -> list[str]:
    """The paths of the violations in an error."""
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    status = status_of(error)
    assert reason_of(status) == "INVALID_REQUEST"
    assert status.message == error.details()
    bad = detail(status, BadRequest)
    assert bad is not None
    return [v.field for v in bad.field_violations]


async def test_classify(served: Served) -> None:
    request = router_service_pb2.ClassifyRequest(
        messages=[user("Write a Python function that merges two sorted lists.")]
    )
    reading = (await served.router.Classify(request)).classification
    assert reading.task_type.value == "code"
    assert 0 < reading.task_type.confidence <= 1
    assert not reading.task_type.scores
    assert reading.prompt_tokens > 5
    assert 0 <= reading.complexity_score <= 1
    assert 0 < reading.multi_step < 1
    assert reading.expected_output_tokens >= 1
    assert reading.classifier_version == served.server.core.engine.vocabulary.classifier_version
    request.include_scores = True
    scored = (await served.router.Classify(request)).classification.task_type.scores
    assert scored[0].value == "code"
    assert [s.score for s in scored] == sorted((s.score for s in scored), reverse=True)


async def test_classify_with_what_the_caller_knows(served: Served) -> None:
    request = router_service_pb2.ClassifyRequest(messages=[user("hi")])
    request.overrides.complexity = classification_pb2.COMPLEXITY_HIGH
    request.overrides.domain = "law"
    labels = served.server.core.engine.vocabulary.domains
    request.overrides.domain = labels[-1]
    reading = (await served.router.Classify(request)).classification
    assert (reading.domain.value, reading.domain.confidence) == (labels[-1], 1.0)
    assert (reading.complexity, reading.complexity_confidence) == (3, 1.0)
    assert (reading.complexity_score, reading.complexity_sure, reading.domain.sure) == (
        1,
        True,
        True,
    )
    assert reading.expected_output_tokens >= 1
    request.overrides.task_type = "multi_step"
    reading = (await served.router.Classify(request)).classification
    assert (reading.multi_step, reading.expected_output_tokens) == (1, 0)


async def test_labels_that_the_classifier_does_not_know(served: Served) -> None:
    for method in (served.router.Route, served.router.Classify):
        kind = {
            served.router.Route: router_service_pb2.RouteRequest,
            served.router.Classify: router_service_pb2.ClassifyRequest,
        }[method]
        request = kind(messages=[user("hi")])
        request.overrides.task_type = "poetry?"
        request.overrides.domain = "alchemy"
        request.overrides.tone = ""
        error = await refused(method(request))
        assert fields_of(error) == ["overrides.task_type", "overrides.domain", "overrides.tone"]
        assert "'alchemy' is not one of" in str(error.details())


async def test_models_that_the_registry_does_not_know(served: Served) -> None:
    request = router_service_pb2.RouteRequest(messages=[user("hi")])
    request.constraints.allowed_models.extend(["one/a", "one/z"])
    request.constraints.excluded_models.append("nobody/x")
    error = await refused(served.router.Route(request))
    assert fields_of(error) == ["constraints.allowed_models", "constraints.excluded_models"]
    assert "no model is called 'one/z'" in str(error.details())


async def test_route(served: Served) -> None:
    call = served.router.Route(router_service_pb2.RouteRequest(messages=[user("hi")]))
    decision = (await call).decision
    assert (decision.model, list(decision.fallback_models)) == ("one/a", ["two/b"])
    assert decision.basis == decision_pb2.DECISION_BASIS_DECISION_TREE
    assert decision.propensity == 1.0
    assert decision.max_output_tokens == 2048
    assert decision.classification.task_type.value
    assert not decision.candidates
    headers = dict(await call.initial_metadata())
    assert headers["x-pointsman-decision-id"] == decision.decision_id
    assert headers["x-pointsman-model"] == "one/a"
    assert headers["x-pointsman-basis"] == "decision_tree"
    assert 0 <= float(headers["x-pointsman-confidence"]) <= 1
    assert not served.one.requests


async def test_route_explained_and_pinned(served: Served) -> None:
    request = router_service_pb2.RouteRequest(messages=[user("hi")], explain=True)
    request.constraints.allowed_models.append("two/b")
    decision = (await served.router.Route(request)).decision
    assert decision.model == "two/b"
    assert decision.basis == decision_pb2.DECISION_BASIS_PINNED
    other = next(c for c in decision.candidates if c.model == "one/a")
    assert other.ineligibility == decision_pb2.INELIGIBILITY_CONSTRAINED
    assert other.ineligibility_detail
    assert decision.reasons


async def test_nothing_that_may_serve(served: Served) -> None:
    request = router_service_pb2.RouteRequest(messages=[user("hi")])
    request.constraints.required_capabilities.append(registry_pb2.CAPABILITY_VISION)
    error = await refused(served.router.Route(request))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    status = status_of(error)
    assert reason_of(status) == "NO_ELIGIBLE_MODEL"
    info = detail(status, ErrorInfo)
    assert info is not None
    assert dict(info.metadata) == {"candidates": "2"}
    assert "one/a: lacks vision" in str(error.details())


async def test_list_and_get_models(served: Served) -> None:
    listed = await served.registry.ListModels(registry_service_pb2.ListModelsRequest())
    assert [m.name for m in listed.models] == ["one/a", "two/b"]
    assert listed.next_page_token == ""
    assert listed.models[0].pricing.input_usd_nanos_per_million_tokens == 1_000_000_000
    await served.router.Complete(ask()).read()
    await served.idle()
    got = await served.registry.GetModel(registry_service_pb2.GetModelRequest(name="one/a"))
    assert (got.model.provider, got.model.health.calls) == ("one", 1)
    assert got.model.health.in_flight == 0
    assert got.model.health.HasField("time_to_first_token_p50")


async def test_models_a_page_at_a_time(served: Served) -> None:
    request = registry_service_pb2.ListModelsRequest(page_size=1)
    first = await served.registry.ListModels(request)
    assert [m.name for m in first.models] == ["one/a"]
    request.page_token = first.next_page_token
    second = await served.registry.ListModels(request)
    assert [m.name for m in second.models] == ["two/b"]
    assert second.next_page_token == ""
    request.page_size = 2**31 - 1
    assert len((await served.registry.ListModels(request)).models) == 1


@pytest.mark.parametrize("token", ["!", "a", "é", "\n", "_w==", "A" * 5, "gICA"])
async def test_page_tokens_of_somebody_else(token: str, served: Served) -> None:
    request = registry_service_pb2.ListModelsRequest(page_token=token)
    assert fields_of(await refused(served.registry.ListModels(request))) == ["page_token"]


async def test_malformed_registry_requests(served: Served) -> None:
    pages = registry_service_pb2.ListModelsRequest(page_size=-1)
    assert fields_of(await refused(served.registry.ListModels(pages))) == ["page_size"]
    nameless = registry_service_pb2.GetModelRequest()
    assert fields_of(await refused(served.registry.GetModel(nameless))) == ["name"]


@pytest.mark.parametrize("name", ["one/z", "漢" * 300_000, "\n\0", "🚂" * 200_000])
async def test_a_model_that_is_not_there(name: str, served: Served) -> None:
    error = await refused(served.registry.GetModel(registry_service_pb2.GetModelRequest(name=name)))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    status = status_of(error)
    assert reason_of(status) == "NOT_FOUND"
    resource = detail(status, ResourceInfo)
    assert resource is not None
    assert resource.resource_type == "model"
    assert resource.resource_name[:5] == name[:5]


async def test_server_info(served: Served) -> None:
    info = await served.admin.GetServerInfo(admin_service_pb2.GetServerInfoRequest())
    assert info.version == __version__
    assert abs(info.start_time.seconds - time.time()) < 60
    assert "code" in info.task_types
    assert info.domains
    assert info.tones
    assert info.config_digest == served.server.core.config.digest
    assert info.max_request_bytes == 4 * 1024 * 1024


@pytest.mark.parametrize(
    "method",
    [
        "RouterService/Nothing",
        "RegistryService/UpdateModel",
        "AdminService/ReloadConfig",
        "AdminService/ListExperiments",
        "WorkflowService/RunWorkflow",
        "FeedbackService/ReportOutcome",
        "UsageService/QueryUsage",
    ],
)
async def test_what_is_not_served_is_unimplemented(method: str, served: Served) -> None:
    call: Any = served.channel.unary_unary(f"/pointsman.v1.{method}")
    error = await refused(call(b""))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_health(served: Served) -> None:
    stub: Any = health_pb2_grpc.HealthStub(served.channel)
    for service in ("", "pointsman.v1.RouterService", "pointsman.v1.AdminService"):
        response = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert response.status == Health.SERVING
    error = await refused(stub.Check(health_pb2.HealthCheckRequest(service="nobody")))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_reflection(served: Served) -> None:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(served.channel)
    call = stub.ServerReflectionInfo()
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    listed = (await call.read()).list_services_response.service
    assert {s.name for s in listed} == {
        "pointsman.v1.RouterService",
        "pointsman.v1.RegistryService",
        "pointsman.v1.AdminService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    symbol = "pointsman.v1.RouterService"
    await call.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol))
    files: Sequence[bytes] = (await call.read()).file_descriptor_response.file_descriptor_proto
    assert any(b"pointsman/v1/router_service.proto" in f for f in files)
    await call.done_writing()


async def test_a_unix_socket(tmp_path: Path) -> None:
    socket = tmp_path / "p.sock"
    async with serving(tmp_path, Settings(f'address: "unix:{socket}"')) as running:
        assert running.address == f"unix:{socket}"
        assert (await running.admin.GetServerInfo(admin_service_pb2.GetServerInfoRequest())).version
        assert not running.log_lines("open_to_the_network")


async def test_an_address_that_is_taken(tmp_path: Path, served: Served) -> None:
    with pytest.raises(OSError, match="cannot listen on"):
        async with serving(tmp_path, Settings(f'address: "{served.address}"')):
            pass


async def test_all_interfaces_are_served_with_a_warning(tmp_path: Path) -> None:
    async with serving(tmp_path, Settings('address: "0.0.0.0:0"')) as running:
        (warning,) = running.log_lines("open_to_the_network")
        assert warning["level"] == "warning"
        assert warning["address"] == running.address


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("unix:/run/p.sock", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("10.0.0.1:1", False),
        ("example.test:1", False),
        ("", False),
    ],
)
def test_which_addresses_are_this_machines_own(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback


def test_by_default_only_this_machine_is_served() -> None:
    assert is_loopback(GrpcSettings().address)
