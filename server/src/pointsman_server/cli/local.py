"""What is on this machine: the configuration, the weights, and a router without a server."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from pointsman_server.app import LocalProviders
from pointsman_server.cli.failures import NothingToRouteTo
from pointsman_server.cli.options import environment
from pointsman_server.cli.terminal import err
from pointsman_server.config import (
    Config,
    find_file,
    from_environment,
    load_file,
    with_addresses,
    with_local_models,
)
from pointsman_server.domain.model import Model
from pointsman_server.providers.local.models import (
    LOCAL_MODELS,
    QWEN_CODER_SMALL,
    SMOLLM2,
    LocalModel,
    local_model,
)
from pointsman_server.providers.local.provider import LocalProvider
from pointsman_server.providers.local.server import LocalServer, LocalServerSettings
from pointsman_server.providers.local.sink import Progress as FetchProgress
from pointsman_server.providers.local.weights import (
    Weights,
    WeightsUnavailable,
    cache_dir,
    cached,
    fetch,
)

ACCOUNT = "local"
"""What the local models' provider is called where no file names it."""


def load_config(given: Path | None) -> Config:
    """The configuration: a file, else the keys in the environment, else local models.

    Raises:
        ConfigError: it is wrong.
        NothingToRouteTo: there is neither a file, nor a key, nor a local model.
    """
    environ = environment()
    path = find_file(given, environ)
    if path is not None:
        return load_file(path, environ, models_here())
    config = from_environment(environ)
    if config.providers:
        return config
    models = models_here()
    if not models:
        raise NothingToRouteTo(
            "no provider keys in the environment and no local models here; set a key such as "
            "OPENAI_API_KEY, or fetch models with: pointsman demo"
        )
    return with_local_models(config, models)


def models_here() -> list[Model]:
    """The local models whose weights are in the cache."""
    directory = cache_dir(environment())
    return [
        model.registry_entry(ACCOUNT)
        for model in LOCAL_MODELS
        if cached(model.weights, directory) is not None
    ]


def local_providers() -> LocalProviders:
    """How the composition root gets an account of local models."""
    directory = cache_dir(environment())

    def make(name: str, models: Sequence[Model]) -> LocalProvider:
        servers, instructions = [], {}
        for model in models:
            local = local_model(model.provider_model)
            path = cached(local.weights, directory)
            if path is None:
                raise NothingToRouteTo(f"the weights of {model.name} are not in {directory}")
            settings = LocalServerSettings(
                model_name=model.provider_model, model_path=path, slot_context=local.slot_context
            )
            servers.append(LocalServer(settings))
            if local.instructions is not None:
                instructions[model.provider_model] = local.instructions
        return LocalProvider(name, servers, instructions)

    return make


def demo_models(*, mini: bool) -> tuple[LocalModel, ...]:
    """The models that the demo runs: two that really differ, or the smaller alone."""
    return (SMOLLM2,) if mini else (SMOLLM2, QWEN_CODER_SMALL)


def demo_config(*, mini: bool, address: str) -> Config:
    """A configuration of the demo's models and nothing else."""
    models = [m.registry_entry(ACCOUNT) for m in demo_models(mini=mini)]
    return with_addresses(with_local_models(from_environment({}), models), address, "off")


async def fetch_demo_models(*, mini: bool) -> None:
    """Have the demo's weights in the cache, saying first what is fetched and how much.

    Raises:
        NothingToRouteTo: they are not here and cannot be fetched.
    """
    directory = cache_dir(environment())
    weights = [m.weights for m in demo_models(mini=mini)]
    missing = [w for w in weights if cached(w, directory) is None]
    if not missing:
        return
    size = sum(w.size_bytes for w in missing) / 1e6
    console = err()
    console.print(f"fetching {size:.0f} MB of model weights once, into {directory}:", style="bold")
    for each in missing:
        console.print(f"  {each.title}, {each.licence}, {each.size_bytes / 1e6:.0f} MB")
    for each in missing:
        await _fetch(each, directory)


async def _fetch(weights: Weights, directory: Path) -> None:
    console = err()
    columns = (
        TextColumn("  {task.fields[name]} {task.fields[stage]}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bars:
        bar = bars.add_task("", total=weights.size_bytes, name=weights.name, stage="connecting")

        def show(progress: FetchProgress) -> None:
            bars.update(
                bar,
                completed=progress.done_bytes,
                total=progress.total_bytes,
                stage=f"{progress.stage} ({progress.source})",
            )

        try:
            path = await fetch(weights, directory, show)
        except WeightsUnavailable as error:
            raise NothingToRouteTo(str(error)) from None
    console.print(f"  {weights.name}: sha256 {weights.sha256[:16]}… verified, {path.name}")
