"""The service as an ASGI application: through the door, and then to whoever answers.

A request through FastAPI's own machinery costs several times what a step does. So the routes that
are asked most are answered here, as plain ASGI; FastAPI, which describes them, gets all others.
"""

from collections.abc import Awaitable, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.edges.http.departures import ClientLeft
from service.edges.http.direct import Answered, DirectRoute, answered_problem
from service.edges.http.door import EXCHANGE, LEFT, UNMATCHED, Door, Exchange
from service.edges.http.events import EVENTS
from service.edges.http.request_ids import HEADER, LinesOf
from service.errors import GatewiseError
from service.metrics.catalogue import OPEN_STREAMS

_EVENTS_TYPE = EVENTS.encode()
_OPEN_WEBSOCKETS = OPEN_STREAMS.labels("websocket")
_OPEN_EVENTS = OPEN_STREAMS.labels("events")


class Front:
    """Takes every scope that the server has."""

    def __init__(self, door: Door, app: ASGIApp, routes: Sequence[DirectRoute]) -> None:
        self.door = door
        self.routes = [(route, door.figures("POST", route.template)) for route in routes]
        """The routes that are answered without FastAPI, with their figures."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        exchange = scope[EXCHANGE] = self.door.enter(scope.get("method"), scope["headers"])
        with LinesOf(exchange.request_id):
            if scope["type"] == "http":
                await self._answer(exchange, scope, receive, send)
            else:
                await self._converse(exchange, scope, receive, send)

    async def _answer(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        if exchange.refusal is not None:
            status = LEFT
            try:
                status = await _send(exchange, _refused(exchange.refusal), send)
            finally:
                exchange.leave(self.door.figures(scope["method"], UNMATCHED), status)
            return
        if scope["method"] == "POST":
            path: str = scope["path"]
            for route, figures in self.routes:
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
            exchange.leave(self.door.figures(scope["method"], _template(scope)), status)

    async def _converse(
        self, exchange: Exchange, scope: Scope, receive: Receive, send: Send
    ) -> None:
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
    except ClientLeft:
        return LEFT
    except Exception as error:  # every error is answered; none may reach the server
        answered = answered_problem(error)
    headers = answered.all_headers(exchange)
    await send({"type": "http.response.start", "status": answered.status, "headers": headers})
    await send({"type": "http.response.body", "body": answered.body})
    return answered.status


def _is_stream(message: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(_EVENTS_TYPE)
        for name, value in message["headers"]
    )


def _template(scope: Scope) -> str:
    """The route's path with its parameters' names, never the path that was asked for."""
    return str(getattr(scope.get("route"), "path", UNMATCHED))
