"""The `pointsman` command."""


def main() -> None:
    """Run the command line; never returns.

    The commands are imported here, not above, so that importing this package costs nothing.
    """
    from pointsman_server.cli.main import run

    raise SystemExit(run())
