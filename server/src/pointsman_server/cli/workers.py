"""How many workers a server has."""

from __future__ import annotations

from pointsman_server.cli.failures import UsageError
from pointsman_server.config import Config
from pointsman_server.supervisor.cores import usable_cores


def worker_count(config: Config) -> int:
    """How many processes are to serve; ``auto`` is one a core, or one where only one can be.

    Raises:
        UsageError: several cannot serve what is configured.
    """
    why_not = _why_not_several(config)
    if config.workers == "auto":
        return 1 if why_not else usable_cores()
    if config.workers > 1 and why_not:
        raise UsageError(f"{config.workers} workers cannot serve this: {why_not}")
    return config.workers


def _why_not_several(config: Config) -> str:
    """Why several processes cannot serve ``config``, and the way out; empty where they can."""
    if config.grpc.address.startswith("unix:"):
        return "a unix socket has one owner; listen on host:port, or ask for one worker"
    local = [p.name for p in config.providers if p.kind == "local"]
    if local:
        return (
            f"each would load the local models of {', '.join(local)!r} anew and compete for the "
            "cores; ask for one worker, or serve the models apart and name their server under "
            "'providers'"
        )
    return ""
