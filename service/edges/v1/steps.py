"""POST /v1/sessions/{session_id}/steps: the hot route.

A request through FastAPI's own machinery costs several times what the step itself does, so
`StepsShortcut` stands in front of the app and answers this one route as plain ASGI. The route is
also registered with FastAPI, which describes it in OpenAPI and takes what the shortcut leaves.
Both end in `StepsEndpoint.answer`.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

from numpy.typing import NDArray
from starlette.types import ASGIApp, Receive, Scope, Send

from service.bundle.manifest import Manifest
from service.edges.http.body import parse_aside, read_body
from service.edges.http.conditions import read_conditions
from service.edges.http.door import LEFT, Exchanges, RouteFigures
from service.edges.http.long_numbers import long_json
from service.edges.http.origins import check_origin
from service.edges.http.problems import answer_error
from service.edges.http.request_ids import HEADER, begin_request
from service.edges.v1.answers import check_size, render_outputs, to_json
from service.edges.v1.gates import render_gates
from service.edges.v1.requests import StepsBody
from service.edges.v1.step_bodies import decode_source, describe, render_aside, session_headers
from service.sessions.answers import Answer
from service.sessions.conditions import Conditions
from service.sessions.sessions import Sessions
from service.sessions.stepping import StepRequest

_PREFIX = "/v1/sessions/"
_SUFFIX = "/steps"
_TEMPLATE = f"{_PREFIX}{{session_id}}{_SUFFIX}"
JSON = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class Answered:
    """The body and the headers of an answer to steps."""

    body: bytes
    headers: list[tuple[bytes, bytes]]


class StepsEndpoint:
    """Steps of one session: from the bytes of a request to the bytes of its answer."""

    def __init__(self, sessions: Sessions, max_body_bytes: int, max_numbers: int) -> None:
        self._sessions = sessions
        self._max_body_bytes = max_body_bytes
        self._max_numbers = max_numbers

    async def answer(self, session_id: str, scope: Scope, receive: Receive) -> Answered:
        """Raises what `Sessions.step` raises, ForeignOrigin, BodyTooLarge, InvalidInput."""
        check_origin(scope)
        raw = await read_body(scope, receive, self._max_body_bytes)
        body = await parse_aside(raw, StepsBody)
        conditions = read_conditions(scope["headers"], b"steps", raw, body.at)
        request = steps_request(session_id, body, conditions, self._max_numbers)
        answer = await self._sessions.step(request)
        return Answered(await _rendered(answer, body), [JSON, *session_headers(answer)])


def steps_request(
    session_id: str, body: StepsBody, conditions: Conditions, max_numbers: int
) -> StepRequest:
    """The steps of a body, whose inputs are looked at when the session's model is known."""

    decode = partial(_decode, body, max_numbers)
    return StepRequest(session_id, decode, body.gates is not None, conditions)


def _decode(body: StepsBody, max_numbers: int, manifest: Manifest) -> NDArray[Any]:
    inputs = decode_source(body, manifest)
    check_size(len(inputs), manifest, body.gates, max_numbers)
    return inputs


async def _rendered(answer: Answer, body: StepsBody) -> bytes:
    if len(answer.result.outputs) == 1:
        return to_json(render_steps(answer, body))
    return await render_aside(answer, lambda: long_json(render_steps(answer, body)))


def render_steps(answer: Answer, body: StepsBody) -> dict[str, Any]:
    """The fields of an answer to steps, ready for `to_json`."""
    manifest, result = answer.manifest, answer.result
    rendered = describe(answer) | render_outputs(result.outputs, manifest)
    if body.gates is not None and result.gates is not None:
        rendered["gates"] = render_gates(result.gates, body.gates, manifest.layers)
    return rendered


class StepsShortcut:
    """Answers the hot route itself and passes everything else on to the app."""

    def __init__(self, app: ASGIApp, endpoint: StepsEndpoint, exchanges: Exchanges) -> None:
        self._app = app
        self._endpoint = endpoint
        self._figures = exchanges.route("POST", _TEMPLATE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        session_id = _session_of(scope)
        if session_id is None:
            await self._app(scope, receive, send)
            return
        answering = self._endpoint.answer(session_id, scope, receive)
        await send_answer(answering, scope, send, self._figures)


async def send_answer(
    answering: Awaitable[Answered], scope: Scope, send: Send, figures: RouteFigures
) -> None:
    """Send what is awaited, or the problem that it raises."""
    began = perf_counter()
    request_id = begin_request(scope)
    status = LEFT
    try:
        try:
            answered = await answering
            status, body, headers = 200, answered.body, answered.headers
        except Exception as error:  # every error is answered; none may reach the server
            problem = answer_error(error)
            status, body = problem.status, problem.body
            headers = [(k.encode(), v.encode()) for k, v in problem.headers.items()]
        length = (b"content-length", str(len(body)).encode())
        headers = [*headers, length, (HEADER, request_id)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
    finally:
        figures.observe(status, perf_counter() - began)


def _session_of(scope: Scope) -> str | None:
    """The session's id where the request is one for the hot route."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    path: str = scope["path"]
    if not (path.startswith(_PREFIX) and path.endswith(_SUFFIX)):
        return None
    session_id = path[len(_PREFIX) : -len(_SUFFIX)]
    return session_id if session_id and "/" not in session_id else None
