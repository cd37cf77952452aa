"""Several workers on one port: a small parent process that starts, watches and replaces them.

The parent imports the standard library alone, so that it stays small; `python -m
pointsman_server.supervisor PLAN` is put in the place of `pointsman serve` where more than one
worker is asked for. Each worker is `pointsman serve` again, in an interpreter of its own, with a
`Seat`: its number, its socket and its end of a channel to the parent.
"""
