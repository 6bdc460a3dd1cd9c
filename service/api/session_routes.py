"""/v1/sessions: the life of a session."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import numpy as np
import structlog
from fastapi import APIRouter, Header, Query, Request, Response

from service.api.body import read_json
from service.api.conditions import (
    etag,
    mark,
    read_conditions,
    read_preconditions,
    unchanged,
)
from service.api.context import Ctx
from service.api.cursors import read_cursor, write_cursor
from service.api.openapi import CONDITIONAL, KEYED, gives, takes
from service.api.requests import ForkBody, MigrateBody, SessionBody, metadata_bytes
from service.api.schemas import MigrationAnswer, SessionAnswer, SessionsAnswer
from service.errors import StoreError
from service.sessions.births import NewSession
from service.stores.store import Session

router = APIRouter(prefix="/v1/sessions", tags=["sessions"])
log = structlog.get_logger()


@router.post(
    "",
    status_code=201,
    responses=gives(SessionAnswer, 400, 403, 404, 409, 410, 413, 422, 503, status=201),
    openapi_extra=takes(SessionBody, {"model": "co2"}, KEYED),
)
async def create_session(request: Request, response: Response, context: Ctx) -> SessionAnswer:
    """Begin a session on the latest version of a model; it stays with that version."""
    raw, body = await read_json(request, context.settings.max_body_bytes, SessionBody)
    conditions = read_conditions(request.headers.raw, b"create", raw)
    session, replayed = await context.sessions.create(
        body.model,
        _new(body),
        state=None if body.state is None else np.array(body.state, np.float32),
        key=conditions.key,
    )
    return _begun(session, response, replayed=replayed)


@router.get("", responses=gives(SessionsAnswer, 422, 503))
async def list_sessions(
    context: Ctx,
    model: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: str = "",
) -> SessionsAnswer:
    """Live sessions by model and id; follow `cursor` until it is null."""
    after = read_cursor(cursor)
    page = await context.sessions.page(model=model, after=after, limit=limit)
    return SessionsAnswer(
        sessions=list(_listed(page.sessions)),
        cursor=None if page.cursor is None else write_cursor(page.cursor),
    )


@router.get(
    "/{session_id}",
    response_model=SessionAnswer,
    responses=gives(SessionAnswer, 404, 410, 422, 503) | {304: {"description": "Not changed"}},
)
async def get_session(
    session_id: str,
    response: Response,
    context: Ctx,
    if_none_match: Annotated[str | None, Header()] = None,
) -> SessionAnswer | Response:
    """One session, without its state. Looking does not prolong its life."""
    session = await context.sessions.get(session_id)
    if unchanged(session, if_none_match):
        return Response(status_code=304, headers={"etag": etag(session.revision)})
    response.headers["etag"] = etag(session.revision)
    return SessionAnswer.of(session)


@router.delete(
    "/{session_id}",
    status_code=204,
    responses=gives(None, 403, 404, 410, 412, 422, 503, status=204),
    openapi_extra={"parameters": CONDITIONAL},
)
async def delete_session(session_id: str, request: Request, context: Ctx) -> None:
    """End a session. No key is needed: a retry that finds it gone answers 404."""
    await context.sessions.delete(session_id, read_preconditions(request.headers.raw))


@router.post(
    "/{session_id}/fork",
    status_code=201,
    responses=gives(SessionAnswer, 400, 403, 404, 409, 410, 412, 413, 422, 503, status=201),
    openapi_extra=takes(ForkBody, {}, KEYED + CONDITIONAL, required=False),
)
async def fork_session(
    session_id: str, request: Request, response: Response, context: Ctx
) -> SessionAnswer:
    """A new session that goes on from where this one is; this one stays as it is."""
    raw, body = await read_json(
        request, context.settings.max_body_bytes, ForkBody, in_place_of_none=b"{}"
    )
    # The key's receipt is the new session's: it must say from which one that was made.
    made_of = session_id.encode() + b"\0" + raw
    conditions = read_conditions(request.headers.raw, b"fork", made_of)
    session, replayed = await context.sessions.fork(session_id, _new(body), conditions)
    return _begun(session, response, replayed=replayed)


@router.post(
    "/{session_id}/migrate",
    responses=gives(MigrationAnswer, 400, 403, 404, 409, 410, 412, 413, 422, 503),
    openapi_extra=takes(MigrateBody, {}, KEYED + CONDITIONAL, required=False),
)
async def migrate_session(
    session_id: str, request: Request, response: Response, context: Ctx
) -> MigrationAnswer:
    """Move a session to another version of its model, if the layers are the same."""
    raw, body = await read_json(
        request, context.settings.max_body_bytes, MigrateBody, in_place_of_none=b"{}"
    )
    conditions = read_conditions(request.headers.raw, b"migrate", raw)
    session, replayed = await context.sessions.migrate(session_id, body.version, conditions)
    mark(response, session, replayed=replayed)
    return MigrationAnswer(
        session_id=session_id, model=session.model, version=session.version, step=session.step
    )


def _listed(sessions: Sequence[Session]) -> Iterator[SessionAnswer]:
    """A damaged one is left out: whoever asks for it by its id is told."""
    for session in sessions:
        try:
            yield SessionAnswer.of(session)
        except StoreError as error:
            log.warning("session_not_listed", session_id=session.session_id, detail=str(error))


def _new(body: SessionBody | ForkBody) -> NewSession:
    metadata = None if body.metadata is None else metadata_bytes(body.metadata)
    return NewSession(body.session_id, body.ttl_seconds, metadata)


def _begun(session: Session, response: Response, *, replayed: bool) -> SessionAnswer:
    response.headers["location"] = f"/v1/sessions/{session.session_id}"
    mark(response, session, replayed=replayed)
    return SessionAnswer.of(session)
