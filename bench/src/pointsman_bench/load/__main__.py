"""`python -m pointsman_bench.load`: the load's commands alone."""

import typer

from pointsman_bench.load.cli import load, scenarios, simulate

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
for command in (load, scenarios, simulate):
    app.command()(command)

if __name__ == "__main__":
    app()
