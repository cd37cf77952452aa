"""pointsman beside other gateways: the same work, on the same cores, in one interleaved run.

Peers are no dependencies of this project. Each is installed on first use, at a pinned version,
into an environment of its own in the user's cache folder; one that cannot be is reported as
missing, with the reason. Servers run on one core, the upstream and the client on another.
"""
