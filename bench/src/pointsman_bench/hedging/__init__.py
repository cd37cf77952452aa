"""What hedging is worth, and what it costs: replayed offline, and measured on a real server."""
