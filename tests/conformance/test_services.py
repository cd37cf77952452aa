"""What load balancers and tools ask of any gRPC server: its health, and what it serves."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from pointsman.v1 import router_service_pb2
from served import Served, read_to_end

Health = health_pb2.HealthCheckResponse
Request = reflection_pb2.ServerReflectionRequest

SERVICES = {
    "pointsman.v1.RouterService",
    "pointsman.v1.RegistryService",
    "pointsman.v1.AdminService",
}
NAMES = ("", *sorted(SERVICES))


def health(served: Served) -> Any:
    return health_pb2_grpc.HealthStub(served.channel)


@pytest.mark.parametrize("name", NAMES)
async def test_what_is_served_is_healthy(name: str, served: Served) -> None:
    response = await health(served).Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
    assert response.status == Health.SERVING


@pytest.mark.parametrize("name", ["nobody", "pointsman.v1.UsageService", "漢", "RouterService"])
async def test_what_is_not_served_is_not_found(name: str, served: Served) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health(served).Check(health_pb2.HealthCheckRequest(service=name))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    watch = health(served).Watch(health_pb2.HealthCheckRequest(service=name))
    async with asyncio.timeout(5):
        assert (await watch.read()).status == Health.SERVICE_UNKNOWN
    watch.cancel()


@pytest.mark.parametrize("name", NAMES)
async def test_those_who_watch_hear_of_a_drain(name: str, served: Served) -> None:
    watch = health(served).Watch(health_pb2.HealthCheckRequest(service=name))
    async with asyncio.timeout(5):
        assert (await watch.read()).status == Health.SERVING
        drain = asyncio.create_task(served.server.drain())
        assert (await watch.read()).status == Health.NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError):
            await read_to_end(watch)
        await drain


async def test_a_watch_says_nothing_while_nothing_changes(served: Served) -> None:
    watch = health(served).Watch(health_pb2.HealthCheckRequest(service=""))
    await watch.read()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await watch.read()
    assert served.in_flight == 0
    watch.cancel()


def listing(database: ProtoReflectionDescriptorDatabase) -> set[str]:
    return set(database.get_services())


async def test_services_are_listed(served: Served) -> None:
    def work() -> set[str]:
        with grpc.insecure_channel(served.address) as channel:
            return listing(ProtoReflectionDescriptorDatabase(channel))

    found = await asyncio.to_thread(work)
    assert found >= SERVICES | {"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
    assert {name for name in found if name.startswith("pointsman.")} == SERVICES


async def test_a_client_that_knows_nothing_can_call(served: Served) -> None:
    """As command-line clients do it: list, describe, make a message, call."""

    def work() -> tuple[str, str]:
        with grpc.insecure_channel(served.address) as channel:
            pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
            service = pool.FindServiceByName("pointsman.v1.RouterService")
            method = service.methods_by_name["Generate"]
            request: Any = GetMessageClass(method.input_type)()
            message = request.messages.add(role=2)
            message.parts.add(text="hi")
            call: Any = channel.unary_unary(
                f"/{service.full_name}/{method.name}",
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
            answer = call(request.SerializeToString(), timeout=5)
            return answer.text, answer.completed.DESCRIPTOR.full_name

    assert await asyncio.to_thread(work) == ("Hello, world", "pointsman.v1.Completed")


async def reflect(served: Served, *requests: Any) -> list[Any]:
    """The responses to these, over one stream."""
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(served.channel)
    call = stub.ServerReflectionInfo(timeout=5)
    responses = []
    for request in requests:
        await call.write(request)
        responses.append(await call.read())
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK
    return responses


async def test_files_are_found_by_symbol_and_by_name(served: Served) -> None:
    own = router_service_pb2.DESCRIPTOR
    symbols = ("pointsman.v1.RouterService", "pointsman.v1.Completed", "pointsman.v1.SwitchPolicy")
    responses = await reflect(
        served,
        *(Request(file_containing_symbol=symbol) for symbol in symbols),
        Request(file_by_filename="pointsman/v1/router_service.proto"),
        Request(file_by_filename="google/rpc/status.proto"),
    )
    for response in responses[:4]:
        assert own.serialized_pb in response.file_descriptor_response.file_descriptor_proto
    assert responses[4].file_descriptor_response.file_descriptor_proto


async def test_what_is_not_known_is_said_in_the_stream_which_goes_on(served: Served) -> None:
    bad, good = await reflect(
        served,
        Request(file_containing_symbol="nobody.knows.This"),
        Request(list_services=""),
    )
    assert bad.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
    assert {s.name for s in good.list_services_response.service} >= SERVICES
