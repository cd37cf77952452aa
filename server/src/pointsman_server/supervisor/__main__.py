"""What `pointsman serve` becomes for several workers: the parent, with its plan as argument."""

from __future__ import annotations

import asyncio
import sys

from pointsman_server.supervisor.journal import Journal
from pointsman_server.supervisor.plan import decode_plan
from pointsman_server.supervisor.service import serve


def main(plan: str) -> int:
    """Serve, and return the command's exit code."""
    try:
        finish = asyncio.run(serve(decode_plan(plan), Journal()))
    except OSError as error:
        print(f"pointsman: {error}", file=sys.stderr)  # noqa: T201
        return 1
    if finish.message:
        print(f"pointsman: {finish.message}", file=sys.stderr)  # noqa: T201
    return finish.exit_code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
