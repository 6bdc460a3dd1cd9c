"""Everything that comes passes one door, in and out.

An exchange is one request over HTTP, or one WebSocket. `Door.enter` begins it: gives it an id,
finds its caller, refuses what a page of another site sends. `Exchange.leave` ends it: counts it,
times it and perhaps logs it. Whoever reads from the wire calls both: the ASGI front, and the
protocol that answers the hottest route without ASGI.
"""

import asyncio
from functools import cache
from time import perf_counter
from typing import TypeVar

import structlog
from starlette.requests import Request
from starlette.types import Receive, Scope

from service.edges.http.body import Body, parse_aside, read_body
from service.edges.http.conditions import Headers
from service.edges.http.departures import Departures
from service.edges.http.origins import check_origin
from service.edges.http.request_ids import HEADER, LinesOf, request_id_for
from service.errors import GatewiseError
from service.metrics.catalogue import HTTP_REQUESTS, HTTP_SECONDS
from service.operations.caller import ANYBODY, Caller

LEFT = 499
"""The status of a request whose client has gone before its answer, as nginx logs it."""

UNMATCHED = "unmatched"
"""The route of a request that is of none."""

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
EXCHANGE = "gatewise.exchange"
"""Where a scope has its exchange."""

Result = TypeVar("Result")

log = structlog.get_logger()


class RouteFigures:
    """The figures of one method of one route."""

    def __init__(self, method: str, route: str) -> None:
        self.method = method
        self.route = route
        self._count_of = cache(lambda status: HTTP_REQUESTS.labels(method, route, str(status)))
        self._seconds = HTTP_SECONDS.labels(method, route)

    def observe(self, status: int, seconds: float) -> None:
        """One request has been answered."""
        self._count_of(status).inc()
        self._seconds.observe(seconds)


class Exchange:
    """One request or one WebSocket on its way through the service."""

    __slots__ = ("_began", "_door", "caller", "headers", "refusal", "request_id")

    def __init__(
        self,
        door: "Door",
        headers: Headers,
        request_id: bytes,
        caller: Caller,
        refusal: GatewiseError | None,
    ) -> None:
        self._door = door
        self._began = perf_counter()
        self.headers = headers
        """With their names in lower case."""
        self.request_id = request_id
        self.caller = caller
        self.refusal = refusal
        """Why it may not come in; None where it may."""

    async def read_body(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body. Raises BodyTooLarge, MalformedBody."""
        return await read_body(scope, receive, self._door.max_body_bytes)

    async def read_json(
        self, request: Request, model: type[Body], *, in_place_of_none: bytes = b""
    ) -> Body:
        """The body as a record. Raises InvalidInput besides."""
        raw = await self.read_body(request.scope, request.receive)
        return await parse_aside(raw or in_place_of_none, model)

    async def wait(self, future: "asyncio.Future[Result]", receive: Receive) -> Result:
        """What a future gives, which is cancelled where the client leaves. Raises ClientLeft."""
        return await self._door.departures.wait(future, receive)

    def leave(self, figures: RouteFigures, status: int) -> None:
        """A request has been answered, or its client has left."""
        seconds = perf_counter() - self._began
        figures.observe(status, seconds)
        if self._door.access_log:
            with LinesOf(self.request_id):
                log.info(
                    "request",
                    method=figures.method,
                    route=figures.route,
                    status=status,
                    duration_seconds=round(seconds, 6),
                )

    def leave_socket(self, route: str) -> None:
        """A WebSocket is closed. Its messages are steps, and counted as such."""
        if self._door.access_log:
            seconds = round(perf_counter() - self._began, 6)
            log.info("websocket", route=route, duration_seconds=seconds)


class Door:
    """Where exchanges of every kind begin and end."""

    def __init__(self, max_body_bytes: int, *, access_log: bool = False) -> None:
        self.max_body_bytes = max_body_bytes
        self.access_log = access_log
        self.departures = Departures()
        self._figures: dict[tuple[str, str], RouteFigures] = {}

    def enter(self, method: str | None, headers: Headers) -> Exchange:
        """Begin an exchange: a request with its method, or a WebSocket, which has none."""
        given: bytes | None = None
        refusal: GatewiseError | None = None
        for name, value in headers:
            if name == HEADER and given is None:
                given = value
            elif name == b"origin" and refusal is None:
                refusal = _refusal(method, headers)
        return Exchange(self, headers, request_id_for(given), ANYBODY, refusal)

    def figures(self, method: str, route: str) -> RouteFigures:
        """Callers may think of any number of methods: those that nobody knows are one."""
        method = method if method in _METHODS else "other"
        found = self._figures.get((method, route))
        if found is None:
            found = self._figures[method, route] = RouteFigures(method, route)
        return found


def exchange_of(scope: Scope) -> Exchange:
    """The exchange that a scope belongs to."""
    exchange: Exchange = scope[EXCHANGE]
    return exchange


def _refusal(method: str | None, headers: Headers) -> GatewiseError | None:
    try:
        check_origin(method, headers)
    except GatewiseError as error:
        return error
    return None
