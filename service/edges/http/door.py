"""Every request gets an id, is counted and timed, and perhaps logged.

`Exchanges.around` is the layer that does so for an app. The hot routes tell `RouteFigures`
themselves what they have answered: a layer around them would cost them a tenth of a step.
"""

from collections.abc import Awaitable
from functools import cache
from time import perf_counter

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.edges.http.events import EVENTS
from service.edges.http.request_ids import HEADER, begin_request
from service.metrics.catalogue import HTTP_REQUESTS, HTTP_SECONDS, OPEN_STREAMS

LEFT = 499
"""The status of a request whose client has gone before its answer, as nginx logs it."""

_UNMATCHED = "unmatched"
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_EVENTS_TYPE = EVENTS.encode()
_OPEN_WEBSOCKETS = OPEN_STREAMS.labels("websocket")
_OPEN_EVENTS = OPEN_STREAMS.labels("events")

log = structlog.get_logger()


class RouteFigures:
    """The figures of one method of one route."""

    def __init__(self, method: str, route: str, *, access_log: bool) -> None:
        self._method = method
        self._route = route
        self._access_log = access_log
        self._count_of = cache(lambda status: HTTP_REQUESTS.labels(method, route, str(status)))
        self._seconds = HTTP_SECONDS.labels(method, route)

    def observe(self, status: int, seconds: float) -> None:
        """One request has been answered."""
        self._count_of(status).inc()
        self._seconds.observe(seconds)
        if self._access_log:
            log.info(
                "request",
                method=self._method,
                route=self._route,
                status=status,
                duration_seconds=round(seconds, 6),
            )


class Exchanges:
    """The figures of all routes."""

    def __init__(self, *, access_log: bool = False) -> None:
        self._access_log = access_log
        self._routes: dict[tuple[str, str], RouteFigures] = {}

    def route(self, method: str, route: str) -> RouteFigures:
        """Callers may think of any number of methods: those that nobody knows are one."""
        method = method if method in _METHODS else "other"
        figures = self._routes.get((method, route))
        if figures is None:
            figures = RouteFigures(method, route, access_log=self._access_log)
            self._routes[method, route] = figures
        return figures

    def around(self, app: ASGIApp) -> ASGIApp:
        """The app, whose requests are observed."""

        async def observed(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await self._answer(app, scope, receive, send)
            elif scope["type"] == "websocket":
                await self._converse(app, scope, receive, send)
            else:
                await app(scope, receive, send)

        return observed

    async def _answer(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        request_id = begin_request(scope)
        status, streams = LEFT, False

        def send_on(message: Message) -> Awaitable[None]:
            nonlocal status, streams
            if message["type"] == "http.response.start":
                status = message["status"]
                if _is_stream(message) and not streams:
                    streams = True
                    _OPEN_EVENTS.inc()
                message["headers"] = [*message["headers"], (HEADER, request_id)]
            return send(message)

        try:
            await app(scope, receive, send_on)
        finally:
            if streams:
                _OPEN_EVENTS.dec()
            figures = self.route(scope["method"], _template(scope))
            figures.observe(status, perf_counter() - began)

    async def _converse(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Messages of a WebSocket are not looked at: they are steps, and counted as such."""
        began = perf_counter()
        begin_request(scope)
        _OPEN_WEBSOCKETS.inc()
        try:
            await app(scope, receive, send)
        finally:
            _OPEN_WEBSOCKETS.dec()
            if self._access_log:
                seconds = round(perf_counter() - began, 6)
                log.info("websocket", route=_template(scope), duration_seconds=seconds)


def _is_stream(message: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(_EVENTS_TYPE)
        for name, value in message["headers"]
    )


def _template(scope: Scope) -> str:
    """The route's path with its parameters' names, never the path that was asked for."""
    return str(getattr(scope.get("route"), "path", _UNMATCHED))
