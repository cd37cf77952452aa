"""Benchmarks of pointsman. `python -m pointsman_bench overhead --help` says how to run one."""
