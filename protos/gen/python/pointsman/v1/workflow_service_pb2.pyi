import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from pointsman.v1 import decision_pb2 as _decision_pb2
from pointsman.v1 import message_pb2 as _message_pb2
from pointsman.v1 import router_service_pb2 as _router_service_pb2
from pointsman.v1 import usage_pb2 as _usage_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TaskState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TASK_STATE_UNSPECIFIED: _ClassVar[TaskState]
    TASK_STATE_PENDING: _ClassVar[TaskState]
    TASK_STATE_RUNNING: _ClassVar[TaskState]
    TASK_STATE_SUCCEEDED: _ClassVar[TaskState]
    TASK_STATE_FAILED: _ClassVar[TaskState]
    TASK_STATE_SKIPPED: _ClassVar[TaskState]
    TASK_STATE_EXPANDED: _ClassVar[TaskState]

class WorkflowState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WORKFLOW_STATE_UNSPECIFIED: _ClassVar[WorkflowState]
    WORKFLOW_STATE_PLANNING: _ClassVar[WorkflowState]
    WORKFLOW_STATE_RUNNING: _ClassVar[WorkflowState]
    WORKFLOW_STATE_CLEANING_UP: _ClassVar[WorkflowState]
    WORKFLOW_STATE_SUCCEEDED: _ClassVar[WorkflowState]
    WORKFLOW_STATE_FAILED: _ClassVar[WorkflowState]
    WORKFLOW_STATE_CANCELLED: _ClassVar[WorkflowState]
TASK_STATE_UNSPECIFIED: TaskState
TASK_STATE_PENDING: TaskState
TASK_STATE_RUNNING: TaskState
TASK_STATE_SUCCEEDED: TaskState
TASK_STATE_FAILED: TaskState
TASK_STATE_SKIPPED: TaskState
TASK_STATE_EXPANDED: TaskState
WORKFLOW_STATE_UNSPECIFIED: WorkflowState
WORKFLOW_STATE_PLANNING: WorkflowState
WORKFLOW_STATE_RUNNING: WorkflowState
WORKFLOW_STATE_CLEANING_UP: WorkflowState
WORKFLOW_STATE_SUCCEEDED: WorkflowState
WORKFLOW_STATE_FAILED: WorkflowState
WORKFLOW_STATE_CANCELLED: WorkflowState

class TaskGraph(_message.Message):
    __slots__ = ("tasks",)
    TASKS_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[Task]
    def __init__(self, tasks: _Optional[_Iterable[_Union[Task, _Mapping]]] = ...) -> None: ...

class Task(_message.Message):
    __slots__ = ("task_id", "instruction", "depends_on", "constraints", "expanded_from", "state", "decision", "result", "error", "usage")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTION_FIELD_NUMBER: _ClassVar[int]
    DEPENDS_ON_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINTS_FIELD_NUMBER: _ClassVar[int]
    EXPANDED_FROM_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    instruction: str
    depends_on: _containers.RepeatedScalarFieldContainer[str]
    constraints: _decision_pb2.RoutingConstraints
    expanded_from: str
    state: TaskState
    decision: _decision_pb2.Decision
    result: str
    error: _status_pb2.Status
    usage: _usage_pb2.Usage
    def __init__(self, task_id: _Optional[str] = ..., instruction: _Optional[str] = ..., depends_on: _Optional[_Iterable[str]] = ..., constraints: _Optional[_Union[_decision_pb2.RoutingConstraints, _Mapping]] = ..., expanded_from: _Optional[str] = ..., state: _Optional[_Union[TaskState, str]] = ..., decision: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ..., result: _Optional[str] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ...) -> None: ...

class WorkflowLimits(_message.Message):
    __slots__ = ("max_tasks", "max_parallel_tasks", "max_expansion_depth", "max_cost_usd_nanos")
    MAX_TASKS_FIELD_NUMBER: _ClassVar[int]
    MAX_PARALLEL_TASKS_FIELD_NUMBER: _ClassVar[int]
    MAX_EXPANSION_DEPTH_FIELD_NUMBER: _ClassVar[int]
    MAX_COST_USD_NANOS_FIELD_NUMBER: _ClassVar[int]
    max_tasks: int
    max_parallel_tasks: int
    max_expansion_depth: int
    max_cost_usd_nanos: int
    def __init__(self, max_tasks: _Optional[int] = ..., max_parallel_tasks: _Optional[int] = ..., max_expansion_depth: _Optional[int] = ..., max_cost_usd_nanos: _Optional[int] = ...) -> None: ...

