"""RouterService: classify, route, complete."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from pointsman.v1 import router_service_pb2

from pointsman_server.api import requests, responses
from pointsman_server.api.call import BidiStream, Call, ServerStream, Service, Unary
from pointsman_server.api.chat import ChatHandler
from pointsman_server.domain.clock import Monotonic
from pointsman_server.domain.events import Decided
from pointsman_server.engine import Engine

_pb = router_service_pb2


class RouterService:
    """The service that most callers need. ``total_s`` bounds calls that came without a deadline."""

    def __init__(self, engine: Engine, clock: Monotonic, total_s: float) -> None:
        self._engine = engine
        self._clock = clock
        self._total_s = total_s
        self._chat = ChatHandler(engine, clock, total_s)

    def service(self) -> Service:
        """What a transport serves."""
        return Service(
            "pointsman.v1.RouterService",
            {
                "Classify": Unary(_pb.ClassifyRequest, self.classify),
                "Route": Unary(_pb.RouteRequest, self.route),
                "Complete": ServerStream(_pb.CompleteRequest, self.complete),
                "Chat": BidiStream(_pb.ChatRequest, self._chat.chat),
            },
        )

    def drain(self) -> None:
        """Begin no further turn of any conversation."""
        self._chat.drain()

    async def classify(self, message: _pb.ClassifyRequest, call: Call) -> _pb.ClassifyResponse:
        """Read a prompt and say what it asks for."""
        request = requests.from_classify(message, call, self._total_s)
        profile = await self._engine.classify(request)
        reading = responses.to_classification(profile, scores=message.include_scores)
        return _pb.ClassifyResponse(classification=reading)

    async def route(self, message: _pb.RouteRequest, call: Call) -> _pb.RouteResponse:
        """Choose a model for a prompt and call none."""
        request = requests.from_route(message, call, self._total_s)
        decision = await self._engine.route(request)
        overhead = self._clock() - call.accepted_at
        call.headers.update(responses.decision_headers(decision, overhead))
        return _pb.RouteResponse(decision=responses.to_decision(decision, explain=message.explain))

    async def complete(
        self, message: _pb.CompleteRequest, call: Call
    ) -> AsyncGenerator[_pb.CompleteResponse, None]:
        """Route a prompt and stream the answer."""
        completion = self._engine.complete(requests.from_complete(message, call, self._total_s))
        sequence = 0
        try:
            async with aclosing(completion.events()) as events:
                async for event in events:
                    elapsed = self._clock() - call.accepted_at
                    if isinstance(event, Decided):
                        call.headers.update(responses.decision_headers(event.decision, elapsed))
                    yield _pb.CompleteResponse(
                        event=responses.to_event(event, sequence, elapsed, explain=message.explain)
                    )
                    sequence += 1
        finally:
            if completion.receipt is not None:
                call.trailers.update(responses.receipt_trailers(completion.receipt))
