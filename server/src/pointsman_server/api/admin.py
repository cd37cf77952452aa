"""AdminService: for operators."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pointsman.v1 import admin_service_pb2

from pointsman_server.api.call import Call, Service, Unary
from pointsman_server.domain.profile import Vocabulary

_pb = admin_service_pb2


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What does not change while a server runs. ``started_at`` is Unix time in seconds."""

    version: str
    started_at: float
    vocabulary: Vocabulary
    config_digest: str
    max_request_bytes: int


class AdminService:
    """Says what the server runs and with what limits."""

    def __init__(self, facts: ServerFacts) -> None:
        self._facts = facts

    def service(self) -> Service:
        """What a transport serves."""
        return Service(
            "pointsman.v1.AdminService",
            {"GetServerInfo": Unary(_pb.GetServerInfoRequest, self.get_server_info)},
        )

    async def get_server_info(self, message: _pb.GetServerInfoRequest, call: Call) -> Message:
        """What the server runs."""
        facts = self._facts
        seconds = int(facts.started_at)
        return _pb.GetServerInfoResponse(
            version=facts.version,
            start_time=Timestamp(seconds=seconds, nanos=int((facts.started_at - seconds) * 1e9)),
            classifier_version=facts.vocabulary.classifier_version,
            task_types=facts.vocabulary.task_types,
            domains=facts.vocabulary.domains,
            tones=facts.vocabulary.tones,
            config_digest=facts.config_digest,
            max_request_bytes=facts.max_request_bytes,
        )
