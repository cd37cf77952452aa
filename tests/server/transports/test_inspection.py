"""Health and reflection as services of our own, which every transport serves alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from pointsman.v1 import admin_service_pb2
from pointsman_server.api.call import BidiStream, Call
from pointsman_server.domain.errors import NotFound
from pointsman_server.transports.inspection import Health, reflection_services
from virtual_time import virtual_time

Request = health_pb2.HealthCheckRequest
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
CALL = Call(0.0)


@virtual_time
async def test_a_server_is_well_once_it_is_said_to_be() -> None:
    health = Health(["t.T"])
    for service in ("", "t.T"):
        assert (await health.check(Request(service=service), CALL)).status == NOT_SERVING
    health.set(serving=True)
    for service in ("", "t.T"):
        assert (await health.check(Request(service=service), CALL)).status == SERVING
    with pytest.raises(NotFound, match=r"no service is called 't\.U'"):
        await health.check(Request(service="t.U"), CALL)


@virtual_time
async def test_watchers_are_told_of_changes_and_of_nothing_else() -> None:
    health = Health(["t.T"])
    told: list[Any] = []

    async def watch(service: str) -> None:
        async for response in health.watch(Request(service=service), CALL):
            told.append((service, response.status))

    watchers = {asyncio.create_task(watch(service)) for service in ("t.T", "t.U")}
    await asyncio.sleep(1)
    assert sorted(told) == [("t.T", NOT_SERVING), ("t.U", SERVICE_UNKNOWN)]
    told.clear()
    for serving in (True, True, False):
        health.set(serving=serving)
        await asyncio.sleep(1)
    assert told == [("t.T", SERVING), ("t.T", NOT_SERVING)]
    for watcher in watchers:
        watcher.cancel()
    await asyncio.wait(watchers)


@virtual_time
async def test_reflection_lists_services_and_describes_them() -> None:
    async def asked() -> AsyncIterator[Any]:
        yield reflection_pb2.ServerReflectionRequest(list_services="")
        symbol = admin_service_pb2.DESCRIPTOR.services_by_name["AdminService"].full_name
        yield reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)

    for service in reflection_services(["pointsman.v1.AdminService"]):
        method = service.methods["ServerReflectionInfo"]
        assert isinstance(method, BidiStream)
        answers: list[Any] = [response async for response in method.handler(asked(), CALL)]
        listed, described = answers
        assert {s.name for s in listed.list_services_response.service} == {
            "pointsman.v1.AdminService",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
        }
        files = described.file_descriptor_response.file_descriptor_proto
        assert any(b"admin_service.proto" in file for file in files)
