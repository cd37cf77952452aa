import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.rpc import status_pb2 as _status_pb2
from pointsman.v1 import classification_pb2 as _classification_pb2
from pointsman.v1 import decision_pb2 as _decision_pb2
from pointsman.v1 import message_pb2 as _message_pb2
from pointsman.v1 import usage_pb2 as _usage_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SwitchPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SWITCH_POLICY_UNSPECIFIED: _ClassVar[SwitchPolicy]
    SWITCH_POLICY_BEFORE_FIRST_TOKEN: _ClassVar[SwitchPolicy]
    SWITCH_POLICY_RESTART: _ClassVar[SwitchPolicy]
    SWITCH_POLICY_CONTINUE: _ClassVar[SwitchPolicy]

class AttemptReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ATTEMPT_REASON_UNSPECIFIED: _ClassVar[AttemptReason]
    ATTEMPT_REASON_PRIMARY: _ClassVar[AttemptReason]
    ATTEMPT_REASON_HEDGE: _ClassVar[AttemptReason]
    ATTEMPT_REASON_RETRY: _ClassVar[AttemptReason]
    ATTEMPT_REASON_FALLBACK: _ClassVar[AttemptReason]
    ATTEMPT_REASON_ESCALATION: _ClassVar[AttemptReason]

class AttemptOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ATTEMPT_OUTCOME_UNSPECIFIED: _ClassVar[AttemptOutcome]
    ATTEMPT_OUTCOME_LOST_RACE: _ClassVar[AttemptOutcome]
    ATTEMPT_OUTCOME_TIMED_OUT: _ClassVar[AttemptOutcome]
    ATTEMPT_OUTCOME_RATE_LIMITED: _ClassVar[AttemptOutcome]
    ATTEMPT_OUTCOME_PROVIDER_ERROR: _ClassVar[AttemptOutcome]
    ATTEMPT_OUTCOME_UNREACHABLE: _ClassVar[AttemptOutcome]
    ATTEMPT_OUTCOME_REJECTED: _ClassVar[AttemptOutcome]
    ATTEMPT_OUTCOME_LOW_CONFIDENCE: _ClassVar[AttemptOutcome]
    ATTEMPT_OUTCOME_CANCELLED: _ClassVar[AttemptOutcome]

class FinishReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINISH_REASON_UNSPECIFIED: _ClassVar[FinishReason]
    FINISH_REASON_STOP: _ClassVar[FinishReason]
    FINISH_REASON_MAX_TOKENS: _ClassVar[FinishReason]
    FINISH_REASON_TOOL_CALLS: _ClassVar[FinishReason]
    FINISH_REASON_CONTENT_FILTER: _ClassVar[FinishReason]
SWITCH_POLICY_UNSPECIFIED: SwitchPolicy
SWITCH_POLICY_BEFORE_FIRST_TOKEN: SwitchPolicy
SWITCH_POLICY_RESTART: SwitchPolicy
SWITCH_POLICY_CONTINUE: SwitchPolicy
ATTEMPT_REASON_UNSPECIFIED: AttemptReason
ATTEMPT_REASON_PRIMARY: AttemptReason
ATTEMPT_REASON_HEDGE: AttemptReason
ATTEMPT_REASON_RETRY: AttemptReason
ATTEMPT_REASON_FALLBACK: AttemptReason
ATTEMPT_REASON_ESCALATION: AttemptReason
ATTEMPT_OUTCOME_UNSPECIFIED: AttemptOutcome
ATTEMPT_OUTCOME_LOST_RACE: AttemptOutcome
ATTEMPT_OUTCOME_TIMED_OUT: AttemptOutcome
ATTEMPT_OUTCOME_RATE_LIMITED: AttemptOutcome
ATTEMPT_OUTCOME_PROVIDER_ERROR: AttemptOutcome
ATTEMPT_OUTCOME_UNREACHABLE: AttemptOutcome
ATTEMPT_OUTCOME_REJECTED: AttemptOutcome
ATTEMPT_OUTCOME_LOW_CONFIDENCE: AttemptOutcome
ATTEMPT_OUTCOME_CANCELLED: AttemptOutcome
FINISH_REASON_UNSPECIFIED: FinishReason
FINISH_REASON_STOP: FinishReason
FINISH_REASON_MAX_TOKENS: FinishReason
FINISH_REASON_TOOL_CALLS: FinishReason
FINISH_REASON_CONTENT_FILTER: FinishReason