class WorkflowRun(_message.Message):
    __slots__ = ("run_id", "state", "graph", "output", "error", "usage", "create_time", "end_time")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    GRAPH_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    state: WorkflowState
    graph: TaskGraph
    output: str
    error: _status_pb2.Status
    usage: _usage_pb2.Usage
    create_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, run_id: _Optional[str] = ..., state: _Optional[_Union[WorkflowState, str]] = ..., graph: _Optional[_Union[TaskGraph, _Mapping]] = ..., output: _Optional[str] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class WorkflowEvent(_message.Message):
    __slots__ = ("sequence", "event_time", "started", "planned", "task_changed", "task_progressed", "task_expanded", "output_delta", "ended")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    PLANNED_FIELD_NUMBER: _ClassVar[int]
    TASK_CHANGED_FIELD_NUMBER: _ClassVar[int]
    TASK_PROGRESSED_FIELD_NUMBER: _ClassVar[int]
    TASK_EXPANDED_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_DELTA_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    event_time: _timestamp_pb2.Timestamp
    started: WorkflowStarted
    planned: TaskGraph
    task_changed: Task
    task_progressed: TaskProgressed
    task_expanded: TaskExpanded
    output_delta: str
    ended: WorkflowRun
    def __init__(self, sequence: _Optional[int] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., started: _Optional[_Union[WorkflowStarted, _Mapping]] = ..., planned: _Optional[_Union[TaskGraph, _Mapping]] = ..., task_changed: _Optional[_Union[Task, _Mapping]] = ..., task_progressed: _Optional[_Union[TaskProgressed, _Mapping]] = ..., task_expanded: _Optional[_Union[TaskExpanded, _Mapping]] = ..., output_delta: _Optional[str] = ..., ended: _Optional[_Union[WorkflowRun, _Mapping]] = ...) -> None: ...

class WorkflowStarted(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class TaskProgressed(_message.Message):
    __slots__ = ("task_id", "event")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    event: _router_service_pb2.CompletionEvent
    def __init__(self, task_id: _Optional[str] = ..., event: _Optional[_Union[_router_service_pb2.CompletionEvent, _Mapping]] = ...) -> None: ...

class TaskExpanded(_message.Message):
    __slots__ = ("task_id", "tasks")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    tasks: _containers.RepeatedCompositeFieldContainer[Task]
    def __init__(self, task_id: _Optional[str] = ..., tasks: _Optional[_Iterable[_Union[Task, _Mapping]]] = ...) -> None: ...

class PlanWorkflowRequest(_message.Message):
    __slots__ = ("messages", "context", "constraints", "limits")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINTS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[_message_pb2.Message]
    context: _router_service_pb2.CallContext
    constraints: _decision_pb2.RoutingConstraints
    limits: WorkflowLimits
    def __init__(self, messages: _Optional[_Iterable[_Union[_message_pb2.Message, _Mapping]]] = ..., context: _Optional[_Union[_router_service_pb2.CallContext, _Mapping]] = ..., constraints: _Optional[_Union[_decision_pb2.RoutingConstraints, _Mapping]] = ..., limits: _Optional[_Union[WorkflowLimits, _Mapping]] = ...) -> None: ...

class PlanWorkflowResponse(_message.Message):
    __slots__ = ("graph", "expected_usage", "usage")
    GRAPH_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_USAGE_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    graph: TaskGraph
    expected_usage: _usage_pb2.Usage
    usage: _usage_pb2.Usage
    def __init__(self, graph: _Optional[_Union[TaskGraph, _Mapping]] = ..., expected_usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ...) -> None: ...

class RunWorkflowRequest(_message.Message):
    __slots__ = ("messages", "graph", "context", "constraints", "limits", "include_task_events", "cancel_with_call", "request_id")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    GRAPH_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINTS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_TASK_EVENTS_FIELD_NUMBER: _ClassVar[int]
    CANCEL_WITH_CALL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[_message_pb2.Message]
    graph: TaskGraph
    context: _router_service_pb2.CallContext
    constraints: _decision_pb2.RoutingConstraints
    limits: WorkflowLimits
    include_task_events: bool
    cancel_with_call: bool
    request_id: str
    def __init__(self, messages: _Optional[_Iterable[_Union[_message_pb2.Message, _Mapping]]] = ..., graph: _Optional[_Union[TaskGraph, _Mapping]] = ..., context: _Optional[_Union[_router_service_pb2.CallContext, _Mapping]] = ..., constraints: _Optional[_Union[_decision_pb2.RoutingConstraints, _Mapping]] = ..., limits: _Optional[_Union[WorkflowLimits, _Mapping]] = ..., include_task_events: bool = ..., cancel_with_call: bool = ..., request_id: _Optional[str] = ...) -> None: ...

class RunWorkflowResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: WorkflowEvent
    def __init__(self, event: _Optional[_Union[WorkflowEvent, _Mapping]] = ...) -> None: ...

class WatchWorkflowRunRequest(_message.Message):
    __slots__ = ("run_id", "start_sequence")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    START_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    start_sequence: int
    def __init__(self, run_id: _Optional[str] = ..., start_sequence: _Optional[int] = ...) -> None: ...

class WatchWorkflowRunResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: WorkflowEvent
    def __init__(self, event: _Optional[_Union[WorkflowEvent, _Mapping]] = ...) -> None: ...

class GetWorkflowRunRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class GetWorkflowRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: WorkflowRun
    def __init__(self, run: _Optional[_Union[WorkflowRun, _Mapping]] = ...) -> None: ...

class CancelWorkflowRunRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class CancelWorkflowRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: WorkflowRun
    def __init__(self, run: _Optional[_Union[WorkflowRun, _Mapping]] = ...) -> None: ...
