"""RegistryService: what can be routed to, and how it is doing. Reads only."""

from __future__ import annotations

import base64
import binascii

from google.protobuf.message import Message
from pointsman.v1 import registry_service_pb2

from pointsman_server.api.call import Call, Service, Unary
from pointsman_server.api.responses import to_model
from pointsman_server.domain.errors import FieldViolation, InvalidRequest
from pointsman_server.registry.health import HealthView
from pointsman_server.registry.registry import Registry

_pb = registry_service_pb2

PAGE = 100


class RegistryService:
    """Lists models with this server's view of their health."""

    def __init__(self, registry: Registry, health: HealthView) -> None:
        self._registry = registry
        self._health = health

    def service(self) -> Service:
        """What a transport serves."""
        return Service(
            "pointsman.v1.RegistryService",
            {
                "ListModels": Unary(_pb.ListModelsRequest, self.list_models),
                "GetModel": Unary(_pb.GetModelRequest, self.get_model),
            },
        )

    async def list_models(self, message: _pb.ListModelsRequest, call: Call) -> Message:
        """Models by name, a page at a time."""
        if message.page_size < 0:
            problem = f"must not be negative, as {message.page_size} is"
            raise InvalidRequest(FieldViolation("page_size", problem))
        after = _read_token(message.page_token)
        names = [m.name for m in self._registry if m.name > after]
        page = names[: min(message.page_size or PAGE, PAGE)]
        models = [to_model(self._registry.get(n), self._health.health(n)) for n in page]
        more = len(names) > len(page)
        return _pb.ListModelsResponse(
            models=models, next_page_token=_token(page[-1]) if more else ""
        )

    async def get_model(self, message: _pb.GetModelRequest, call: Call) -> Message:
        """One model."""
        if not message.name:
            raise InvalidRequest(FieldViolation("name", "is required"))
        model = self._registry.get(message.name)
        return _pb.GetModelResponse(model=to_model(model, self._health.health(model.name)))


def _token(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode()


def _read_token(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        problem = "is not a next_page_token of this server's"
        raise InvalidRequest(FieldViolation("page_token", problem)) from None
