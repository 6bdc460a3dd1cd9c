"""WS /v1/stream: the handshake, and the goodbye when the service stops."""

import asyncio

from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope, Send

from service.edges.http.door import exchange_of
from service.edges.http.openapi import Socket
from service.edges.v1.stream.connection import Connection
from service.edges.v1.stream.messages import MESSAGES
from service.edges.v1.stream.requests import Requests
from service.operations.limits import Limits
from service.repository.models import Models
from service.sessions.sessions import Sessions

PATH = "/v1/stream"
SOCKET = Socket(
    PATH,
    "Stream",
    "One WebSocket for many sessions. A text frame is one JSON message; its `id` comes back with "
    "the answer, and a text as `id` is its idempotency key.\n\nWhat belongs to one session is "
    "answered in the order in which it was sent; a refusal is a message of type `error` with the "
    "`problem` that HTTP would have answered.\n\nBinary frames carry steps of many sessions at "
    "once; docs/streaming.md has their layout.",
    MESSAGES,
)


class StreamEndpoint:
    """Plain ASGI: a framework's WebSocket object would cost as much as a step."""

    def __init__(self, sessions: Sessions, models: Models, limits: Limits) -> None:
        self._sessions = sessions
        self._models = models
        self._max_numbers = limits.max_numbers
        self._connections: set[Connection] = set()

    @property
    def route(self) -> WebSocketRoute:
        return WebSocketRoute(PATH, self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        connection = Connection(self._sessions, send, self._max_numbers)
        caller = exchange_of(scope).caller
        requests = Requests(connection, self._sessions, self._models, caller)
        self._connections.add(connection)
        try:
            await connection.run(receive, requests.take)
        finally:
            self._connections.discard(connection)

    async def finish(self) -> None:
        """Answer what is under way on every socket and close it, so that clients reconnect."""
        ends = []
        for connection in self._connections:
            connection.stop()
            ends.append(connection.closed.wait())
        await asyncio.gather(*ends)