class CallContext(_message.Message):
    __slots__ = ("user_id", "session_id", "tags")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    session_id: str
    tags: _containers.ScalarMap[str, str]
    def __init__(self, user_id: _Optional[str] = ..., session_id: _Optional[str] = ..., tags: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ExecutionOptions(_message.Message):
    __slots__ = ("hedging", "hedge_delay", "switch_policy", "allow_cached")
    HEDGING_FIELD_NUMBER: _ClassVar[int]
    HEDGE_DELAY_FIELD_NUMBER: _ClassVar[int]
    SWITCH_POLICY_FIELD_NUMBER: _ClassVar[int]
    ALLOW_CACHED_FIELD_NUMBER: _ClassVar[int]
    hedging: bool
    hedge_delay: _duration_pb2.Duration
    switch_policy: SwitchPolicy
    allow_cached: bool
    def __init__(self, hedging: bool = ..., hedge_delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., switch_policy: _Optional[_Union[SwitchPolicy, str]] = ..., allow_cached: bool = ...) -> None: ...

class ClassifyRequest(_message.Message):
    __slots__ = ("messages", "overrides", "include_scores")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_SCORES_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[_message_pb2.Message]
    overrides: _classification_pb2.ClassificationOverrides
    include_scores: bool
    def __init__(self, messages: _Optional[_Iterable[_Union[_message_pb2.Message, _Mapping]]] = ..., overrides: _Optional[_Union[_classification_pb2.ClassificationOverrides, _Mapping]] = ..., include_scores: bool = ...) -> None: ...

class ClassifyResponse(_message.Message):
    __slots__ = ("classification",)
    CLASSIFICATION_FIELD_NUMBER: _ClassVar[int]
    classification: _classification_pb2.Classification
    def __init__(self, classification: _Optional[_Union[_classification_pb2.Classification, _Mapping]] = ...) -> None: ...

class RouteRequest(_message.Message):
    __slots__ = ("messages", "context", "overrides", "constraints", "generation", "explain")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINTS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[_message_pb2.Message]
    context: CallContext
    overrides: _classification_pb2.ClassificationOverrides
    constraints: _decision_pb2.RoutingConstraints
    generation: _message_pb2.GenerationOptions
    explain: bool
    def __init__(self, messages: _Optional[_Iterable[_Union[_message_pb2.Message, _Mapping]]] = ..., context: _Optional[_Union[CallContext, _Mapping]] = ..., overrides: _Optional[_Union[_classification_pb2.ClassificationOverrides, _Mapping]] = ..., constraints: _Optional[_Union[_decision_pb2.RoutingConstraints, _Mapping]] = ..., generation: _Optional[_Union[_message_pb2.GenerationOptions, _Mapping]] = ..., explain: bool = ...) -> None: ...

class RouteResponse(_message.Message):
    __slots__ = ("decision",)
    DECISION_FIELD_NUMBER: _ClassVar[int]
    decision: _decision_pb2.Decision
    def __init__(self, decision: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ...) -> None: ...

class GenerateRequest(_message.Message):
    __slots__ = ("messages", "context", "overrides", "constraints", "generation", "execution", "explain", "request_id")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINTS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[_message_pb2.Message]
    context: CallContext
    overrides: _classification_pb2.ClassificationOverrides
    constraints: _decision_pb2.RoutingConstraints
    generation: _message_pb2.GenerationOptions
    execution: ExecutionOptions
    explain: bool
    request_id: str
    def __init__(self, messages: _Optional[_Iterable[_Union[_message_pb2.Message, _Mapping]]] = ..., context: _Optional[_Union[CallContext, _Mapping]] = ..., overrides: _Optional[_Union[_classification_pb2.ClassificationOverrides, _Mapping]] = ..., constraints: _Optional[_Union[_decision_pb2.RoutingConstraints, _Mapping]] = ..., generation: _Optional[_Union[_message_pb2.GenerationOptions, _Mapping]] = ..., execution: _Optional[_Union[ExecutionOptions, _Mapping]] = ..., explain: bool = ..., request_id: _Optional[str] = ...) -> None: ...

class GenerateResponse(_message.Message):
    __slots__ = ("decision", "text", "tool_calls", "completed")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALLS_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    decision: _decision_pb2.Decision
    text: str
    tool_calls: _containers.RepeatedCompositeFieldContainer[_message_pb2.ToolCall]
    completed: Completed
    def __init__(self, decision: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ..., text: _Optional[str] = ..., tool_calls: _Optional[_Iterable[_Union[_message_pb2.ToolCall, _Mapping]]] = ..., completed: _Optional[_Union[Completed, _Mapping]] = ...) -> None: ...

class CompleteRequest(_message.Message):
    __slots__ = ("messages", "context", "overrides", "constraints", "generation", "execution", "explain", "request_id")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINTS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[_message_pb2.Message]
    context: CallContext
    overrides: _classification_pb2.ClassificationOverrides
    constraints: _decision_pb2.RoutingConstraints
    generation: _message_pb2.GenerationOptions
    execution: ExecutionOptions
    explain: bool
    request_id: str
    def __init__(self, messages: _Optional[_Iterable[_Union[_message_pb2.Message, _Mapping]]] = ..., context: _Optional[_Union[CallContext, _Mapping]] = ..., overrides: _Optional[_Union[_classification_pb2.ClassificationOverrides, _Mapping]] = ..., constraints: _Optional[_Union[_decision_pb2.RoutingConstraints, _Mapping]] = ..., generation: _Optional[_Union[_message_pb2.GenerationOptions, _Mapping]] = ..., execution: _Optional[_Union[ExecutionOptions, _Mapping]] = ..., explain: bool = ..., request_id: _Optional[str] = ...) -> None: ...

class CompleteResponse(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[CompletionEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[CompletionEvent, _Mapping]]] = ...) -> None: ...

