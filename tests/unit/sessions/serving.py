"""The sessions of a service over a store, without HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.repository.models import Models
from service.sessions.recorder import TraceBounds
from service.sessions.sequences import Sequences
from service.sessions.sessions import Sessions
from service.stores.store import Store
from service.stores.traces.traces import Traces
from tests.unit.sessions.steps import LIMITS, RECENT_BYTES


@asynccontextmanager
async def serving(
    models: Models,
    store: Store,
    *,
    ttl_seconds: float = 60.0,
    max_queue: int = 100,
    max_sessions: int = 100,
    recent_bytes: int = RECENT_BYTES,
    traces: Traces | None = None,
    trace_bounds: TraceBounds | None = None,
) -> AsyncIterator[Sessions]:
    """Closes the store at the end: a test looks into it before."""
    sequences = Sequences(max_waiting=10)
    sessions = Sessions(
        models,
        store,
        sequences,
        LIMITS,
        ttl_seconds=ttl_seconds,
        max_sessions=max_sessions,
        max_batch=100,
        max_queue=max_queue,
        recent_bytes=recent_bytes,
        traces=traces,
        trace_bounds=trace_bounds,
    )
    try:
        yield sessions
    finally:
        sequences.close()
        await sessions.close()
