"""The Python client of pointsman, the LLM router.

>>> async with Client() as client:
...     print(await client.complete("Why is the sky blue?").text())

Requests are built from strings and small frozen dataclasses; what comes back are the API's own
messages (``pointsman.v1``), so that nothing the server says is lost on the way.
"""

from pointsman_client import messages
from pointsman_client.answer import Answer
from pointsman_client.chat import Chat, Turn
from pointsman_client.client import DEFAULT_TARGET, Client
from pointsman_client.completion import Completion
from pointsman_client.details import ErrorDetails, QuotaViolation, Resource, Violation
from pointsman_client.errors import (
    BrokenStream,
    BudgetExceeded,
    Cancelled,
    DeadlineExceeded,
    PointsmanError,
    ServerUnreachable,
    TextDiscarded,
    Unavailable,
    from_rpc_error,
    from_status,
)
from pointsman_client.messages import Prompt
from pointsman_client.money import format_usd, to_nanos, to_usd
from pointsman_client.options import (
    Constraints,
    Context,
    Execution,
    Generation,
    Overrides,
    Tool,
)

__all__ = [
    "DEFAULT_TARGET",
    "Answer",
    "BrokenStream",
    "BudgetExceeded",
    "Cancelled",
    "Chat",
    "Client",
    "Completion",
    "Constraints",
    "Context",
    "DeadlineExceeded",
    "ErrorDetails",
    "Execution",
    "Generation",
    "Overrides",
    "PointsmanError",
    "Prompt",
    "QuotaViolation",
    "Resource",
    "ServerUnreachable",
    "TextDiscarded",
    "Tool",
    "Turn",
    "Unavailable",
    "Violation",
    "format_usd",
    "from_rpc_error",
    "from_status",
    "messages",
    "to_nanos",
    "to_usd",
]
