"""The HTTP server around the application, and how it stops."""

import asyncio
import math
import signal
import socket
import sys
import time
from contextlib import suppress
from multiprocessing import parent_process
from os import getpid
from types import FrameType

import structlog
import uvicorn

from service.edges.http.front import Front
from service.edges.http.protocol import DirectProtocol
from service.sessions.readiness import Readiness
from service.settings import Settings

LAST_WORD_SECONDS = 0.2
"""From the end of accepting to the end of connections on which nothing is asked."""

WEBSOCKET_PATIENCE_SECONDS = 60.0

_CLOSE = (b"connection", b"close")

log = structlog.get_logger()


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """A listening socket and its URL; callers that connect from now on wait to be served.

    Raises OSError when the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=2048)
    bound_host, bound_port = listener.getsockname()[:2]
    shown = f"[{bound_host}]" if family == socket.AF_INET6 else bound_host
    return listener, f"http://{shown}:{bound_port}"


def exit_on_signals() -> None:
    """Until the server is there to stop in order, SIGTERM and SIGINT end the process quietly.

    Also those that came while a supervisor had them blocked.
    """
    for number in uvicorn.server.HANDLED_SIGNALS:
        signal.signal(number, lambda *_: sys.exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, uvicorn.server.HANDLED_SIGNALS)


def run(app: Front, listener: socket.socket, readiness: Readiness, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then stop in order; returns when everything is closed.

    SIGTERM: not ready any more, but all is served for `drain_seconds`; then no new connections,
    and `grace_seconds` for what is under way. SIGINT, or another SIGTERM: without the drain.
    """
    config = uvicorn.Config(
        app,
        http=DirectProtocol,
        access_log=False,
        # Nothing here asks for a client's address or scheme.
        proxy_headers=False,
        log_config=None,
        timeout_graceful_shutdown=math.ceil(settings.grace_seconds),
        server_header=False,
        ws="websockets-sansio",
        ws_max_size=settings.max_body_bytes,
        # Compressing a step's numbers takes longer than computing them.
        ws_per_message_deflate=False,
        # A client with a full window is not read, so that its pong waits, too.
        ws_ping_timeout=WEBSOCKET_PATIENCE_SECONDS,
    )
    _Server(config, readiness, settings.drain_seconds).run(sockets=[listener])


class _Server(uvicorn.Server):
    """uvicorn's server with a phase before its own shutdown, in which balancers move away."""

    def __init__(self, config: uvicorn.Config, readiness: Readiness, drain_seconds: float) -> None:
        super().__init__(config)
        self._readiness = readiness
        self._drain_seconds = drain_seconds
        self._stop_at = math.inf
        self._announced = False
        self._parent = parent_process()

    def handle_exit(self, sig: int, _frame: FrameType | None) -> None:
        """On SIGTERM and SIGINT, between any two instructions of the main thread: no logging."""
        # A supervisor decides what a second SIGTERM means. Where all processes of a service get
        # one, as under systemd, a worker sees its own and its supervisor's.
        again = self._readiness.draining and self._parent is None
        if sig == signal.SIGTERM and not again:
            self._stop_within(self._drain_seconds)
        else:
            self._stop_within(0)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second; True ends accepting."""
        if self._parent is not None and not self._parent.is_alive():
            self._stop_within(0)
        if self._readiness.draining and not self._announced:
            self._announced = True
            log.info("stopping", accepts_for_seconds=round(self._seconds_left(), 1), pid=getpid())
        if self._seconds_left() <= 0:
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nothing more, then finish. Who has connected just before may still ask."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        # uvicorn closes connections on which nothing was asked yet, whatever is on its way there.
        await asyncio.sleep(LAST_WORD_SECONDS)
        await self._finish_streams()
        await super().shutdown(sockets)

    async def _finish_streams(self) -> None:
        """uvicorn closes WebSockets at once, whatever they still wait for. Both share the grace."""
        began, grace = time.monotonic(), self.config.timeout_graceful_shutdown or 0
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                for finish in self._readiness.before_closing:
                    await finish()
        left = grace - (time.monotonic() - began)
        self.config.timeout_graceful_shutdown = max(0, math.ceil(left))

    def _seconds_left(self) -> float:
        return self._stop_at - time.monotonic()

    def _stop_within(self, seconds: float) -> None:
        self._stop_at = min(self._stop_at, time.monotonic() + seconds)
        if not self._readiness.draining:
            self._readiness.draining = True
            # Clients that keep connections open leave now, one answer after the other, and none
            # sends a request into a connection that is just being closed.
            self.config.encoded_headers.append(_CLOSE)
            self.server_state.default_headers = [*self.server_state.default_headers, _CLOSE]
