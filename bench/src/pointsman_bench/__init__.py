"""Benchmarks of pointsman. `pointsman bench --help` lists them."""
