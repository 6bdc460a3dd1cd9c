"""/v1/models: what is served, and whole sequences through it."""

from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from service.bundle.manifest import REPORT_FILE, Layer, Manifest
from service.edges.http.context import Asked, Ctx
from service.edges.http.openapi import gives, takes
from service.edges.v1.examples import example_of
from service.edges.v1.requests import SequencesBody
from service.edges.v1.schemas import (
    ConstantAnswer,
    LayerAnswer,
    ModelAnswer,
    ModelsAnswer,
    SegmentAnswer,
    SequencesAnswer,
)
from service.edges.v1.sequences import answer_sequences
from service.engine.engine import Engine
from service.errors import ModelNotFound
from service.repository.models import Models

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("", responses=gives(ModelsAnswer))
async def list_models(context: Ctx) -> ModelsAnswer:
    """The latest version of every model."""
    models = context.models
    return ModelsAnswer(models=[_describe(models.latest(name), models) for name in models.names()])


@router.get("/{model}", responses=gives(ModelAnswer, 404))
async def get_model(model: str, context: Ctx) -> ModelAnswer:
    """One model: its signature, layers, scores, and where it runs."""
    return _describe(context.models.latest(model), context.models)


@router.get("/{model}/report", response_class=FileResponse, responses=gives(None, 404))
async def get_report(model: str, context: Ctx) -> FileResponse:
    """What training did, as a page: curves, scores against baselines, gate pictures."""
    engine = context.models.latest(model)
    report = engine.bundle.folder / REPORT_FILE
    if REPORT_FILE not in engine.manifest.files or not report.is_file():
        raise ModelNotFound(f"model {model!r} has no training report")
    return FileResponse(report, media_type="text/html")


@router.post(
    "/{model}/sequences",
    response_class=Response,
    responses=gives(SequencesAnswer, 400, 403, 404, 413, 422, 503),
    openapi_extra=takes(SequencesBody, {"inputs": [[[371.2], [371.3]]], "gates": True}),
)
async def run_sequences(model: str, request: Request, context: Ctx, asked: Asked) -> Response:
    """Run whole sequences, of different lengths if need be. Nothing is kept."""
    engine = context.models.latest(model)
    body = await asked.read_body(request.scope, request.receive)
    answer = await context.sequences.run(lambda: answer_sequences(engine, body, context.limits))
    return Response(answer, media_type="application/json")


def _describe(engine: Engine, models: Models) -> ModelAnswer:
    manifest = engine.manifest
    return ModelAnswer(
        name=manifest.name,
        version=manifest.version,
        versions=models.versions(manifest.name),
        task=manifest.task,
        input=manifest.input,
        output=manifest.output,
        answers=manifest.answers,
        sessions=manifest.sessions,
        reason=manifest.reason,
        window=manifest.window,
        ready_at=manifest.ready_at,
        delay=manifest.delay,
        steps=manifest.steps,
        constants=[ConstantAnswer.model_validate(one.model_dump()) for one in manifest.constants],
        layers=[_layer(index, layer) for index, layer in enumerate(manifest.layers)],
        state=list(_segments(manifest)),
        state_size=manifest.state_size,
        scores=list(manifest.scores),
        provider=engine.provider,
        example=example_of(engine),
        report=f"/v1/models/{manifest.name}/report" if REPORT_FILE in manifest.files else None,
    )


def _layer(index: int, layer: Layer) -> LayerAnswer:
    return LayerAnswer(
        layer=index,
        name=layer.name,
        hidden_size=layer.hidden_size,
        lanes=layer.lanes,
        offset=layer.offset,
        reset=layer.reset,
        gates=list(layer.gates),
    )


def _segments(manifest: Manifest) -> Iterator[SegmentAnswer]:
    offset = 0
    for segment in manifest.state:
        yield SegmentAnswer(
            name=segment.name, kind=segment.kind, shape=list(segment.shape), offset=offset
        )
        offset += segment.size
