"""/v1/sessions/{id}/steps, /rollout and /state: what moves a session."""

from functools import partial
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Header, Request, Response

from service.edges.http.conditions import etag, mark, read_conditions, unchanged
from service.edges.http.context import Asked, Ctx
from service.edges.http.direct import Answered
from service.edges.http.events import stream_events, wants_events
from service.edges.http.json import to_json
from service.edges.http.openapi import CONDITIONAL, KEYED, gives, takes, with_events
from service.edges.v1.many_steps import TEMPLATE as MANY_STEPS
from service.edges.v1.many_steps import answer_many_steps
from service.edges.v1.requests import ManyStepsBody, RolloutBody, StateBody, StepsBody
from service.edges.v1.rollouts import render_parts, render_rollout, rollout_of
from service.edges.v1.schemas import ManyStepsAnswer, RolloutAnswer, StateAnswer, StepsAnswer
from service.edges.v1.step_bodies import render_aside, session_headers
from service.edges.v1.steps import JSON, answer_steps
from service.operations.requests import Get, PutState
from service.stores.store import Session

router = APIRouter(prefix="/v1/sessions/{session_id}", tags=["sessions"])
many_router = APIRouter(tags=["sessions"])

_PROBLEMS = (400, 403, 404, 409, 410, 412, 413, 422, 503)


@router.post(
    "/steps",
    response_class=Response,
    responses=gives(StepsAnswer, *_PROBLEMS),
    openapi_extra=takes(
        StepsBody, {"inputs": [[371.3]], "gates": {"steps": "last"}}, KEYED + CONDITIONAL
    ),
)
async def apply_steps(session_id: str, request: Request, context: Ctx) -> Response:
    """Apply one or more time steps: all of them, or none on any error."""
    return _response(await answer_steps(context, session_id, request.scope, request.receive))


@router.post(
    "/rollout",
    response_class=Response,
    responses=with_events(
        gives(RolloutAnswer, *_PROBLEMS),
        "Done; with `Accept: text/event-stream` every output as an event `output` (OutputEvent) "
        "when it is computed, then `done` (DoneEvent), or `error` (ProblemDetails)",
        'event: output\ndata: {"index":0,"output":[371.1]}\n\n'
        'event: done\ndata: {"session_id":"station-7","step":1,"etag":"\\"5f\\""}\n\n',
    ),
    openapi_extra=takes(RolloutBody, {"inputs": [[371.3]], "steps": 12}, KEYED + CONDITIONAL),
)
async def roll_out(session_id: str, request: Request, context: Ctx, asked: Asked) -> Response:
    """Apply time steps, then feed the outputs back: a forecast, or text that goes on.

    With `Accept: text/event-stream` every output is sent as soon as it is computed. The session
    moves at the end, with `done`; whoever goes away before leaves it as it was.
    """
    body = await asked.read_json(request, RolloutBody)
    conditions = read_conditions(request.headers.raw, body.at)
    rollout = rollout_of(session_id, body, conditions, asked.caller)
    if wants_events(request.headers.getlist("accept")):
        parts = context.sessions.stream_rollout(rollout)
        return await stream_events(render_parts(parts, rollout))
    answer = await context.sessions.rollout(rollout)
    render = partial(render_rollout, answer, rollout)
    rendered = await render_aside(len(answer.result.outputs), render)
    headers = session_headers(b"%x" % answer.revision, replayed=answer.replayed)
    return _response(Answered(rendered, [JSON, *headers]))


@router.get(
    "/state",
    response_class=Response,
    responses=gives(StateAnswer, 404, 410, 422, 503) | {304: {"description": "Not changed"}},
)
async def get_state(
    session_id: str,
    context: Ctx,
    asked: Asked,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The state as it is stored: float32, with digits enough to put it back unchanged."""
    session = await context.sessions.state(Get(session_id, asked.caller))
    if unchanged(session, if_none_match):
        return Response(status_code=304, headers={"etag": etag(session.revision)})
    return _state_answer(session)


@router.put(
    "/state",
    response_class=Response,
    responses=gives(StateAnswer, *_PROBLEMS),
    openapi_extra=takes(StateBody, {"step": 0, "state": [0.0, 0.0]}, KEYED + CONDITIONAL),
)
async def put_state(session_id: str, request: Request, context: Ctx, asked: Asked) -> Response:
    """Replace the state and the step count that it stands for."""
    body = await asked.read_json(request, StateBody)
    session, replayed = await context.sessions.put_state(
        PutState(
            session_id,
            body.step,
            np.array(body.state, np.float32),
            body.model,
            body.version,
            read_conditions(request.headers.raw),
            asked.caller,
        )
    )
    return _state_answer(session, replayed=replayed)


def _state_answer(session: Session, *, replayed: bool = False) -> Response:
    body = to_json(
        {
            "session_id": session.session_id,
            "model": session.model,
            "version": session.version,
            "step": session.step,
            "state": session.state,
        }
    )
    response = Response(body, media_type="application/json")
    mark(response, session, replayed=replayed)
    return response


@many_router.post(
    MANY_STEPS,
    response_class=Response,
    responses=gives(ManyStepsAnswer, 400, 403, 413, 422),
    openapi_extra=takes(
        ManyStepsBody,
        {
            "items": [
                {"session_id": "station-7", "inputs": [[371.3]]},
                {"session_id": "station-8", "inputs": [[371.1]], "at": 40},
            ]
        },
        KEYED,
    ),
)
async def apply_many_steps(request: Request, context: Ctx) -> Response:
    """Apply time steps to many sessions; items succeed and fail one by one."""
    return _response(await answer_many_steps(context, "", request.scope, request.receive))


def _response(answered: Answered) -> Response:
    headers = {name.decode(): value.decode() for name, value in answered.headers}
    return Response(answered.body, headers=headers)
