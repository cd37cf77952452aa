from __future__ import annotations

import asyncio
import hashlib
import threading
from pathlib import Path

import pytest
from pointsman_server.providers.local.sink import SourceFailed, VerifiedSink
from pointsman_server.providers.local.threads import in_thread


def test_a_whole_right_file_passes(tmp_path: Path) -> None:
    sink = VerifiedSink(tmp_path / "f", 4, hashlib.sha256(b"abcd").hexdigest())
    sink.write(b"ab")
    sink.write(b"cd")
    sink.finish()
    sink.close()

    assert (tmp_path / "f").read_bytes() == b"abcd"


@pytest.mark.parametrize("content", [b"", b"abc", b"abce"])
def test_another_file_does_not(tmp_path: Path, content: bytes) -> None:
    sink = VerifiedSink(tmp_path / "f", 4, hashlib.sha256(b"abcd").hexdigest())
    sink.write(content)
    with pytest.raises(SourceFailed):
        sink.finish()
    sink.close()


def test_no_more_is_written_than_the_file_has(tmp_path: Path) -> None:
    sink = VerifiedSink(tmp_path / "f", 4, hashlib.sha256(b"abcd").hexdigest())
    sink.write(b"abcd")
    with pytest.raises(SourceFailed, match="longer than 4 bytes"):
        sink.write(b"e")
    sink.close()

    assert (tmp_path / "f").read_bytes() == b"abcd"


async def test_a_cancelled_call_has_returned_before_the_cancellation_goes_on() -> None:
    started, release, returned = threading.Event(), threading.Event(), threading.Event()

    def call() -> None:
        started.set()
        release.wait(5)
        returned.set()
        raise OSError("nobody asks any more")

    task = asyncio.create_task(in_thread(call))
    await asyncio.to_thread(started.wait, 5)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert returned.is_set()
