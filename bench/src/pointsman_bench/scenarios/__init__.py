"""Loads worth measuring, as data: `table.SCENARIOS`."""
