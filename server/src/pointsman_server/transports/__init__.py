"""How calls arrive. Each transport serves the same handlers."""
