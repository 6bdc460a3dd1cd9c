"""The HTTP server around the application."""

import signal
import socket
import sys

import uvicorn
from starlette.types import ASGIApp

GRACE_SECONDS = 30
"""How long requests under way may take after SIGTERM."""


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """A listening socket and its URL; callers that connect from now on wait to be served.

    Raises OSError when the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=2048)
    bound_host, bound_port = listener.getsockname()[:2]
    shown = f"[{bound_host}]" if family == socket.AF_INET6 else bound_host
    return listener, f"http://{shown}:{bound_port}"


def run(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT; then finish what is under way, within `GRACE_SECONDS`."""
    config = uvicorn.Config(
        app,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
    )
    # uvicorn shuts down in order and then raises the signal again for whoever handled it before.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)
    uvicorn.Server(config).run(sockets=[listener])


def _exit(*_: object) -> None:
    sys.exit(0)
