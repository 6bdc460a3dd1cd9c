"""The composition root: settings in, a running service out."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from fastapi import FastAPI

from service.edges.http.application import build_api
from service.edges.http.context import Context
from service.edges.http.door import Door
from service.edges.http.front import Front
from service.edges.inspector import routes as inspector
from service.edges.v1 import routes as v1
from service.edges.v1.stream.endpoint import StreamEndpoint
from service.engine.provider import Provider
from service.errors import GatewiseError, StoreError
from service.operations.limits import Limits
from service.repository.models import Models
from service.repository.watch import Watch
from service.sessions.readiness import Readiness
from service.sessions.recorder import TraceBounds
from service.sessions.sequences import Sequences
from service.sessions.sessions import Sessions
from service.settings import Settings
from service.stores.open import open_store, shown
from service.stores.store import Store
from service.stores.traces.open import open_traces
from service.stores.traces.traces import Traces
from service.traces.traces import Traces as InspectedTraces

UPKEEP_INTERVAL_SECONDS = 60.0
RECORDINGS_INTERVAL_SECONDS = 0.5
"""How long after one worker began to record a session the others do at the latest."""

log = structlog.get_logger()


def load(settings: Settings) -> tuple[Models, Watch, Store]:
    """Everything that can refuse to start, before a port is opened.

    Raises BundleError, RepositoryError, ProviderUnavailable, StoreError.
    """
    if settings.workers > 1 and settings.store.startswith("memory:"):
        raise StoreError(
            f"{settings.workers} workers cannot share {settings.store}, which lives inside one "
            "process; use --store sqlite:///PATH or redis://HOST:PORT/DB, or --workers 1"
        )
    models, watch = models_of(settings)
    watch.begin(strict=settings.strict)
    return models, watch, store_of(settings)


def store_of(settings: Settings) -> Store:
    """The store that the settings name. Raises StoreError."""
    return open_store(
        settings.store,
        settings.durability,
        retention_seconds=settings.expired_retention_seconds,
        timeout_seconds=settings.store_timeout_seconds,
    )


def traces_of(settings: Settings) -> Traces:
    """The traces beside the store that the settings name. Raises StoreError."""
    return open_traces(settings.store, timeout_seconds=settings.store_timeout_seconds)


def models_of(settings: Settings) -> tuple[Models, Watch]:
    """No models yet, and the watch that reads them from the repository."""
    models = Models(repository=settings.repository)
    return models, watch_of(settings, models)


def watch_of(settings: Settings, models: Models) -> Watch:
    """A watch that keeps `models` to what is in the repository."""
    return Watch(
        models,
        settings.repository,
        Provider(settings.device, settings.threads),
        settings.repository_scan_seconds,
    )


def create_app(
    settings: Settings,
    models: Models,
    store: Store,
    *,
    watch: Watch | None = None,
    readiness: Readiness | None = None,
    traces: Traces | None = None,
) -> Front:
    """The service as an ASGI application; it closes the stores when it shuts down.

    `traces` are those beside the store that the settings name, unless others are given.
    """
    limits = Limits(settings.max_numbers)
    sequences = Sequences(settings.max_waiting_sequences, settings.max_wait_seconds)
    sessions = Sessions(
        models,
        store,
        sequences,
        limits,
        ttl_seconds=settings.session_ttl_seconds,
        max_sessions=settings.max_sessions,
        max_batch=settings.max_batch,
        max_queue=settings.max_queue,
        max_wait_seconds=settings.max_wait_seconds,
        recent_bytes=settings.recent_bytes,
        traces=traces or traces_of(settings),
        trace_bounds=TraceBounds(
            settings.max_traces, settings.trace_bytes, settings.trace_ttl_seconds
        ),
    )
    readiness = readiness or Readiness()
    stream = StreamEndpoint(sessions, models, limits)
    watch = watch or watch_of(settings, models)
    context = Context(
        settings,
        limits,
        models,
        watch.steering,
        sessions,
        sequences,
        readiness,
        InspectedTraces(models, sessions, sequences, cache_bytes=settings.trace_cache_bytes),
    )
    api = build_api(context, (*v1.ROUTERS, *inspector.ROUTERS), v1.EVENTS, v1.SOCKETS, _lifespan)
    api.state.watch = watch
    api.router.routes.append(stream.route)
    readiness.before_closing.append(stream.finish)
    door = Door(settings.max_body_bytes, access_log=settings.access_log)
    return Front(door, api, v1.direct_routes(context))


@asynccontextmanager
async def _lifespan(api: FastAPI) -> AsyncIterator[None]:
    context: Context = api.state.context
    watch: Watch = api.state.watch
    watch.start()
    await context.sessions.refresh_recordings()
    tasks = [asyncio.create_task(one(context)) for one in (_keep_up, _keep_recording)]
    log.info("ready", store=shown(context.settings.store), pid=os.getpid())
    yield
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await watch.close()
    await context.sessions.close()
    context.sequences.close()
    log.info("stopped", pid=os.getpid())


def _tell(doubt: str | None) -> None:
    if doubt is not None:
        log.warning("clock_held", reason=doubt)


async def _keep_up(context: Context) -> None:
    """Forget expired sessions and count the others, every minute; a store may fail meanwhile."""
    while True:
        try:
            await context.sessions.keep_clock()
            _tell(context.sessions.clock_held)
            purged = await context.sessions.purge(context.settings.expired_retention_seconds)
            if purged:
                log.info("sessions_purged", count=purged)
            await context.sessions.purge_traces()
            await context.sessions.count()
        except Exception as error:  # whatever it is, the next time may go well
            log.warning(
                "upkeep_failed", detail=str(error), exc_info=not isinstance(error, GatewiseError)
            )
        await asyncio.sleep(UPKEEP_INTERVAL_SECONDS)


async def _keep_recording(context: Context) -> None:
    """Follow what other workers record."""
    while True:
        await asyncio.sleep(RECORDINGS_INTERVAL_SECONDS)
        await context.sessions.refresh_recordings()
