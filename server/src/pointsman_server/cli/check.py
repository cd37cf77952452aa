"""`pointsman check`: whether everything is there that a server needs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated

import typer
from pointsman_classifier import Classifier
from rich.text import Text

from pointsman_server.app import Core, build_core
from pointsman_server.cli.failures import UsageError
from pointsman_server.cli.local import load_config, local_providers
from pointsman_server.cli.options import ConfigFile, Json
from pointsman_server.cli.runner import run_async
from pointsman_server.cli.terminal import millis, out, print_json, table
from pointsman_server.cli.workers import worker_count
from pointsman_server.config import Config, file_schema
from pointsman_server.domain.profile import Vocabulary
from pointsman_server.providers.base import ProviderError
from pointsman_server.routing.tree import DecisionTree


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    detail: str


def check(
    config: ConfigFile = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no provider.")] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of the configuration file.")
    ] = False,
    json_output: Json = False,
) -> None:
    """Check the configuration, the classifier and every provider; change nothing.

    Exit code 0 where all is well, 1 where something is not, 2 where the configuration is wrong.
    """
    if schema:
        print_json(file_schema())
        return
    loaded = load_config(config)
    findings = _check_workers(loaded)
    started = time.perf_counter()
    classifier = Classifier.load()
    took = time.perf_counter() - started
    findings.append(Finding("classifier", True, f"{classifier.version}, loaded in {millis(took)}"))
    core = build_core(loaded, local_providers(), classifier=classifier)
    findings += _check_tree(core.engine.vocabulary, loaded.routing.tree)
    run_async(_check_providers(core, findings, offline=offline))
    if json_output:
        print_json([{"what": f.what, "ok": f.ok, "detail": f.detail} for f in findings])
    else:
        shown = table("", "", "")
        for found in findings:
            mark = Text("ok", style="green") if found.ok else Text("no", style="bold red")
            shown.add_row(mark, found.what, found.detail)
        out().print(shown)
    if not all(f.ok for f in findings):
        raise typer.Exit(1)


def _check_workers(config: Config) -> list[Finding]:
    """What there is to serve, and how much of it at a time."""
    what = f"{config.source}: {len(config.models)} models"
    most = config.limits.max_in_flight
    try:
        workers = worker_count(config)
    except UsageError as error:
        return [Finding("configuration", True, what), Finding("workers", False, str(error))]
    if workers == 1:
        what += f"; 1 worker with at most {most} requests under way"
    else:
        what += f"; {workers} workers with at most {most} requests under way each"
    return [Finding("configuration", True, what)]


def _check_tree(vocabulary: Vocabulary, tree: DecisionTree) -> list[Finding]:
    """Rules that can never hold, since the classifier has no such label."""
    findings = []
    for rule in tree.rules:
        for name, used, known in (
            ("task_type", rule.when.task_type, vocabulary.task_types),
            ("domain", rule.when.domain, vocabulary.domains),
            ("tone", rule.when.tone, vocabulary.tones),
        ):
            for label in sorted(used - set(known)):
                detail = f"{name} {label!r} is not one of {', '.join(known)}"
                findings.append(Finding(f"rule: {rule}", False, detail))
    return findings


async def _check_providers(core: Core, findings: list[Finding], *, offline: bool) -> None:
    try:
        if not offline:
            await core.start()
        for name, provider in core.providers.items():
            if offline:
                findings.append(Finding(f"provider {name}", True, "not asked"))
                continue
            started = time.perf_counter()
            try:
                await provider.check()
            except ProviderError as error:
                findings.append(Finding(f"provider {name}", False, str(error)))
            else:
                took = millis(time.perf_counter() - started)
                findings.append(Finding(f"provider {name}", True, f"answered in {took}"))
    finally:
        await core.close()
