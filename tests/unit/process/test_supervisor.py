"""The supervisor alone, with processes that misbehave."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from service.process.supervisor import Supervisor, pause_after

ROOT = Path(__file__).parents[3]


def test_pauses_grow_to_half_a_minute() -> None:
    pauses = [pause_after(failures) for failures in range(10)]
    assert pauses == [0, 0, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_worker_that_does_not_stop_is_killed() -> None:
    code = "from tests.unit.process.test_supervisor import supervise; supervise()"
    started = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "worker_killed" in ended.stdout
    assert ended.returncode == 1, ended.stderr
    assert time.monotonic() - started < 20


def supervise() -> None:
    """In a process of its own: serve with a worker that ignores signals."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sys.exit(Supervisor(ignore_signals, listener, 1, patience_seconds=0.2).run())


def ignore_signals(listener: socket.socket) -> None:
    """A worker that has its supervisor stopped, and does not stop itself."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.kill(os.getppid(), signal.SIGTERM)
    listener.accept()
