import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Capability(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAPABILITY_UNSPECIFIED: _ClassVar[Capability]
    CAPABILITY_TOOL_USE: _ClassVar[Capability]
    CAPABILITY_JSON_SCHEMA: _ClassVar[Capability]
    CAPABILITY_VISION: _ClassVar[Capability]
    CAPABILITY_REASONING: _ClassVar[Capability]

class Tier(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TIER_UNSPECIFIED: _ClassVar[Tier]
    TIER_CHEAP: _ClassVar[Tier]
    TIER_MIDDLE: _ClassVar[Tier]
    TIER_STRONG: _ClassVar[Tier]

class ModelState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODEL_STATE_UNSPECIFIED: _ClassVar[ModelState]
    MODEL_STATE_ENABLED: _ClassVar[ModelState]
    MODEL_STATE_DRAINING: _ClassVar[ModelState]
    MODEL_STATE_DISABLED: _ClassVar[ModelState]

class CircuitState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CIRCUIT_STATE_UNSPECIFIED: _ClassVar[CircuitState]
    CIRCUIT_STATE_CLOSED: _ClassVar[CircuitState]
    CIRCUIT_STATE_OPEN: _ClassVar[CircuitState]
    CIRCUIT_STATE_HALF_OPEN: _ClassVar[CircuitState]
CAPABILITY_UNSPECIFIED: Capability
CAPABILITY_TOOL_USE: Capability
CAPABILITY_JSON_SCHEMA: Capability
CAPABILITY_VISION: Capability
CAPABILITY_REASONING: Capability
TIER_UNSPECIFIED: Tier
TIER_CHEAP: Tier
TIER_MIDDLE: Tier
TIER_STRONG: Tier
MODEL_STATE_UNSPECIFIED: ModelState
MODEL_STATE_ENABLED: ModelState
MODEL_STATE_DRAINING: ModelState
MODEL_STATE_DISABLED: ModelState
CIRCUIT_STATE_UNSPECIFIED: CircuitState
CIRCUIT_STATE_CLOSED: CircuitState
CIRCUIT_STATE_OPEN: CircuitState
CIRCUIT_STATE_HALF_OPEN: CircuitState

class Model(_message.Message):
    __slots__ = ("name", "provider", "provider_model", "capabilities", "context_window", "max_output_tokens", "pricing", "quality_priors", "regions", "state", "health", "etag", "tier", "strengths", "weaknesses", "open_weights")
    class QualityPriorsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_MODEL_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_WINDOW_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PRICING_FIELD_NUMBER: _ClassVar[int]
    QUALITY_PRIORS_FIELD_NUMBER: _ClassVar[int]
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    STRENGTHS_FIELD_NUMBER: _ClassVar[int]
    WEAKNESSES_FIELD_NUMBER: _ClassVar[int]
    OPEN_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    provider: str
    provider_model: str
    capabilities: _containers.RepeatedScalarFieldContainer[Capability]
    context_window: int
    max_output_tokens: int
    pricing: Pricing
    quality_priors: _containers.ScalarMap[str, float]
    regions: _containers.RepeatedScalarFieldContainer[str]
    state: ModelState
    health: ModelHealth
    etag: str
    tier: Tier
    strengths: _containers.RepeatedScalarFieldContainer[str]
    weaknesses: _containers.RepeatedScalarFieldContainer[str]
    open_weights: bool
    def __init__(self, name: _Optional[str] = ..., provider: _Optional[str] = ..., provider_model: _Optional[str] = ..., capabilities: _Optional[_Iterable[_Union[Capability, str]]] = ..., context_window: _Optional[int] = ..., max_output_tokens: _Optional[int] = ..., pricing: _Optional[_Union[Pricing, _Mapping]] = ..., quality_priors: _Optional[_Mapping[str, float]] = ..., regions: _Optional[_Iterable[str]] = ..., state: _Optional[_Union[ModelState, str]] = ..., health: _Optional[_Union[ModelHealth, _Mapping]] = ..., etag: _Optional[str] = ..., tier: _Optional[_Union[Tier, str]] = ..., strengths: _Optional[_Iterable[str]] = ..., weaknesses: _Optional[_Iterable[str]] = ..., open_weights: bool = ...) -> None: ...

class Pricing(_message.Message):
    __slots__ = ("input_usd_nanos_per_million_tokens", "cached_input_usd_nanos_per_million_tokens", "output_usd_nanos_per_million_tokens")
    INPUT_USD_NANOS_PER_MILLION_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHED_INPUT_USD_NANOS_PER_MILLION_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_USD_NANOS_PER_MILLION_TOKENS_FIELD_NUMBER: _ClassVar[int]
    input_usd_nanos_per_million_tokens: int
    cached_input_usd_nanos_per_million_tokens: int
    output_usd_nanos_per_million_tokens: int
    def __init__(self, input_usd_nanos_per_million_tokens: _Optional[int] = ..., cached_input_usd_nanos_per_million_tokens: _Optional[int] = ..., output_usd_nanos_per_million_tokens: _Optional[int] = ...) -> None: ...

class ModelHealth(_message.Message):
    __slots__ = ("circuit_state", "retry_time", "in_flight", "calls", "failure_rate", "time_to_first_token_p50", "time_to_first_token_p95", "output_tokens_per_second_p50", "observe_time")
    CIRCUIT_STATE_FIELD_NUMBER: _ClassVar[int]
    RETRY_TIME_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_RATE_FIELD_NUMBER: _ClassVar[int]
    TIME_TO_FIRST_TOKEN_P50_FIELD_NUMBER: _ClassVar[int]
    TIME_TO_FIRST_TOKEN_P95_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_PER_SECOND_P50_FIELD_NUMBER: _ClassVar[int]
    OBSERVE_TIME_FIELD_NUMBER: _ClassVar[int]
    circuit_state: CircuitState
    retry_time: _timestamp_pb2.Timestamp
    in_flight: int
    calls: int
    failure_rate: float
    time_to_first_token_p50: _duration_pb2.Duration
    time_to_first_token_p95: _duration_pb2.Duration
    output_tokens_per_second_p50: float
    observe_time: _timestamp_pb2.Timestamp
    def __init__(self, circuit_state: _Optional[_Union[CircuitState, str]] = ..., retry_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., in_flight: _Optional[int] = ..., calls: _Optional[int] = ..., failure_rate: _Optional[float] = ..., time_to_first_token_p50: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., time_to_first_token_p95: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., output_tokens_per_second_p50: _Optional[float] = ..., observe_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
