"""/health: what a balancer asks."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request

from service.api.context import Ctx
from service.api.openapi import gives
from service.readiness import Readiness

router = APIRouter(prefix="/health", tags=["health"])


def _readiness_of(request: Request) -> Readiness:
    return cast(Readiness, request.app.state.readiness)


@router.head("/live", include_in_schema=False)
@router.get("/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "live"}


@router.head("/ready", include_in_schema=False)
@router.get("/ready", responses=gives(None, 503))
async def ready(
    context: Ctx, readiness: Annotated[Readiness, Depends(_readiness_of)]
) -> dict[str, str]:
    """Models are loaded, the store does not fail and the service is not stopping; else 503."""
    await readiness.check(context.sessions)
    return {"status": "ready"}
