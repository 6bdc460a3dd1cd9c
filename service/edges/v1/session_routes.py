"""/v1/sessions: the life of a session."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated

import orjson
from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import TypeAdapter

from service.edges.http.conditions import etag, mark, read_conditions, read_preconditions, unchanged
from service.edges.http.context import Asked, Ctx
from service.edges.http.openapi import CONDITIONAL, KEYED, gives, takes
from service.edges.v1.requests import ForkBody, MigrateBody, SessionBody, create_of, new_session_of
from service.edges.v1.schemas import (
    MigrationAnswer,
    ReceiptsAnswer,
    SessionAnswer,
    SessionsAnswer,
    page_answer,
)
from service.errors import InvalidInput
from service.operations.requests import Delete, Fork, Get, ListSessions, Migrate
from service.stores.store import Position, Session

router = APIRouter(prefix="/v1/sessions", tags=["sessions"])

_BEGINNING: Position = ("", "")
_POSITION: TypeAdapter[Position] = TypeAdapter(Position)


@router.post(
    "",
    status_code=201,
    responses=gives(SessionAnswer, 400, 403, 404, 409, 410, 413, 422, 503, status=201),
    openapi_extra=takes(SessionBody, {"model": "neuron"}, KEYED),
)
async def create_session(
    request: Request, response: Response, context: Ctx, asked: Asked
) -> SessionAnswer:
    """Begin a session on a model's default version, or on `version`; it stays with that one."""
    body = await asked.read_json(request, SessionBody)
    conditions = read_conditions(request.headers.raw)
    session, replayed = await context.sessions.create(create_of(body, conditions.key, asked.caller))
    return _begun(session, response, replayed=replayed)


@router.get("", responses=gives(SessionsAnswer, 422, 503))
async def list_sessions(
    context: Ctx,
    asked: Asked,
    model: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: str = "",
) -> SessionsAnswer:
    """Live sessions by model and id; follow `cursor` until it is null."""
    after = _read_cursor(cursor)
    page = await context.sessions.page(ListSessions(model, after, limit, asked.caller))
    return page_answer(page, None if page.cursor is None else _write_cursor(page.cursor))


@router.get(
    "/{session_id}",
    response_model=SessionAnswer,
    responses=gives(SessionAnswer, 404, 410, 422, 503) | {304: {"description": "Not changed"}},
)
async def get_session(
    session_id: str,
    response: Response,
    context: Ctx,
    asked: Asked,
    if_none_match: Annotated[str | None, Header()] = None,
) -> SessionAnswer | Response:
    """One session, without its state. Looking does not prolong its life."""
    session = await context.sessions.get(Get(session_id, asked.caller))
    if unchanged(session, if_none_match):
        return Response(status_code=304, headers={"etag": etag(session.revision)})
    response.headers["etag"] = etag(session.revision)
    return SessionAnswer.of(session)


@router.get("/{session_id}/receipts", responses=gives(ReceiptsAnswer, 404, 410, 422, 503))
async def get_receipts(session_id: str, context: Ctx, asked: Asked) -> ReceiptsAnswer:
    """What keyed requests left in a session: which retries it knows, and what they would get."""
    return ReceiptsAnswer.of(await context.sessions.get(Get(session_id, asked.caller)))


@router.delete(
    "/{session_id}",
    status_code=204,
    responses=gives(None, 403, 404, 410, 412, 422, 503, status=204),
    openapi_extra={"parameters": CONDITIONAL},
)
async def delete_session(session_id: str, request: Request, context: Ctx, asked: Asked) -> None:
    """End a session. No key is needed: a retry answers 410 `session_finished`."""
    conditions = read_preconditions(request.headers.raw)
    await context.sessions.delete(Delete(session_id, conditions, asked.caller))


@router.post(
    "/{session_id}/fork",
    status_code=201,
    responses=gives(SessionAnswer, 400, 403, 404, 409, 410, 412, 413, 422, 503, status=201),
    openapi_extra=takes(ForkBody, {}, KEYED + CONDITIONAL, required=False),
)
async def fork_session(
    session_id: str, request: Request, response: Response, context: Ctx, asked: Asked
) -> SessionAnswer:
    """A new session that goes on from where this one is; this one stays as it is."""
    body = await asked.read_json(request, ForkBody, in_place_of_none=b"{}")
    conditions = read_conditions(request.headers.raw)
    fork = Fork(session_id, new_session_of(body), conditions, asked.caller)
    session, replayed = await context.sessions.fork(fork)
    return _begun(session, response, replayed=replayed)


@router.post(
    "/{session_id}/migrate",
    responses=gives(MigrationAnswer, 400, 403, 404, 409, 410, 412, 413, 422, 503),
    openapi_extra=takes(MigrateBody, {}, KEYED + CONDITIONAL, required=False),
)
async def migrate_session(
    session_id: str, request: Request, response: Response, context: Ctx, asked: Asked
) -> MigrationAnswer:
    """Move a session to another version of its model, if the layers are the same."""
    body = await asked.read_json(request, MigrateBody, in_place_of_none=b"{}")
    conditions = read_conditions(request.headers.raw)
    session, replayed = await context.sessions.migrate(
        Migrate(session_id, body.version, conditions, asked.caller)
    )
    mark(response, session, replayed=replayed)
    return MigrationAnswer(
        session_id=session_id, model=session.model, version=session.version, step=session.step
    )


def _begun(session: Session, response: Response, *, replayed: bool) -> SessionAnswer:
    response.headers["location"] = f"/v1/sessions/{session.session_id}"
    mark(response, session, replayed=replayed)
    return SessionAnswer.of(session)


def _write_cursor(position: Position) -> str:
    """Opaque to callers: a place in the order of the list."""
    return urlsafe_b64encode(orjson.dumps(position)).decode().rstrip("=")


def _read_cursor(cursor: str) -> Position:
    """The position behind which to go on; of an empty cursor, the beginning.

    Raises InvalidInput for what `_write_cursor` has not written.
    """
    if not cursor:
        return _BEGINNING
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return _POSITION.validate_json(urlsafe_b64decode(padded))
    except ValueError:
        raise InvalidInput.at(
            ("cursor",), "not a cursor of this list; begin without one", "query"
        ) from None
