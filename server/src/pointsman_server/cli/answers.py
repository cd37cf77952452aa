"""Answers as they come: text in the colour of its model, the decision and the bill beside it."""

from __future__ import annotations

from pointsman.v1 import router_service_pb2
from pointsman.v1.classification_pb2 import Classification, Complexity, Urgency
from pointsman.v1.decision_pb2 import DECISION_BASIS_PINNED, Decision
from pointsman.v1.router_service_pb2 import AttemptOutcome, AttemptReason, Completed
from rich.console import Console
from rich.text import Text

from pointsman_server.cli.terminal import ModelColours, millis, out, usd

_QUIET_REASONS = (router_service_pb2.ATTEMPT_REASON_PRIMARY,)


class AnswerPrinter:
    """Prints the events of one answer."""

    def __init__(self, console: Console | None = None, colours: ModelColours | None = None) -> None:
        self._console = console or out()
        self._colours = colours or ModelColours()
        self._models: dict[int, str] = {}
        self._in_text = False

    def event(self, event: router_service_pb2.CompletionEvent) -> None:
        """Print one event."""
        match event.WhichOneof("event"):
            case "decision":
                self._decision(event.decision)
            case "attempt_started":
                self._started(event.attempt_started)
            case "attempt_ended":
                self._ended(event.attempt_ended)
            case "delta":
                self._delta(event.delta)
            case "model_switched":
                name = event.model_switched.model
                self._aside(Text.assemble("starting over with ", self._colours.text(name)))
            case "completed":
                self._completed(event.completed)

    def end_text(self) -> None:
        """Go to a new line if text is on the current one."""
        if self._in_text:
            self._console.print()
            self._in_text = False

    def _aside(self, text: Text) -> None:
        self.end_text()
        line = Text("  ")
        line.append_text(text)
        line.stylize("dim")
        self._console.print(line)

    def _decision(self, decision: Decision) -> None:
        line = Text("→ ")
        line.append_text(self._colours.text(decision.model))
        line.append(f"  {describe(decision)}", style="dim")
        self._console.print(line)
        for reason in decision.reasons:
            self._console.print(Text(f"  because {reason}", style="dim"))

    def _started(self, started: router_service_pb2.AttemptStarted) -> None:
        self._models[started.attempt] = started.model
        if started.reason not in _QUIET_REASONS:
            why = AttemptReason.Name(started.reason).removeprefix("ATTEMPT_REASON_").lower()
            self._aside(Text.assemble(f"{why}: ", self._colours.text(started.model)))

    def _ended(self, ended: router_service_pb2.AttemptEnded) -> None:
        model = self._models.get(ended.attempt, "")
        outcome = AttemptOutcome.Name(ended.outcome).removeprefix("ATTEMPT_OUTCOME_").lower()
        said = f" {outcome.replace('_', ' ')}: {ended.message}"
        self._aside(Text.assemble(self._colours.text(model), said))

    def _delta(self, delta: router_service_pb2.ContentDelta) -> None:
        style = self._colours.of(self._models.get(delta.attempt, ""))
        if delta.WhichOneof("delta") == "tool_call":
            call = delta.tool_call
            self._aside(Text(f"calls {call.name}({call.arguments_json})"))
            return
        self._console.print(Text(delta.text, style=style), end="")
        self._in_text = True

    def _completed(self, completed: Completed) -> None:
        self.end_text()
        self._console.print(Text(f"  {bill(completed)}", style="dim"))


def in_short(reading: Classification) -> str:
    """A reading in a few words: task, domain, complexity, and what is out of the ordinary."""
    complexity = Complexity.Name(reading.complexity).removeprefix("COMPLEXITY_").lower()
    urgency = Urgency.Name(reading.urgency).removeprefix("URGENCY_").lower()
    parts = [reading.task_type.value.replace("_", " "), reading.domain.value, complexity]
    if urgency != "normal":
        parts.append(f"{urgency} urgency")
    if reading.tone.value != "neutral":
        parts.append(reading.tone.value)
    return " · ".join(parts)


def describe(decision: Decision) -> str:
    """What a decision was made from: the reading and what it took, if there is one."""
    reading = decision.classification
    if not reading.classifier_version:
        return "as asked" if decision.basis == DECISION_BASIS_PINNED else ""
    took = reading.duration.ToNanoseconds() / 1e9
    return f"{in_short(reading)}  (confidence {reading.confidence:.2f}, read in {millis(took)})"


def estimates(complexity_score: float, multi_step: float, output_tokens: int) -> str:
    """The numbers of a reading; a length of 0 is none."""
    text = f"complexity {complexity_score:.2f} of 1 · several steps {multi_step:.0%}"
    return f"{text} · answer of about {output_tokens} tokens" if output_tokens else text


def sure_of(reading: Classification) -> list[str]:
    """Which of a reading's labels are sure."""
    labels = (
        ("task type", reading.task_type.sure),
        ("domain", reading.domain.sure),
        ("complexity", reading.complexity_sure),
        ("urgency", reading.urgency_sure),
        ("tone", reading.tone.sure),
    )
    return [name for name, sure in labels if sure]


def bill(completed: Completed) -> str:
    """What an answer took and cost, in one line."""
    usage, total = completed.usage, completed.total_usage
    first = completed.time_to_first_token.ToNanoseconds() / 1e9
    text = (
        f"{usage.input_tokens} + {usage.output_tokens} tokens · first after {millis(first)} · "
        f"{usd(total.cost_usd_nanos)}"
    )
    if completed.finish_reason == router_service_pb2.FINISH_REASON_MAX_TOKENS:
        text += " · cut at the bound"
    if completed.baseline_model != completed.model:
        baseline = usd(completed.baseline_cost_usd_nanos)
        text += f" ({baseline} with {completed.baseline_model})"
    return text
