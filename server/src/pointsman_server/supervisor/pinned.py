"""The configuration's text as it is in force, whatever becomes of the file."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass

MAX_BYTES = 512 * 1024
"""More than a configuration file may have, so that a worker says what is wrong with a longer."""


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """A copy of a file's text, handed to workers as ``fd``.

    A worker that is started again after a crash so gets what the others have, and not what has been
    written since.
    """

    fd: int

    @classmethod
    def read(cls, path: str) -> PinnedFile:
        """Copy the file at ``path``.

        Raises:
            OSError: it cannot be read.
        """
        with open(path, "rb") as file:
            text = file.read(MAX_BYTES)
        return cls(_holding(text))

    def close(self) -> None:
        """Forget the copy; workers that have it keep it."""
        os.close(self.fd)


def read_pinned(fd: int) -> bytes:
    """The text of a copy, which is closed. Others may read theirs at the same time."""
    try:
        # Not read(): the position is shared with every process that has inherited the file.
        return os.pread(fd, MAX_BYTES, 0)
    finally:
        os.close(fd)


def _holding(text: bytes) -> int:
    """A file without a name, with this text."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("pointsman-config")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.pwrite(fd, text, 0)
    return fd
