"""Carrying a decision out: attempts, their timeouts, retries, hedges and fallbacks."""
