"""/v1/traces: what a model did, step by step, to be looked into."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service.edges.http.context import Asked, Ctx
from service.edges.http.openapi import gives, takes
from service.edges.inspector.trace_answers import TraceAnswer, TracesAnswer, describe
from service.edges.inspector.trace_requests import TraceBody, new_trace_of
from service.operations import traces as operations

router = APIRouter(prefix="/v1/traces", tags=["traces"])

_ABOUT = (404, 422, 503)
_CREATION = (400, 403, 404, 409, 410, 413, 422, 503)


@router.post(
    "",
    status_code=201,
    responses=gives(TraceAnswer, *_CREATION, status=201)
    | {200: {"description": "The session is recorded already", "model": TraceAnswer}},
    openapi_extra=takes(TraceBody, {"model": "neuron", "sample": True}),
)
async def create_trace(
    request: Request, response: Response, context: Ctx, asked: Asked
) -> TraceAnswer:
    """Run inputs and keep them to be looked into, or record a session from now on. A fork of a
    trace, or a copy with gates set from outside, is a trace of its own. None of it touches a
    session."""
    body = await asked.read_json(request, TraceBody)
    described, is_new = await context.traces.create(new_trace_of(body, asked.caller))
    response.status_code = 201 if is_new else 200
    response.headers["location"] = f"/v1/traces/{described.trace.trace_id}"
    return describe(described)


@router.get("", responses=gives(TracesAnswer, 422, 503))
async def list_traces(
    context: Ctx,
    asked: Asked,
    session_id: Annotated[str | None, Query(description="Those that record this session.")] = None,
) -> TracesAnswer:
    """All traces that live, the latest first."""
    found = await context.traces.list(asked.caller, session_id)
    return TracesAnswer(traces=[describe(one) for one in found])


@router.get("/{trace_id}", responses=gives(TraceAnswer, *_ABOUT))
async def get_trace(trace_id: str, context: Ctx, asked: Asked) -> TraceAnswer:
    """One trace: which steps it has now. Of a session that is recorded there are more and more."""
    return describe(await context.traces.find(operations.Asked(trace_id, asked.caller)))


@router.delete("/{trace_id}", status_code=204, responses=gives(None, *_ABOUT, status=204))
async def delete_trace(trace_id: str, context: Ctx, asked: Asked) -> Response:
    """Forget a trace; a session that it records is recorded no longer, and goes on."""
    await context.traces.delete(operations.Asked(trace_id, asked.caller))
    return Response(status_code=204)
