"""What the systems are called, in the order in which they take their turns."""

from __future__ import annotations

LITELLM, PORTKEY, SMG = "litellm", "portkey", "smg"
GRPC, FAST = "pointsman-grpc", "pointsman-fast"
GRPC_READ, FAST_READ = "pointsman-grpc-read", "pointsman-fast-read"
"""These read every prompt; the two above have their model pinned, and read none."""
ECHO, DIRECT = "echo", "direct"

NAMES = (LITELLM, PORTKEY, SMG, GRPC, FAST, GRPC_READ, FAST_READ, ECHO, DIRECT)
