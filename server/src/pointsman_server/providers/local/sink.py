"""Writing a file whose size and SHA-256 are known beforehand."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

Stage = Literal["connecting", "downloading", "unpacking", "verifying"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a fetch is; ``source`` names where from. Bytes count for the current stage."""

    source: str
    done_bytes: int
    total_bytes: int
    stage: Stage


OnProgress = Callable[[Progress], None]


class SourceFailed(Exception):
    """A source did not deliver; ``str()`` is the reason, in a few words that are safe to show."""


class VerifiedSink:
    """A file being written. It is worth nothing before `finish` has returned."""

    def __init__(self, path: Path, size_bytes: int, sha256: str) -> None:
        self._size = size_bytes
        self._sha256 = sha256
        self._hash = hashlib.sha256()
        self._file: IO[bytes] = path.open("xb")
        self.written = 0

    def write(self, data: bytes) -> None:
        """Append ``data``.

        Raises:
            SourceFailed: that is more than the file has, so it is another file.
            OSError: the disk.
        """
        self.written += len(data)
        if self.written > self._size:
            raise SourceFailed(f"its file is longer than {self._size:,} bytes: another file")
        self._hash.update(data)
        self._file.write(data)

    def finish(self) -> None:
        """Check the whole file and bring it to the disk.

        Raises:
            SourceFailed: it is not the file that was expected.
            OSError: the disk.
        """
        if self.written != self._size:
            raise SourceFailed(f"its file ended after {self.written:,} of {self._size:,} bytes")
        if self._hash.hexdigest() != self._sha256:
            raise SourceFailed("its file has another sha256")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._file.close()
