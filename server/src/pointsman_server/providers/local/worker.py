"""The child process around llama.cpp: ``python -m pointsman_server.providers.local.worker``.

It reads one line of `WorkerSettings` from stdin, serves HTTP on a unix socket, writes one line of
`WorkerReport` to stdout, and lives until stdin ends, which it does however the parent dies. A
process of its own, because a crash in native code must not take the router along.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType
from typing import IO, Never

import msgspec

from pointsman_server.providers.local.protocol import (
    MAX_LINE_BYTES,
    WorkerReport,
    WorkerSettings,
)

NOT_INSTALLED = "llama.cpp is not installed: install pointsman-server[local]"
_LOG_ERRORS_ONLY = 1
# So that a few requests can wait for a slot and the model list can still be asked for.
_SPARE_HTTP_THREADS = 6


def main() -> int:
    """Serve until stdin ends."""
    os.umask(0o077)
    reports = _private_stdout()
    try:
        settings = msgspec.json.decode(
            sys.stdin.buffer.readline(MAX_LINE_BYTES), type=WorkerSettings
        )
    except msgspec.MsgspecError:
        return _report(reports, "the worker was given no valid settings")
    threading.Thread(target=_end_with_stdin, args=(settings,), daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end_on_signal)
    try:
        server = _serve(settings)
    except ModuleNotFoundError:
        return _report(reports, NOT_INSTALLED)
    except ImportError as error:
        return _report(reports, f"llama.cpp cannot be loaded: {error}")
    except AttributeError:
        return _report(reports, f"this llama.cpp is too old; {NOT_INSTALLED}")
    except RuntimeError as error:
        return _report(reports, f"llama.cpp did not start: {error}")
    _report(reports, "")
    _silence()
    # Waits for signals, and keeps the server alive meanwhile.
    while server is not None:
        signal.pause()
    return 0


def _serve(settings: WorkerSettings) -> object:
    # OpenMP's threads spin while they wait. Beside any other busy process, such as the router,
    # that made generation up to fifty times slower; sleeping costs next to nothing.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import xllamacpp  # here, because only this process may load it

    params = xllamacpp.CommonParams()
    params.model.path = settings.model_path
    params.model_alias = {settings.model_name}
    params.hostnames = [settings.socket_path]
    params.api_keys = [settings.api_key]
    params.n_parallel = settings.slots
    # llama.cpp divides the context among the slots.
    params.n_ctx = settings.slot_context * settings.slots
    params.cpuparams.n_threads = settings.threads
    params.cpuparams_batch.n_threads = settings.threads
    params.n_threads_http = settings.slots + _SPARE_HTTP_THREADS
    params.cache_ram_mib = 0
    params.ui = False
    params.endpoint_slots = False
    params.verbosity = _LOG_ERRORS_ONLY
    with suppress(FileNotFoundError):
        os.unlink(settings.socket_path)
    return xllamacpp.Server(params)


def _private_stdout() -> IO[bytes]:
    """The real stdout; whatever native code prints goes to stderr from now on."""
    reports = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return reports


def _report(reports: IO[bytes], error: str) -> int:
    with suppress(BrokenPipeError), reports:
        reports.write(msgspec.json.encode(WorkerReport(error)) + b"\n")
    return 1 if error else 0


def _silence() -> None:
    # llama.cpp may quote a malformed request in its log: from the first request on, it has none.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _end_with_stdin(settings: WorkerSettings) -> Never:
    while os.read(0, MAX_LINE_BYTES):
        pass
    # A parent that was killed could not tidy up; where it lives, it does this itself.
    with suppress(OSError):
        os.unlink(settings.socket_path)
    with suppress(OSError):
        os.rmdir(os.path.dirname(settings.socket_path))
    # At once: taking the server down in order waits for the answers that it is giving.
    os._exit(0)


def _end_on_signal(_number: int, _frame: FrameType | None) -> Never:
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
