"""Observers: what happens, as log lines and as metrics."""
