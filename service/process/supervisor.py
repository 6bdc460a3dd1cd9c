"""The supervisor of several processes that share one listening socket.

uvicorn's own runs no other server than uvicorn's, starts a worker that cannot start again and
again without a pause, and leaves workers behind that hold the port when it is killed itself.
"""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess

import structlog

SETTLED_SECONDS = 5.0
"""A worker that ends sooner counts as one that could not start."""
LONGEST_PAUSE_SECONDS = 30.0
SIGNALS = (signal.SIGTERM, signal.SIGINT)

Target = Callable[[socket.socket], None]

log = structlog.get_logger()


@dataclass(slots=True)
class _Place:
    """Where one worker runs after the other; the next may start at `due_at`."""

    process: SpawnProcess | None = None
    started_at: float = 0.0
    due_at: float = 0.0
    failures: int = 0

    def start(self, target: Target, listener: socket.socket) -> None:
        self.started_at = time.monotonic()
        # Not a fork: locks that threads of ONNX Runtime or SQLite hold would stay locked in it.
        self.process = get_context("spawn").Process(target=target, args=(listener,), name="worker")
        # A signal that a worker gets before it can handle it is handled when it can.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def has_ended(self) -> bool:
        return self.process is not None and not self.process.is_alive()

    def clear(self) -> int:
        """Plan the next worker: at once after a first failure, then after ever longer pauses.

        Returns the pid of the one that has ended.
        """
        assert self.process is not None and self.process.pid is not None
        pid, status = self.process.pid, self.process.exitcode or 0
        now = time.monotonic()
        failed = status > 0 or now - self.started_at < SETTLED_SECONDS
        self.failures = self.failures + 1 if failed else 0
        pause = pause_after(self.failures)
        self.process, self.due_at = None, now + pause
        log.warning("worker_ended", worker=pid, status=status, restart_seconds=pause)
        return pid


class Supervisor:
    """Keeps `count` processes alive that run `target`, until SIGTERM or SIGINT ends them all."""

    def __init__(
        self,
        target: Target,
        listener: socket.socket,
        count: int,
        *,
        patience_seconds: float,
        on_end: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`target` is pickled for each process; told to stop, it ends within `patience_seconds`.

        `on_end` gets the pid of each process that has ended and will be replaced.
        """
        self._target = target
        self._listener = listener
        self._places = [_Place() for _ in range(count)]
        self._on_end = on_end
        self._patience_seconds = patience_seconds

    def run(self) -> int:
        """Returns the exit status when all have ended: 0, or 1 where one had to be killed."""
        # It unblocks signals when it starts: not in the middle of starting a worker.
        resource_tracker.ensure_running()
        with _received_signals() as signals:
            self._serve(signals)
            # The workers have their own; when they close it, nobody shall connect any more.
            self._listener.close()
            return self._stop(signals)

    def _serve(self, signals: socket.socket) -> None:
        """Start every worker that is missing, until a signal comes."""
        while True:
            for place in self._places:
                if place.has_ended():
                    self._on_end(place.clear())
                if place.process is None and place.due_at <= time.monotonic():
                    place.start(self._target, self._listener)
            missing = [place.due_at for place in self._places if place.process is None]
            if self._wait(signals, min(missing, default=inf)):
                return

    def _stop(self, signals: socket.socket) -> int:
        """Pass signals on until all have ended; the second and later ones skip the drain."""
        deadline = time.monotonic() + self._patience_seconds
        numbers = signals.recv(64)
        self._tell(numbers[0] if len(numbers) == 1 else signal.SIGINT)
        while self._living() and time.monotonic() < deadline:
            if self._wait(signals, deadline):
                signals.recv(64)
                self._tell(signal.SIGINT)
        stuck = self._living()
        for process in stuck:
            log.error("worker_killed", worker=process.pid, after_seconds=self._patience_seconds)
            process.kill()
        return 1 if stuck else 0

    def _wait(self, signals: socket.socket, until: float) -> bool:
        """Until a worker ends, the time has come or a signal comes; True for a signal."""
        sentinels = [place.process.sentinel for place in self._places if place.process is not None]
        seconds = None if until == inf else max(0.0, until - time.monotonic())
        return signals in wait([signals, *sentinels], seconds)

    def _living(self) -> list[SpawnProcess]:
        for place in self._places:
            if place.has_ended():
                place.process = None
        return [place.process for place in self._places if place.process is not None]

    def _tell(self, number: int) -> None:
        for process in self._living():
            assert process.pid is not None
            os.kill(process.pid, number)


def pause_after(failures: int) -> float:
    """Seconds before the next start, after so many failed ones in a row."""
    return min(2.0 ** (failures - 2), LONGEST_PAUSE_SECONDS) if failures > 1 else 0.0


@contextmanager
def _received_signals() -> Iterator[socket.socket]:
    """A socket that receives the number of every signal, in the place of its effect."""
    receiver, sender = socket.socketpair()
    with receiver, sender:
        sender.setblocking(False)
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(sender.fileno())
        yield receiver
        signal.set_wakeup_fd(-1)
