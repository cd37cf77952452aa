"""`pointsman bench peers` and `pointsman bench soak`: what they are told."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from pointsman_bench.peers.names import NAMES
from pointsman_bench.peers.workloads import WORKLOADS
from pointsman_bench.report.terminal import err

_BAD_USAGE = 2

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
UpstreamAddress = Annotated[
    str | None,
    typer.Option(
        "--upstream",
        metavar="HOST:PORT",
        help="An OpenAI-compatible test upstream that takes its behaviour from the model's name, "
        "such as mock-64-50000-20000-a. Without it the built-in simulator is run.",
    ),
]


def peers(
    systems: Annotated[str, typer.Option(help="Which.")] = ",".join(NAMES),
    workloads: Annotated[str, typer.Option(help="Which.")] = ",".join(WORKLOADS),
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Interleaved rounds.")] = 5,
    window: Annotated[
        float, typer.Option(min=0.1, max=600, help="Seconds that each system is measured for.")
    ] = 4.0,
    warm_up: Annotated[
        float, typer.Option(min=0, max=60, help="Seconds of work before each measurement.")
    ] = 1.0,
    upstream: UpstreamAddress = None,
    reference: Annotated[
        str | None, typer.Option(help="The system that ratios are against.")
    ] = None,
    json_output: Json = False,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Write the tables here.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page here.")] = None,
) -> None:
    """Compare pointsman with other gateways: the same work, in turn, round after round.

    Peers are installed on first use, at pinned versions, into the user's cache. Servers run on one
    core, upstream and client on another. Ratios are taken within a round; trust them, not the
    absolute figures. Exits with 1 where no system ran, with 2 where the run could not be made.
    """
    names = _chosen("--systems", systems, NAMES)
    if reference is not None:
        _chosen("--reference", reference, names)
    which = _chosen("--workloads", workloads, WORKLOADS)
    _check_address(upstream)
    # imported only now: --help needs none of it
    from pointsman_bench.peers import commands
    from pointsman_bench.peers.catalogue import SYSTEMS
    from pointsman_bench.peers.comparison import Settings
    from pointsman_bench.peers.install import cache_folder

    settings = Settings(
        systems=[SYSTEMS[name]() for name in names],
        workloads=[WORKLOADS[name] for name in which],
        rounds=rounds,
        warm_up_s=warm_up,
        window_s=window,
        upstream=upstream,
        cache=cache_folder(),
    )
    output = commands.Output(json_output, markdown, html)
    try:
        ran = commands.peers(settings, reference, output)
    except commands.CannotRun as error:
        _refuse(str(error))
    if not ran:
        raise typer.Exit(1)


def soak(
    transport: Annotated[str, typer.Option(help="fast or grpc.")] = "fast",
    read: Annotated[bool, typer.Option("--read", help="Let the server read every prompt.")] = False,
    first: Annotated[int, typer.Option(min=1, help="Streams before the first reading.")] = 20_000,
    last: Annotated[int, typer.Option(min=2, help="Streams before the last reading.")] = 200_000,
    points: Annotated[int, typer.Option(min=2, max=1000, help="Readings on the way.")] = 20,
    upstream: UpstreamAddress = None,
    json_output: Json = False,
) -> None:
    """Measure a server's memory after many streams, and after ten times as many.

    Exits with 2 where the run could not be made.
    """
    if transport not in ("fast", "grpc"):
        _refuse(f"--transport: {transport!r} is neither fast nor grpc")
    if first >= last:
        _refuse(f"--first: {first:,} streams are not fewer than --last's {last:,}")
    _check_address(upstream)
    # imported only now: --help needs none of it
    from pointsman_bench.peers import commands
    from pointsman_bench.peers.pointsman import Pointsman
    from pointsman_bench.peers.soak import SoakSettings

    system = Pointsman(f"pointsman-{transport}", transport, reads=read)
    try:
        commands.soak_memory(SoakSettings(system, first, last, points, upstream), json_output)
    except commands.CannotRun as error:
        _refuse(str(error))


def _chosen(option: str, given: str, known: Iterable[str]) -> list[str]:
    names = [name.strip() for name in given.split(",") if name.strip()]
    known = list(known)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        _refuse(f"{option}: {', '.join(unknown) or 'nothing'} is none of {', '.join(known)}")
    return list(dict.fromkeys(names))


def _check_address(given: str | None) -> None:
    if given is None:
        return
    host, _, port = given.rpartition(":")
    if not host or not port.isdigit():
        _refuse(f"--upstream: {given!r} is no address; give it as 127.0.0.1:9000")


def _refuse(message: str) -> NoReturn:
    err().print(f"pointsman bench: {message}", style="red", soft_wrap=True)
    raise typer.Exit(_BAD_USAGE)