class CompletionEvents(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[CompletionEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[CompletionEvent, _Mapping]]] = ...) -> None: ...

class CompletionEvent(_message.Message):
    __slots__ = ("sequence", "elapsed", "decision", "attempt_started", "attempt_ended", "delta", "model_switched", "completed")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_STARTED_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_ENDED_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    MODEL_SWITCHED_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    elapsed: _duration_pb2.Duration
    decision: _decision_pb2.Decision
    attempt_started: AttemptStarted
    attempt_ended: AttemptEnded
    delta: ContentDelta
    model_switched: ModelSwitched
    completed: Completed
    def __init__(self, sequence: _Optional[int] = ..., elapsed: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., decision: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ..., attempt_started: _Optional[_Union[AttemptStarted, _Mapping]] = ..., attempt_ended: _Optional[_Union[AttemptEnded, _Mapping]] = ..., delta: _Optional[_Union[ContentDelta, _Mapping]] = ..., model_switched: _Optional[_Union[ModelSwitched, _Mapping]] = ..., completed: _Optional[_Union[Completed, _Mapping]] = ...) -> None: ...

class AttemptStarted(_message.Message):
    __slots__ = ("attempt", "model", "reason")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    model: str
    reason: AttemptReason
    def __init__(self, attempt: _Optional[int] = ..., model: _Optional[str] = ..., reason: _Optional[_Union[AttemptReason, str]] = ...) -> None: ...

class AttemptEnded(_message.Message):
    __slots__ = ("attempt", "outcome", "usage", "message")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    outcome: AttemptOutcome
    usage: _usage_pb2.Usage
    message: str
    def __init__(self, attempt: _Optional[int] = ..., outcome: _Optional[_Union[AttemptOutcome, str]] = ..., usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., message: _Optional[str] = ...) -> None: ...

class ContentDelta(_message.Message):
    __slots__ = ("attempt", "text", "tool_call")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALL_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    text: str
    tool_call: _message_pb2.ToolCall
    def __init__(self, attempt: _Optional[int] = ..., text: _Optional[str] = ..., tool_call: _Optional[_Union[_message_pb2.ToolCall, _Mapping]] = ...) -> None: ...

