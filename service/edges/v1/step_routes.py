"""/v1/sessions/{id}/steps, /rollout and /state: what moves a session."""

from functools import partial
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Header, Request, Response

from service.edges.http.body import read_json
from service.edges.http.conditions import etag, mark, read_conditions, unchanged
from service.edges.http.context import Ctx
from service.edges.http.events import stream_events, wants_events
from service.edges.http.openapi import CONDITIONAL, KEYED, gives, takes, with_events
from service.edges.v1.answers import to_json
from service.edges.v1.requests import RolloutBody, StateBody, StepsBody
from service.edges.v1.rollouts import render_parts, render_rollout, rollout_request
from service.edges.v1.schemas import RolloutAnswer, StateAnswer, StepsAnswer
from service.edges.v1.step_bodies import render_aside, session_headers
from service.stores.store import Session

router = APIRouter(prefix="/v1/sessions/{session_id}", tags=["sessions"])

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
    answered = await context.steps.answer(session_id, request.scope, request.receive)
    headers = {name.decode(): value.decode() for name, value in answered.headers}
    return Response(answered.body, headers=headers)


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
async def roll_out(session_id: str, request: Request, context: Ctx) -> Response:
    """Apply time steps, then feed the outputs back: a forecast, or text that goes on.

    With `Accept: text/event-stream` every output is sent as soon as it is computed. The session
    moves at the end, with `done`; whoever goes away before leaves it as it was.
    """
    raw, body = await read_json(request, context.settings.max_body_bytes, RolloutBody)
    conditions = read_conditions(request.headers.raw, b"rollout", raw, body.at)
    rollout, seed = rollout_request(session_id, body, conditions, context.settings.max_numbers)
    if wants_events(request.headers.getlist("accept")):
        parts = context.sessions.stream_rollout(rollout)
        return await stream_events(render_parts(parts, body, seed))
    answer = await context.sessions.rollout(rollout)
    headers = {name.decode(): value.decode() for name, value in session_headers(answer)}
    rendered = await render_aside(answer, partial(render_rollout, answer, body, seed))
    return Response(rendered, media_type="application/json", headers=headers)


@router.get(
    "/state",
    response_class=Response,
    responses=gives(StateAnswer, 404, 410, 422, 503) | {304: {"description": "Not changed"}},
)
async def get_state(
    session_id: str, context: Ctx, if_none_match: Annotated[str | None, Header()] = None
) -> Response:
    """The state as it is stored: float32, with digits enough to put it back unchanged."""
    session = await context.sessions.get(session_id)
    if unchanged(session, if_none_match):
        return Response(status_code=304, headers={"etag": etag(session.revision)})
    return _state_answer(session)


@router.put(
    "/state",
    response_class=Response,
    responses=gives(StateAnswer, *_PROBLEMS),
    openapi_extra=takes(StateBody, {"step": 0, "state": [0.0, 0.0]}, KEYED + CONDITIONAL),
)
async def put_state(session_id: str, request: Request, context: Ctx) -> Response:
    """Replace the state and the step count that it stands for."""
    raw, body = await read_json(request, context.settings.max_body_bytes, StateBody)
    conditions = read_conditions(request.headers.raw, b"state", raw)
    session, replayed = await context.sessions.replace_state(
        session_id,
        body.step,
        np.array(body.state, np.float32),
        conditions,
        model=body.model,
        version=body.version,
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
