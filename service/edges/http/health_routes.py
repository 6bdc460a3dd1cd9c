"""/health and /metrics: what balancers and Prometheus ask."""

from fastapi import APIRouter, Request, Response

from service.edges.http.context import Ctx
from service.edges.http.openapi import gives
from service.metrics.exposition import ModelInfo, render

router = APIRouter(tags=["health"])

_EXAMPLE = '# TYPE gatewise_steps_total counter\ngatewise_steps_total{model="neuron"} 3.0\n'


@router.head("/health/live", include_in_schema=False)
@router.get("/health/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "live"}


@router.head("/health/ready", include_in_schema=False)
@router.get("/health/ready", responses=gives(None, 503))
async def ready(context: Ctx) -> dict[str, str]:
    """Models are loaded, the store does not fail and the service is not stopping; else 503.

    Versions that cannot be served are named, and keep the service from nothing else.
    """
    await context.readiness.check(context.sessions)
    said = {"status": "ready"}
    if refused := context.models.refused():
        said["refused"] = ", ".join(
            f"{name}/{version}".encode("ascii", "backslashreplace").decode()
            for name, version, _ in refused
        )
    if (doubt := context.sessions.clock_held) is not None:
        said["clock"] = f"{doubt}; nothing expires until it is accepted"
    return said


@router.head("/metrics", include_in_schema=False)
@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "Done", "content": {"text/plain": {"example": _EXAMPLE}}}},
)
def metrics(request: Request, context: Ctx) -> Response:
    """Counters, gauges and histograms of all processes of this service, for Prometheus."""
    models = [
        ModelInfo(engine.manifest.name, engine.manifest.version, engine.provider)
        for engine in context.models
    ]
    content, content_type = render(request.headers.get("accept", ""), models)
    return Response(content, headers={"content-type": content_type})
