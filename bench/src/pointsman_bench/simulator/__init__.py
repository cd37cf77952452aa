"""A built-in upstream: an OpenAI-compatible server that behaves as it is told.

It is no model: it answers with a fixed text after a drawn time, token by token, fails and stalls
as often as it is told to, and keeps books of all that it saw. It runs as a process of its own.
"""
