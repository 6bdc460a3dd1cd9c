"""A process that serves: alone, or as one of several that share a listening socket."""

import gc
import socket
import sys
from functools import partial

from service.app import create_app, models_of, store_of
from service.errors import GatewiseError
from service.metrics.exposition import counted_together, forget_open
from service.process import logs
from service.process.server import exit_on_signals, run
from service.process.supervisor import Supervisor
from service.repository.models import Models
from service.repository.watch import Watch
from service.sessions.readiness import Readiness
from service.settings import Settings
from service.stores.store import Store

MARGIN_SECONDS = 10.0
"""What a worker may take to stop beyond what the settings allow, before it is killed."""

SWITCH_SECONDS = 0.001
"""How long the event loop waits at most for a thread that works on long sequences in Python."""


def serve_here(
    settings: Settings,
    models: Models,
    store: Store,
    listener: socket.socket,
    watch: Watch,
) -> None:
    """Serve until a signal ends it in order."""
    readiness = Readiness()
    app = create_app(settings, models, store, watch=watch, readiness=readiness)
    # What is there by now stays: looking through it for garbage took 60 ms every now and then.
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH_SECONDS)
    run(app, listener, readiness, settings)


def serve_together(settings: Settings, listener: socket.socket) -> int:
    """Serve with `settings.workers` processes; returns the exit status of them all."""
    with counted_together():
        return Supervisor(
            partial(_work, settings),
            listener,
            settings.workers,
            patience_seconds=settings.drain_seconds + settings.grace_seconds + MARGIN_SECONDS,
            on_end=forget_open,
        ).run()


def _work(settings: Settings, listener: socket.socket) -> None:
    """The whole life of one of several processes.

    The first process has seen that all could be served, but perhaps long ago: a version that
    cannot be served any more must not keep a replacement from serving the others.
    """
    exit_on_signals()
    logs.configure(settings)
    models, watch = models_of(settings)
    try:
        watch.begin()
        store = store_of(settings)
    except GatewiseError as error:
        sys.exit(f"gatewise: {error}")
    serve_here(settings, models, store, listener, watch)
