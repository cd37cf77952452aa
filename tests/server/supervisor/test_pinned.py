"""The configuration as it was, whatever has become of the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pointsman_server.supervisor.pinned import PinnedFile, read_pinned


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_copy_does_not_change_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: bool
) -> None:
    """And can be read by several who share the open file, each from its beginning."""
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create")
    file = tmp_path / "pointsman.yaml"
    file.write_bytes(b"version: 1\n")
    pinned = PinnedFile.read(str(file))
    file.write_bytes(b"broken: [")
    file.unlink()
    first, second = os.dup(pinned.fd), os.dup(pinned.fd)
    pinned.close()
    assert read_pinned(first) == b"version: 1\n"
    assert read_pinned(second) == b"version: 1\n"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(first)


def test_a_file_without_end_is_not_read_to_its_end() -> None:
    pinned = PinnedFile.read("/dev/zero")
    assert len(read_pinned(pinned.fd)) == 512 * 1024


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        PinnedFile.read(str(tmp_path / "nowhere.yaml"))
