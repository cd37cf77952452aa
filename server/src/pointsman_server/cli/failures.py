"""Failures of commands, each with its exit code."""

from __future__ import annotations


class CommandError(Exception):
    """A command cannot go on; the message says why and how to mend it."""

    exit_code = 1


class UsageError(CommandError):
    """What was asked for makes no sense."""

    exit_code = 2


class NothingToRouteTo(CommandError):
    """There is no model, and none could be had."""

    exit_code = 3
