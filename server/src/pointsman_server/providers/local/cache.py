"""Where weights are kept, and what makes a file there trusted.

Beside each verified file lies ``FILE.sha256``, in the format of ``sha256sum``. It is written last,
so a file without it is one that somebody put there, or that a crash left: to be verified first.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from pointsman_server.providers.local.catalogue import Weights

LOCK_POLL_S = 0.1
_MARKER_BYTES = 512


def cache_dir(environ: Mapping[str, str]) -> Path:
    """``POINTSMAN_CACHE``, else ``XDG_CACHE_HOME/pointsman``, else ``~/.cache/pointsman``."""
    if own := environ.get("POINTSMAN_CACHE"):
        return Path(own).expanduser()
    # The XDG specification has relative paths ignored.
    if (xdg := environ.get("XDG_CACHE_HOME", "")) and Path(xdg).is_absolute():
        return Path(xdg) / "pointsman"
    home = environ.get("HOME")
    return (Path(home) if home else Path.home()) / ".cache" / "pointsman"


def path_in(weights: Weights, directory: Path) -> Path:
    """Where the file lies, or is to be put."""
    return directory / weights.file_name


def make_directory(directory: Path) -> None:
    """Have ``directory``.

    Raises:
        OSError: it cannot be made.
    """
    directory.mkdir(parents=True, exist_ok=True)


def size_of(path: Path) -> int | None:
    """How many bytes the file has; ``None`` where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def cached(weights: Weights, directory: Path) -> Path | None:
    """The file if it is there and was verified once; reads no more than its marker."""
    path = path_in(weights, directory)
    try:
        right_size = path.stat().st_size == weights.size_bytes
        with _marker(path).open("rb") as marker:
            digest, *_ = marker.read(_MARKER_BYTES).split() or [b""]
    except OSError:
        return None
    return path if right_size and digest == weights.sha256.encode() else None


def mark_verified(weights: Weights, path: Path) -> None:
    """Say that ``path`` has been read through and is the right file.

    Raises:
        OSError: the marker cannot be written.
    """
    marker = _marker(path)
    temporary = marker.with_name(f"{marker.name}.{os.getpid()}.tmp")
    temporary.write_text(f"{weights.sha256}  {path.name}\n", encoding="ascii")
    temporary.replace(marker)


def install(weights: Weights, verified: Path, directory: Path) -> Path:
    """Move a verified file, already on the disk, to its place; nobody ever sees half of it.

    Raises:
        OSError: the file system.
    """
    path = path_in(weights, directory)
    _marker(path).unlink(missing_ok=True)
    verified.replace(path)
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    mark_verified(weights, path)
    return path


def digest_matches(path: Path, sha256: str) -> bool:
    """Read ``path`` through and compare; takes about a second for each GB.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


@asynccontextmanager
async def locked(
    weights: Weights, directory: Path, waiting: Callable[[], None]
) -> AsyncIterator[None]:
    """Be the only one, of all processes, that fetches ``weights`` into ``directory``.

    ``waiting`` is called while another one does. The lock goes with the process that holds it.

    Raises:
        OSError: the lock's file cannot be opened.
    """
    handle = os.open(directory / f".{weights.name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waiting()
                await asyncio.sleep(LOCK_POLL_S)
        yield
    finally:
        os.close(handle)


@contextmanager
def scratch(weights: Weights, directory: Path) -> Iterator[Path]:
    """A folder beside the file's place, gone afterwards; call it under the lock.

    Raises:
        OSError: it cannot be made.
    """
    prefix, suffix = f".{weights.name}.", ".tmp"
    for left_by_a_crash in directory.glob(f"{prefix}*{suffix}"):
        shutil.rmtree(left_by_a_crash, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=prefix, suffix=suffix, dir=directory))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _marker(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
