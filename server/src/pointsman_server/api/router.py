"""RouterService: classify, route, generate, complete."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from pointsman.v1 import router_service_pb2

from pointsman_server.api import requests, responses
from pointsman_server.api.call import BidiStream, Call, ServerStream, Service, Unary
from pointsman_server.api.chat import ChatHandler
from pointsman_server.domain.clock import Monotonic
from pointsman_server.domain.events import CompletionEvent
from pointsman_server.engine import Completion, Engine

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
                "Generate": Unary(_pb.GenerateRequest, self.generate),
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

    async def generate(self, message: _pb.GenerateRequest, call: Call) -> _pb.GenerateResponse:
        """Route a prompt and return the whole answer."""
        completion = self._engine.complete(requests.from_complete(message, call, self._total_s))
        heard: list[CompletionEvent] = []
        try:
            async with aclosing(completion.events()) as batches:
                async for batch in batches:
                    if not heard:
                        self._tell_decision(completion, call)
                    heard += batch
        finally:
            _tell_receipt(completion, call)
        return responses.to_answer(heard, explain=message.explain)

    async def complete(
        self, message: _pb.CompleteRequest, call: Call
    ) -> AsyncGenerator[_pb.CompleteResponse, None]:
        """Route a prompt and stream the answer."""
        completion = self._engine.complete(requests.from_complete(message, call, self._total_s))
        explain, sequence = message.explain, 0
        try:
            async with aclosing(completion.events()) as batches:
                async for batch in batches:
                    if sequence == 0:
                        self._tell_decision(completion, call)
                    response = _pb.CompleteResponse()
                    elapsed = self._clock() - call.accepted_at
                    responses.add_events(response.events, batch, sequence, elapsed, explain=explain)
                    yield response
                    sequence += len(batch)
        finally:
            _tell_receipt(completion, call)

    def _tell_decision(self, completion: Completion, call: Call) -> None:
        if completion.decision is not None:
            elapsed = self._clock() - call.accepted_at
            call.headers.update(responses.decision_headers(completion.decision, elapsed))


def _tell_receipt(completion: Completion, call: Call) -> None:
    if completion.receipt is not None:
        call.trailers.update(responses.receipt_trailers(completion.receipt))
