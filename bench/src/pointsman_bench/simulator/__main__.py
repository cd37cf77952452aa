"""`python -m pointsman_bench.simulator`: reads a configuration as one line of JSON, then serves."""

import sys

from pointsman_bench.simulator.server import main

if __name__ == "__main__":
    sys.exit(main())
