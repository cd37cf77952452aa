"""SIGHUP is a wish to reload, unless it says that the terminal is gone."""

from __future__ import annotations

import fcntl
import os
import pty
import subprocess
import sys
import termios

import pytest

SCRIPT = """
import signal, sys
# said either way: the tests themselves may have been started with nohup
signal.signal(signal.SIGHUP, signal.SIG_IGN if sys.argv[1] == "nohup" else signal.SIG_DFL)
from pointsman_server.supervisor.hangup import Terminal
terminal = Terminal()
signal.signal(signal.SIGHUP, lambda *_: None)
print(terminal.is_gone(), flush=True)
sys.stdin.readline()
print(terminal.is_gone(), flush=True)
"""


@pytest.mark.parametrize(
    ("how", "on_a_terminal", "gone"),
    [("plain", True, "True"), ("nohup", True, "False"), ("plain", False, "False")],
)
def test_whether_the_terminal_is_gone(how: str, on_a_terminal: bool, gone: str) -> None:
    """One that was never there, as under a service manager, cannot go; nor does it with nohup."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        pass_fds=[child],
        preexec_fn=(lambda: fcntl.ioctl(child, termios.TIOCSCTTY, 0)) if on_a_terminal else None,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"False\n"
    os.close(child)
    os.close(parent)
    out, _ = process.communicate(b"\n", timeout=20)
    assert out.decode().strip() == gone
    assert process.returncode == 0
