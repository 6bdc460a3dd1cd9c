"""/health: what a balancer asks."""

from fastapi import APIRouter

from service.api.context import Ctx

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "live"}


@router.get("/ready")
async def ready(context: Ctx) -> dict[str, str]:
    """Models are loaded and the store answers; 503 otherwise."""
    await context.sessions.page(model=None, cursor="", limit=1)
    return {"status": "ready"}
