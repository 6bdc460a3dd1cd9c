"""/v1/models: what is served, which version by default, and whole sequences through it."""

import asyncio
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import FileResponse

from service.bundle.manifest import REPORT_FILE
from service.edges.http.context import Asked, Context, Ctx
from service.edges.http.door import Exchange
from service.edges.http.openapi import gives, takes
from service.edges.v1.model_descriptions import describe_model, describe_version
from service.edges.v1.requests import MAX_STEP, DefaultBody, SequencesBody, WithdrawBody
from service.edges.v1.schemas import (
    ModelAnswer,
    ModelsAnswer,
    SequencesAnswer,
    UndefaultedModelAnswer,
    VersionAnswer,
)
from service.edges.v1.sequences import Choose, answer_sequences
from service.engine.engine import Engine
from service.errors import InvalidInput, ModelNotFound

router = APIRouter(prefix="/v1/models", tags=["models"])

Model = ModelAnswer | UndefaultedModelAnswer
Version = Annotated[int, Path(ge=1, le=MAX_STEP)]

_SEQUENCES = takes(SequencesBody, {"inputs": [[[371.2], [371.3]]], "gates": True})
_SEQUENCES_PROBLEMS = (400, 403, 404, 409, 413, 422, 503)
_CHANGE_PROBLEMS = (400, 403, 404, 409, 413, 422, 503)


@router.get("", responses=gives(ModelsAnswer))
async def list_models(context: Ctx) -> ModelsAnswer:
    """Every model: its default version, and the state of all."""
    models = context.models
    return ModelsAnswer(models=[describe_model(models.of(name)) for name in models.names()])


@router.get("/{model}", response_model=Model, responses=gives(None, 404))
async def get_model(model: str, context: Ctx) -> Model:
    """One model: its versions, and of the default one signature, layers, scores, where it runs."""
    return describe_model(context.models.of(model))


@router.get("/{model}/versions/{version}", responses=gives(VersionAnswer, 404, 422, 503))
async def get_version(model: str, version: Version, context: Ctx) -> VersionAnswer:
    """One version: its signature, layers, scores, and where it runs."""
    engine = context.models.wanted(model, version)
    return describe_version(context.models.of(model), engine)


@router.get("/{model}/report", response_class=FileResponse, responses=gives(None, 404, 409))
async def get_report(model: str, context: Ctx) -> FileResponse:
    """What training did, as a page: curves, scores against baselines, gate pictures."""
    return _report(context.models.default(model))


@router.get(
    "/{model}/versions/{version}/report",
    response_class=FileResponse,
    responses=gives(None, 404, 422, 503),
)
async def get_version_report(model: str, version: Version, context: Ctx) -> FileResponse:
    """The training report of one version."""
    return _report(context.models.wanted(model, version))


@router.post(
    "/{model}/sequences",
    response_class=Response,
    responses=gives(SequencesAnswer, *_SEQUENCES_PROBLEMS),
    openapi_extra=_SEQUENCES,
)
async def run_sequences(model: str, request: Request, context: Ctx, asked: Asked) -> Response:
    """Run whole sequences, of different lengths if need be. Nothing is kept."""
    context.models.of(model)
    choose = partial(context.models.opened, model)
    return await _run_sequences(choose, request, context, asked)


@router.post(
    "/{model}/versions/{version}/sequences",
    response_class=Response,
    responses=gives(SequencesAnswer, *_SEQUENCES_PROBLEMS),
    openapi_extra=_SEQUENCES,
)
async def run_version_sequences(
    model: str, version: Version, request: Request, context: Ctx, asked: Asked
) -> Response:
    """Run whole sequences through one version. Nothing is kept."""
    engine = context.models.opened(model, version)

    def choose(said: int | None) -> Engine:
        if said not in (None, version):
            raise InvalidInput.at(("version",), f"the path says version {version}")
        return engine

    return await _run_sequences(choose, request, context, asked)


@router.put(
    "/{model}/default",
    response_model=Model,
    responses=gives(None, *_CHANGE_PROBLEMS),
    openapi_extra=takes(DefaultBody, {"version": 1}),
)
async def put_default(model: str, request: Request, context: Ctx, asked: Asked) -> Model:
    """Choose the version that serves whoever names none, or go by the rule again with `newest`.

    Every worker and replica that reads the repository follows; a candidate is one no more.
    """
    body = await asked.read_json(request, DefaultBody)
    await asyncio.to_thread(context.steering.choose_default, model, body.version)
    return describe_model(context.models.of(model))


@router.post(
    "/{model}/versions/{version}/withdraw",
    response_model=Model,
    responses=gives(None, *_CHANGE_PROBLEMS),
    openapi_extra=takes(WithdrawBody, {}, required=False),
)
async def withdraw_version(
    model: str, version: Version, request: Request, context: Ctx, asked: Asked
) -> Model:
    """Have a version take no new sessions; those that it has go on, except with `drop`."""
    body = await asked.read_json(request, WithdrawBody, in_place_of_none=b"{}")
    order = partial(context.steering.withdraw, model, version, drop=body.drop)
    await asyncio.to_thread(order)
    return describe_model(context.models.of(model))


@router.post(
    "/{model}/versions/{version}/restore",
    response_model=Model,
    responses=gives(None, 403, 404, 409, 422, 503),
)
async def restore_version(model: str, version: Version, context: Ctx) -> Model:
    """Undo a withdrawal. A version that was dropped is loaded soon."""
    await asyncio.to_thread(context.steering.restore, model, version)
    return describe_model(context.models.of(model))


async def _run_sequences(
    choose: Choose, request: Request, context: Context, asked: Exchange
) -> Response:
    body = await asked.read_body(request.scope, request.receive)
    answer = await context.sequences.run(lambda: answer_sequences(choose, body, context.limits))
    return Response(answer, media_type="application/json")


def _report(engine: Engine) -> FileResponse:
    manifest, report = engine.manifest, engine.bundle.folder / REPORT_FILE
    if REPORT_FILE not in manifest.files or not report.is_file():
        raise ModelNotFound(
            f"version {manifest.version} of model {manifest.name!r} has no training report"
        )
    return FileResponse(report, media_type="text/html")
