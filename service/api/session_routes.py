"""/v1/sessions: the life of a session."""

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request, Response

from service.api.answers import to_json
from service.api.body import parse_body, read_body
from service.api.context import Ctx
from service.api.openapi import gives, takes
from service.api.schemas import (
    SessionAnswer,
    SessionBody,
    SessionsAnswer,
    StateAnswer,
    StateBody,
    StepsAnswer,
    StepsBody,
)
from service.stores.store import Session

router = APIRouter(prefix="/v1/sessions", tags=["sessions"])


@router.post(
    "",
    status_code=201,
    responses=gives(SessionAnswer, 400, 404, 409, 413, 422, 503, status=201),
    openapi_extra=takes(SessionBody, {"model": "co2"}),
)
async def create_session(request: Request, response: Response, context: Ctx) -> SessionAnswer:
    """Begin a session on the latest version of a model; it stays with that version."""
    limit = context.settings.max_body_bytes
    body = parse_body(await read_body(request.scope, request.receive, limit), SessionBody)
    session = await context.sessions.create(
        body.model,
        session_id=body.session_id,
        ttl_seconds=body.ttl_seconds,
        state=None if body.state is None else np.array(body.state, np.float32),
    )
    response.headers["location"] = f"/v1/sessions/{session.session_id}"
    return SessionAnswer.of(session)


@router.get("", responses=gives(SessionsAnswer, 422, 503))
async def list_sessions(
    context: Ctx,
    model: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: str = "",
) -> SessionsAnswer:
    """Live sessions in order of their ids; follow `cursor` until it is null."""
    page = await context.sessions.page(model=model, cursor=cursor, limit=limit)
    return SessionsAnswer(
        sessions=[SessionAnswer.of(session) for session in page.sessions], cursor=page.cursor
    )


@router.get("/{session_id}", responses=gives(SessionAnswer, 404, 410, 503))
async def get_session(session_id: str, context: Ctx) -> SessionAnswer:
    """One session, without its state. Looking does not prolong its life."""
    return SessionAnswer.of(await context.sessions.get(session_id))


@router.delete("/{session_id}", status_code=204, responses=gives(None, 404, 503, status=204))
async def delete_session(session_id: str, context: Ctx) -> None:
    """End a session."""
    await context.sessions.delete(session_id)


@router.get(
    "/{session_id}/state",
    response_class=Response,
    responses=gives(StateAnswer, 404, 410, 503),
)
async def get_state(session_id: str, context: Ctx) -> Response:
    """The state as it is stored: float32, with digits enough to put it back unchanged."""
    return _state_answer(await context.sessions.get(session_id))


@router.put(
    "/{session_id}/state",
    response_class=Response,
    responses=gives(StateAnswer, 400, 404, 409, 410, 413, 422, 503),
    openapi_extra=takes(StateBody, {"step": 0, "state": [0.0, 0.0]}),
)
async def put_state(session_id: str, request: Request, context: Ctx) -> Response:
    """Replace the state and the step count that it stands for."""
    limit = context.settings.max_body_bytes
    body = parse_body(await read_body(request.scope, request.receive, limit), StateBody)
    state = np.array(body.state, np.float32)
    return _state_answer(await context.sessions.replace_state(session_id, body.step, state))


@router.post(
    "/{session_id}/steps",
    response_class=Response,
    responses=gives(StepsAnswer, 400, 404, 409, 410, 413, 422, 503),
    openapi_extra=takes(StepsBody, {"inputs": [[371.3]], "gates": {"steps": "last"}}),
)
async def apply_steps(session_id: str, request: Request, context: Ctx) -> Response:
    """Apply one or more time steps: all of them, or none on any error."""
    answer = await context.steps.answer(session_id, request.scope, request.receive)
    return Response(answer, media_type="application/json")


def _state_answer(session: Session) -> Response:
    body = to_json(
        {
            "session_id": session.session_id,
            "model": session.model,
            "version": session.version,
            "step": session.step,
            "state": session.state,
        }
    )
    return Response(body, media_type="application/json")
