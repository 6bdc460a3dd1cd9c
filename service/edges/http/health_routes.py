"""/health: what a balancer asks."""

from fastapi import APIRouter

from service.edges.http.context import Ctx
from service.edges.http.openapi import gives

router = APIRouter(prefix="/health", tags=["health"])


@router.head("/live", include_in_schema=False)
@router.get("/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "live"}


@router.head("/ready", include_in_schema=False)
@router.get("/ready", responses=gives(None, 503))
async def ready(context: Ctx) -> dict[str, str]:
    """Models are loaded, the store does not fail and the service is not stopping; else 503."""
    await context.readiness.check(context.sessions)
    if (doubt := context.sessions.clock_held) is not None:
        return {"status": "ready", "clock": f"{doubt}; nothing expires until it is accepted"}
    return {"status": "ready"}
