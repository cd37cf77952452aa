"""`python -m pointsman_bench.capacity`: reads `Work` from standard input, writes `Outcome`."""

from __future__ import annotations

import sys

import msgspec
import uvloop

from pointsman_bench.capacity.client import Client
from pointsman_bench.capacity.work import Outcome, Work, WorkError


async def _run(work: Work) -> Outcome:
    return await Client(work).run()


def main() -> int:
    """Run the process; returns its exit code."""
    try:
        work = msgspec.json.decode(sys.stdin.buffer.readline(), type=Work)
        outcome = uvloop.run(_run(work))
    except (WorkError, msgspec.MsgspecError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