class ModelSwitched(_message.Message):
    __slots__ = ("from_attempt", "to_attempt", "model", "reason", "discard")
    FROM_ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    TO_ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DISCARD_FIELD_NUMBER: _ClassVar[int]
    from_attempt: int
    to_attempt: int
    model: str
    reason: AttemptReason
    discard: bool
    def __init__(self, from_attempt: _Optional[int] = ..., to_attempt: _Optional[int] = ..., model: _Optional[str] = ..., reason: _Optional[_Union[AttemptReason, str]] = ..., discard: bool = ...) -> None: ...

class Completed(_message.Message):
    __slots__ = ("attempt", "model", "finish_reason", "usage", "total_usage", "time_to_first_token", "decision_id", "baseline_model", "baseline_cost_usd_nanos")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_USAGE_FIELD_NUMBER: _ClassVar[int]
    TIME_TO_FIRST_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    BASELINE_MODEL_FIELD_NUMBER: _ClassVar[int]
    BASELINE_COST_USD_NANOS_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    model: str
    finish_reason: FinishReason
    usage: _usage_pb2.Usage
    total_usage: _usage_pb2.Usage
    time_to_first_token: _duration_pb2.Duration
    decision_id: str
    baseline_model: str
    baseline_cost_usd_nanos: int
    def __init__(self, attempt: _Optional[int] = ..., model: _Optional[str] = ..., finish_reason: _Optional[_Union[FinishReason, str]] = ..., usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., total_usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., time_to_first_token: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., decision_id: _Optional[str] = ..., baseline_model: _Optional[str] = ..., baseline_cost_usd_nanos: _Optional[int] = ...) -> None: ...

class ChatRequest(_message.Message):
    __slots__ = ("setup", "turn", "cancel")
    SETUP_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    setup: ChatSetup
    turn: ChatTurn
    cancel: ChatCancel
    def __init__(self, setup: _Optional[_Union[ChatSetup, _Mapping]] = ..., turn: _Optional[_Union[ChatTurn, _Mapping]] = ..., cancel: _Optional[_Union[ChatCancel, _Mapping]] = ...) -> None: ...

class ChatSetup(_message.Message):
    __slots__ = ("history", "context", "constraints", "generation", "execution")
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINTS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    history: _containers.RepeatedCompositeFieldContainer[_message_pb2.Message]
    context: CallContext
    constraints: _decision_pb2.RoutingConstraints
    generation: _message_pb2.GenerationOptions
    execution: ExecutionOptions
    def __init__(self, history: _Optional[_Iterable[_Union[_message_pb2.Message, _Mapping]]] = ..., context: _Optional[_Union[CallContext, _Mapping]] = ..., constraints: _Optional[_Union[_decision_pb2.RoutingConstraints, _Mapping]] = ..., generation: _Optional[_Union[_message_pb2.GenerationOptions, _Mapping]] = ..., execution: _Optional[_Union[ExecutionOptions, _Mapping]] = ...) -> None: ...

class ChatTurn(_message.Message):
    __slots__ = ("turn_id", "messages", "overrides", "constraints")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINTS_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    messages: _containers.RepeatedCompositeFieldContainer[_message_pb2.Message]
    overrides: _classification_pb2.ClassificationOverrides
    constraints: _decision_pb2.RoutingConstraints
    def __init__(self, turn_id: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[_message_pb2.Message, _Mapping]]] = ..., overrides: _Optional[_Union[_classification_pb2.ClassificationOverrides, _Mapping]] = ..., constraints: _Optional[_Union[_decision_pb2.RoutingConstraints, _Mapping]] = ...) -> None: ...

class ChatCancel(_message.Message):
    __slots__ = ("turn_id",)
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    def __init__(self, turn_id: _Optional[str] = ...) -> None: ...

class ChatResponse(_message.Message):
    __slots__ = ("turn_id", "events", "error", "cancelled")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    events: CompletionEvents
    error: _status_pb2.Status
    cancelled: ChatCancelled
    def __init__(self, turn_id: _Optional[str] = ..., events: _Optional[_Union[CompletionEvents, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., cancelled: _Optional[_Union[ChatCancelled, _Mapping]] = ...) -> None: ...

class ChatCancelled(_message.Message):
    __slots__ = ("usage",)
    USAGE_FIELD_NUMBER: _ClassVar[int]
    usage: _usage_pb2.Usage
    def __init__(self, usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ...) -> None: ...
