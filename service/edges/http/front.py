"""The service as an ASGI application: through the door, and then to whoever answers.

A request through FastAPI's own machinery costs several times what a step does. So the routes that
are asked most are answered here, as plain ASGI; FastAPI, which describes them, gets all others.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.edges.http.departures import ClientLeft
from service.edges.http.door import LEFT, Door, Exchange
from service.edges.http.events import EVENTS
from service.edges.http.problems import answer_error
from service.edges.http.request_ids import HEADER
from service.errors import GatewiseError
from service.metrics.catalogue import OPEN_STREAMS

_UNMATCHED = "unmatched"
_EVENTS_TYPE = EVENTS.encode()
_OPEN_WEBSOCKETS = OPEN_STREAMS.labels("websocket")
_OPEN_EVENTS = OPEN_STREAMS.labels("events")


@dataclass(frozen=True, slots=True)
class Answered:
    """The body and the headers of an answer with the status 200."""

    body: bytes
    headers: list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class DirectRoute:
    """A POST that is answered without FastAPI.

    `template` has one parameter in braces or none; `answer` gets its value, "" for none.
    """

    template: str
    answer: Callable[[str, Scope, Receive], Awaitable[Answered]]

    def match(self, path: str) -> str | None:
        """The parameter where the path is one of this route's."""
        prefix, brace, rest = self.template.partition("{")
        if not brace:
            return "" if path == prefix else None
        suffix = rest.partition("}")[2]
        if not (path.startswith(prefix) and path.endswith(suffix)):
            return None
        value = path[len(prefix) : len(path) - len(suffix)]
        return value if value and "/" not in value else None


class Front:
    """Takes every scope that the server has."""

    def __init__(self, door: Door, app: ASGIApp, routes: Sequence[DirectRoute]) -> None:
        self._door = door
        self._app = app
        self._routes = [(route, door.figures("POST", route.template)) for route in routes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._converse(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = self._door.enter(scope)
        if exchange.refusal is not None:
            status = LEFT
            try:
                status = await _send(exchange, _refused(exchange.refusal), send)
            finally:
                exchange.leave(self._door.figures(scope["method"], _UNMATCHED), status)
            return
        if scope["method"] == "POST":
            path: str = scope["path"]
            for route, figures in self._routes:
                value = route.match(path)
                if value is not None:
                    status = LEFT
                    try:
                        answering = route.answer(value, scope, receive)
                        status = await _send(exchange, answering, send)
                    finally:
                        exchange.leave(figures, status)
                    return
        await self._answer_by_app(exchange, scope, receive, send)

    async def _answer_by_app(
        self, exchange: Exchange, scope: Scope, receive: Receive, send: Send
    ) -> None:
        status, streams = LEFT, False

        def send_on(message: Message) -> Awaitable[None]:
            nonlocal status, streams
            if message["type"] == "http.response.start":
                status = message["status"]
                if _is_stream(message) and not streams:
                    streams = True
                    _OPEN_EVENTS.inc()
                message["headers"] = [*message["headers"], (HEADER, exchange.request_id)]
            return send(message)

        try:
            await self._app(scope, receive, send_on)
        finally:
            if streams:
                _OPEN_EVENTS.dec()
            exchange.leave(self._door.figures(scope["method"], _template(scope)), status)

    async def _converse(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = self._door.enter(scope)
        _OPEN_WEBSOCKETS.inc()
        try:
            if exchange.refusal is None:
                await self._app(scope, receive, send)
            else:
                await receive()
                await send({"type": "websocket.close"})
        finally:
            _OPEN_WEBSOCKETS.dec()
            exchange.leave_socket(_template(scope))


async def _refused(refusal: GatewiseError) -> Answered:
    raise refusal


async def _send(exchange: Exchange, answering: Awaitable[Answered], send: Send) -> int:
    """Send what is awaited, or the problem that it raises; the status."""
    try:
        answered = await answering
        status, body, headers = 200, answered.body, answered.headers
    except ClientLeft:
        return LEFT
    except Exception as error:  # every error is answered; none may reach the server
        problem = answer_error(error)
        status, body = problem.status, problem.body
        headers = [(k.encode(), v.encode()) for k, v in problem.headers.items()]
    length = (b"content-length", str(len(body)).encode())
    headers = [*headers, length, (HEADER, exchange.request_id)]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return status


def _is_stream(message: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(_EVENTS_TYPE)
        for name, value in message["headers"]
    )


def _template(scope: Scope) -> str:
    """The route's path with its parameters' names, never the path that was asked for."""
    return str(getattr(scope.get("route"), "path", _UNMATCHED))
