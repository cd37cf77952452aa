import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Complexity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMPLEXITY_UNSPECIFIED: _ClassVar[Complexity]
    COMPLEXITY_LOW: _ClassVar[Complexity]
    COMPLEXITY_MEDIUM: _ClassVar[Complexity]
    COMPLEXITY_HIGH: _ClassVar[Complexity]

class Urgency(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    URGENCY_UNSPECIFIED: _ClassVar[Urgency]
    URGENCY_LOW: _ClassVar[Urgency]
    URGENCY_NORMAL: _ClassVar[Urgency]
    URGENCY_HIGH: _ClassVar[Urgency]

class CostSensitivity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COST_SENSITIVITY_UNSPECIFIED: _ClassVar[CostSensitivity]
    COST_SENSITIVITY_LOW: _ClassVar[CostSensitivity]
    COST_SENSITIVITY_MEDIUM: _ClassVar[CostSensitivity]
    COST_SENSITIVITY_HIGH: _ClassVar[CostSensitivity]
COMPLEXITY_UNSPECIFIED: Complexity
COMPLEXITY_LOW: Complexity
COMPLEXITY_MEDIUM: Complexity
COMPLEXITY_HIGH: Complexity
URGENCY_UNSPECIFIED: Urgency
URGENCY_LOW: Urgency
URGENCY_NORMAL: Urgency
URGENCY_HIGH: Urgency
COST_SENSITIVITY_UNSPECIFIED: CostSensitivity
COST_SENSITIVITY_LOW: CostSensitivity
COST_SENSITIVITY_MEDIUM: CostSensitivity
COST_SENSITIVITY_HIGH: CostSensitivity

class Classification(_message.Message):
    __slots__ = ("task_type", "domain", "tone", "complexity", "complexity_confidence", "urgency", "urgency_confidence", "cost_sensitivity", "cost_sensitivity_confidence", "confidence", "prompt_tokens", "truncated", "classifier_version", "duration", "complexity_score", "multi_step", "expected_output_tokens", "complexity_sure", "urgency_sure")
    TASK_TYPE_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    TONE_FIELD_NUMBER: _ClassVar[int]
    COMPLEXITY_FIELD_NUMBER: _ClassVar[int]
    COMPLEXITY_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    URGENCY_FIELD_NUMBER: _ClassVar[int]
    URGENCY_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    COST_SENSITIVITY_FIELD_NUMBER: _ClassVar[int]
    COST_SENSITIVITY_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    CLASSIFIER_VERSION_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    COMPLEXITY_SCORE_FIELD_NUMBER: _ClassVar[int]
    MULTI_STEP_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    COMPLEXITY_SURE_FIELD_NUMBER: _ClassVar[int]
    URGENCY_SURE_FIELD_NUMBER: _ClassVar[int]
    task_type: Label
    domain: Label
    tone: Label
    complexity: Complexity
    complexity_confidence: float
    urgency: Urgency
    urgency_confidence: float
    cost_sensitivity: CostSensitivity
    cost_sensitivity_confidence: float
    confidence: float
    prompt_tokens: int
    truncated: bool
    classifier_version: str
    duration: _duration_pb2.Duration
    complexity_score: float
    multi_step: float
    expected_output_tokens: int
    complexity_sure: bool
    urgency_sure: bool
    def __init__(self, task_type: _Optional[_Union[Label, _Mapping]] = ..., domain: _Optional[_Union[Label, _Mapping]] = ..., tone: _Optional[_Union[Label, _Mapping]] = ..., complexity: _Optional[_Union[Complexity, str]] = ..., complexity_confidence: _Optional[float] = ..., urgency: _Optional[_Union[Urgency, str]] = ..., urgency_confidence: _Optional[float] = ..., cost_sensitivity: _Optional[_Union[CostSensitivity, str]] = ..., cost_sensitivity_confidence: _Optional[float] = ..., confidence: _Optional[float] = ..., prompt_tokens: _Optional[int] = ..., truncated: bool = ..., classifier_version: _Optional[str] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., complexity_score: _Optional[float] = ..., multi_step: _Optional[float] = ..., expected_output_tokens: _Optional[int] = ..., complexity_sure: bool = ..., urgency_sure: bool = ...) -> None: ...

class Label(_message.Message):
    __slots__ = ("value", "confidence", "scores", "sure")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    SURE_FIELD_NUMBER: _ClassVar[int]
    value: str
    confidence: float
    scores: _containers.RepeatedCompositeFieldContainer[LabelScore]
    sure: bool
    def __init__(self, value: _Optional[str] = ..., confidence: _Optional[float] = ..., scores: _Optional[_Iterable[_Union[LabelScore, _Mapping]]] = ..., sure: bool = ...) -> None: ...

class LabelScore(_message.Message):
    __slots__ = ("value", "score")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    value: str
    score: float
    def __init__(self, value: _Optional[str] = ..., score: _Optional[float] = ...) -> None: ...

class ClassificationOverrides(_message.Message):
    __slots__ = ("task_type", "domain", "tone", "complexity", "urgency", "cost_sensitivity")
    TASK_TYPE_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    TONE_FIELD_NUMBER: _ClassVar[int]
    COMPLEXITY_FIELD_NUMBER: _ClassVar[int]
    URGENCY_FIELD_NUMBER: _ClassVar[int]
    COST_SENSITIVITY_FIELD_NUMBER: _ClassVar[int]
    task_type: str
    domain: str
    tone: str
    complexity: Complexity
    urgency: Urgency
    cost_sensitivity: CostSensitivity
    def __init__(self, task_type: _Optional[str] = ..., domain: _Optional[str] = ..., tone: _Optional[str] = ..., complexity: _Optional[_Union[Complexity, str]] = ..., urgency: _Optional[_Union[Urgency, str]] = ..., cost_sensitivity: _Optional[_Union[CostSensitivity, str]] = ...) -> None: ...
