"""The composition root: settings in, a running service out."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp

from service.api.application import build_api
from service.api.context import Context
from service.api.exchanges import Exchanges
from service.api.many_steps import ManyStepsEndpoint, ManyStepsShortcut
from service.api.steps import StepsEndpoint, StepsShortcut
from service.bundle.repository import read_repository
from service.engine.models import Models, load_models
from service.engine.provider import Provider
from service.engine.watch import Watch, log_loaded
from service.errors import GatewiseError, StoreError
from service.inspector.routes import router as inspector
from service.sessions.readiness import Readiness
from service.sessions.sequences import Sequences
from service.sessions.sessions import Sessions
from service.settings import Settings
from service.stores.open import open_store, shown
from service.stores.store import Store
from service.stream.endpoint import StreamEndpoint

UPKEEP_INTERVAL_SECONDS = 60.0

log = structlog.get_logger()


def load(settings: Settings) -> tuple[Models, Store]:
    """Everything that can refuse to start, before a port is opened.

    Raises BundleError, ProviderUnavailable, StoreError.
    """
    if settings.workers > 1 and settings.store.startswith("memory:"):
        raise StoreError(
            f"{settings.workers} workers cannot share {settings.store}, which lives inside one "
            "process; use --store sqlite:///PATH or redis://HOST:PORT/DB, or --workers 1"
        )
    models = load_models(
        read_repository(settings.repository),
        Provider(settings.device, settings.threads),
        settings.repository,
    )
    for engine in models:
        log_loaded(engine)
    return models, store_of(settings)


def store_of(settings: Settings) -> Store:
    """The store that the settings name. Raises StoreError."""
    return open_store(
        settings.store,
        settings.durability,
        retention_seconds=settings.expired_retention_seconds,
        timeout_seconds=settings.store_timeout_seconds,
    )


def watch_of(settings: Settings, models: Models) -> Watch:
    """A watch that adds to `models` what appears in the repository."""
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
    clock: Callable[[], float] = time.time,
    *,
    watch: Watch | None = None,
    readiness: Readiness | None = None,
) -> ASGIApp:
    """The service as an ASGI application; it closes the store when it shuts down."""
    sequences = Sequences(settings.max_waiting_sequences, settings.max_wait_seconds)
    sessions = Sessions(
        models,
        store,
        clock,
        sequences,
        ttl_seconds=settings.session_ttl_seconds,
        max_sessions=settings.max_sessions,
        max_batch=settings.max_batch,
        max_queue=settings.max_queue,
        max_wait_seconds=settings.max_wait_seconds,
        recent_bytes=settings.recent_bytes,
    )
    steps = StepsEndpoint(sessions, settings.max_body_bytes, settings.max_numbers)
    readiness = readiness or Readiness()
    stream = StreamEndpoint(sessions, models, settings.max_numbers)
    many_steps = ManyStepsEndpoint(sessions, settings.max_body_bytes, settings.max_numbers)
    context = Context(settings, models, sessions, sequences, steps, many_steps, readiness)
    api = build_api(context, _lifespan)
    api.state.watch = watch or watch_of(settings, models)
    api.include_router(inspector)
    api.router.routes.append(stream.route)
    readiness.before_closing.append(stream.finish)
    exchanges = Exchanges(access_log=settings.access_log)
    rest = ManyStepsShortcut(exchanges.around(api), many_steps, exchanges)
    return StepsShortcut(rest, steps, exchanges)


@asynccontextmanager
async def _lifespan(api: FastAPI) -> AsyncIterator[None]:
    context: Context = api.state.context
    watch: Watch = api.state.watch
    watch.start()
    upkeep = asyncio.create_task(_keep_up(context))
    log.info("ready", store=shown(context.settings.store), pid=os.getpid())
    yield
    upkeep.cancel()
    with suppress(asyncio.CancelledError):
        await upkeep
    await watch.close()
    await context.sessions.close()
    context.sequences.close()
    log.info("stopped", pid=os.getpid())


async def _keep_up(context: Context) -> None:
    """Forget expired sessions and count the others, every minute; a store may fail meanwhile."""
    while True:
        try:
            purged = await context.sessions.purge(context.settings.expired_retention_seconds)
            if purged:
                log.info("sessions_purged", count=purged)
            await context.sessions.count()
        except Exception as error:  # whatever it is, the next time may go well
            log.warning(
                "upkeep_failed", detail=str(error), exc_info=not isinstance(error, GatewiseError)
            )
        await asyncio.sleep(UPKEEP_INTERVAL_SECONDS)
