"""Closed-loop clients that are cheap enough to saturate a server from one core.

`bench load` asks how a server behaves at a given rate; here the question is how much one core of
it can do: a fixed number of streams, each begun anew as soon as it has ended. The clients speak
their protocols by hand (`grpc_calls`, `http_calls`) and count what they get by bytes; every
answer's status and length is checked, and every so many answers are read in full.

    python -m pointsman_bench.capacity    reads `Work` as JSON, writes `Outcome` as JSON
"""
