import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from pointsman.v1 import classification_pb2 as _classification_pb2
from pointsman.v1 import registry_pb2 as _registry_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DecisionBasis(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECISION_BASIS_UNSPECIFIED: _ClassVar[DecisionBasis]
    DECISION_BASIS_PINNED: _ClassVar[DecisionBasis]
    DECISION_BASIS_DECISION_TREE: _ClassVar[DecisionBasis]
    DECISION_BASIS_EXPECTED_VALUE: _ClassVar[DecisionBasis]
    DECISION_BASIS_BANDIT: _ClassVar[DecisionBasis]
    DECISION_BASIS_DEFAULT: _ClassVar[DecisionBasis]
    DECISION_BASIS_CACHE: _ClassVar[DecisionBasis]
    DECISION_BASIS_SESSION: _ClassVar[DecisionBasis]

class ExecutionStrategy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXECUTION_STRATEGY_UNSPECIFIED: _ClassVar[ExecutionStrategy]
    EXECUTION_STRATEGY_SINGLE: _ClassVar[ExecutionStrategy]
    EXECUTION_STRATEGY_HEDGED: _ClassVar[ExecutionStrategy]
    EXECUTION_STRATEGY_CASCADE: _ClassVar[ExecutionStrategy]
    EXECUTION_STRATEGY_WORKFLOW: _ClassVar[ExecutionStrategy]
    EXECUTION_STRATEGY_CACHED: _ClassVar[ExecutionStrategy]

class Ineligibility(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INELIGIBILITY_UNSPECIFIED: _ClassVar[Ineligibility]
    INELIGIBILITY_CONSTRAINED: _ClassVar[Ineligibility]
    INELIGIBILITY_MISSING_CAPABILITY: _ClassVar[Ineligibility]
    INELIGIBILITY_CONTEXT_TOO_LONG: _ClassVar[Ineligibility]
    INELIGIBILITY_OVER_BUDGET: _ClassVar[Ineligibility]
    INELIGIBILITY_CIRCUIT_OPEN: _ClassVar[Ineligibility]
    INELIGIBILITY_SATURATED: _ClassVar[Ineligibility]
    INELIGIBILITY_DISABLED: _ClassVar[Ineligibility]
    INELIGIBILITY_TOO_SLOW: _ClassVar[Ineligibility]
DECISION_BASIS_UNSPECIFIED: DecisionBasis
DECISION_BASIS_PINNED: DecisionBasis
DECISION_BASIS_DECISION_TREE: DecisionBasis
DECISION_BASIS_EXPECTED_VALUE: DecisionBasis
DECISION_BASIS_BANDIT: DecisionBasis
DECISION_BASIS_DEFAULT: DecisionBasis
DECISION_BASIS_CACHE: DecisionBasis
DECISION_BASIS_SESSION: DecisionBasis
EXECUTION_STRATEGY_UNSPECIFIED: ExecutionStrategy
EXECUTION_STRATEGY_SINGLE: ExecutionStrategy
EXECUTION_STRATEGY_HEDGED: ExecutionStrategy
EXECUTION_STRATEGY_CASCADE: ExecutionStrategy
EXECUTION_STRATEGY_WORKFLOW: ExecutionStrategy
EXECUTION_STRATEGY_CACHED: ExecutionStrategy
INELIGIBILITY_UNSPECIFIED: Ineligibility
INELIGIBILITY_CONSTRAINED: Ineligibility
INELIGIBILITY_MISSING_CAPABILITY: Ineligibility
INELIGIBILITY_CONTEXT_TOO_LONG: Ineligibility
INELIGIBILITY_OVER_BUDGET: Ineligibility
INELIGIBILITY_CIRCUIT_OPEN: Ineligibility
INELIGIBILITY_SATURATED: Ineligibility
INELIGIBILITY_DISABLED: Ineligibility
INELIGIBILITY_TOO_SLOW: Ineligibility

class Decision(_message.Message):
    __slots__ = ("decision_id", "model", "fallback_models", "classification", "confidence", "basis", "policy_version", "propensity", "experiment", "candidates", "reasons", "hedge_delay", "max_output_tokens", "duration", "execution_strategy", "hedge_model")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_MODELS_FIELD_NUMBER: _ClassVar[int]
    CLASSIFICATION_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    HEDGE_DELAY_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_STRATEGY_FIELD_NUMBER: _ClassVar[int]
    HEDGE_MODEL_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    model: str
    fallback_models: _containers.RepeatedScalarFieldContainer[str]
    classification: _classification_pb2.Classification
    confidence: float
    basis: DecisionBasis
    policy_version: str
    propensity: float
    experiment: ExperimentAssignment
    candidates: _containers.RepeatedCompositeFieldContainer[Candidate]
    reasons: _containers.RepeatedScalarFieldContainer[str]
    hedge_delay: _duration_pb2.Duration
    max_output_tokens: int
    duration: _duration_pb2.Duration
    execution_strategy: ExecutionStrategy
    hedge_model: str
    def __init__(self, decision_id: _Optional[str] = ..., model: _Optional[str] = ..., fallback_models: _Optional[_Iterable[str]] = ..., classification: _Optional[_Union[_classification_pb2.Classification, _Mapping]] = ..., confidence: _Optional[float] = ..., basis: _Optional[_Union[DecisionBasis, str]] = ..., policy_version: _Optional[str] = ..., propensity: _Optional[float] = ..., experiment: _Optional[_Union[ExperimentAssignment, _Mapping]] = ..., candidates: _Optional[_Iterable[_Union[Candidate, _Mapping]]] = ..., reasons: _Optional[_Iterable[str]] = ..., hedge_delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_output_tokens: _Optional[int] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., execution_strategy: _Optional[_Union[ExecutionStrategy, str]] = ..., hedge_model: _Optional[str] = ...) -> None: ...

class Candidate(_message.Message):
    __slots__ = ("model", "score", "expected_quality", "expected_cost_usd_nanos", "expected_time_to_first_token", "ineligibility", "ineligibility_detail")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_QUALITY_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_COST_USD_NANOS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_TIME_TO_FIRST_TOKEN_FIELD_NUMBER: _ClassVar[int]
    INELIGIBILITY_FIELD_NUMBER: _ClassVar[int]
    INELIGIBILITY_DETAIL_FIELD_NUMBER: _ClassVar[int]
    model: str
    score: float
    expected_quality: float
    expected_cost_usd_nanos: int
    expected_time_to_first_token: _duration_pb2.Duration
    ineligibility: Ineligibility
    ineligibility_detail: str
    def __init__(self, model: _Optional[str] = ..., score: _Optional[float] = ..., expected_quality: _Optional[float] = ..., expected_cost_usd_nanos: _Optional[int] = ..., expected_time_to_first_token: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., ineligibility: _Optional[_Union[Ineligibility, str]] = ..., ineligibility_detail: _Optional[str] = ...) -> None: ...

class ExperimentAssignment(_message.Message):
    __slots__ = ("experiment", "arm")
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    ARM_FIELD_NUMBER: _ClassVar[int]
    experiment: str
    arm: str
    def __init__(self, experiment: _Optional[str] = ..., arm: _Optional[str] = ...) -> None: ...

class RoutingConstraints(_message.Message):
    __slots__ = ("allowed_models", "excluded_models", "required_capabilities", "max_cost_usd_nanos", "max_time_to_first_token", "allowed_regions")
    ALLOWED_MODELS_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_MODELS_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    MAX_COST_USD_NANOS_FIELD_NUMBER: _ClassVar[int]
    MAX_TIME_TO_FIRST_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_REGIONS_FIELD_NUMBER: _ClassVar[int]
    allowed_models: _containers.RepeatedScalarFieldContainer[str]
    excluded_models: _containers.RepeatedScalarFieldContainer[str]
    required_capabilities: _containers.RepeatedScalarFieldContainer[_registry_pb2.Capability]
    max_cost_usd_nanos: int
    max_time_to_first_token: _duration_pb2.Duration
    allowed_regions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, allowed_models: _Optional[_Iterable[str]] = ..., excluded_models: _Optional[_Iterable[str]] = ..., required_capabilities: _Optional[_Iterable[_Union[_registry_pb2.Capability, str]]] = ..., max_cost_usd_nanos: _Optional[int] = ..., max_time_to_first_token: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., allowed_regions: _Optional[_Iterable[str]] = ...) -> None: ...
