"""/metrics: what Prometheus asks."""

from fastapi import APIRouter, Request, Response

from service.edges.http.context import Ctx
from service.metrics.exposition import ModelInfo, render

router = APIRouter(tags=["health"])

_EXAMPLE = '# TYPE gatewise_steps_total counter\ngatewise_steps_total{model="co2"} 3.0\n'


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
