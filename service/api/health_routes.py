"""/health: what a balancer asks."""

import asyncio
from contextlib import suppress

from fastapi import APIRouter

from service.api.context import Ctx
from service.errors import Overloaded

PATIENCE_SECONDS = 0.5

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "live"}


@router.get("/ready")
async def ready(context: Ctx) -> dict[str, str]:
    """Models are loaded and the store does not fail; 503 otherwise.

    A store that is only busy counts as ready: taking a loaded replica out of the balance would
    load the others even more.
    """
    with suppress(TimeoutError, Overloaded):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await context.sessions.page(model=None, after=("", ""), limit=1)
    return {"status": "ready"}
