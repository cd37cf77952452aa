"""Running a capacity client in a process of its own, on given cores."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from pointsman_bench.capacity.work import Outcome, Work, WorkError
from pointsman_bench.children import running


async def drive(work: Work, cores: Sequence[int] = ()) -> Outcome:
    """Do the work in a process of its own on ``cores`` (none: anywhere).

    Raises:
        WorkError: it could not be done, and why.
    """
    async with running("pointsman_bench.capacity", cores=cores) as child:
        process = child.process
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise AssertionError("a child's streams are pipes")
        draining = asyncio.create_task(child.drain(process.stderr))
        process.stdin.write(msgspec.json.encode(work) + b"\n")
        line = await process.stdout.readline()
        await process.wait()
        await draining
        if not line:
            said = child.last_lines[-1] if child.last_lines else "no reason given"
            raise WorkError(said)
        return msgspec.json.decode(line, type=Outcome)
