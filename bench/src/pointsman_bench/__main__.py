"""`python -m pointsman_bench`."""

from pointsman_bench.cli import app

if __name__ == "__main__":
    app()
