"""The hottest routes, from a connection's bytes to bytes, without ASGI.

uvicorn parses, and keeps its connections. A plain, short request to a route that can start one is
answered from the parser's callbacks: no task, no scope, no future, and one write. Every other
request goes uvicorn's own way to the same application. On a connection both kinds take turns.
"""

import asyncio
import math
from collections.abc import Sized
from typing import Any, cast

from uvicorn._types import ASGI3Application, HTTPScope
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from service.edges.http.body import LONG_BODY_BYTES
from service.edges.http.conditions import Headers
from service.edges.http.direct import Answered, Start, answered_problem
from service.edges.http.door import LEFT, UNMATCHED, Exchange, RouteFigures
from service.edges.http.front import Front
from service.edges.http.request_ids import LinesOf


class DirectRequest(RequestResponseCycle):
    """A request that is answered without ASGI, and the reply that its answer comes to.

    To uvicorn it is a cycle, of which it has what a protocol looks at, and one of its tasks.
    """

    __slots__ = (
        *("_figures", "_protocol", "_start", "_value", "content", "disconnected", "exchange"),
        *("has_arrived", "headers", "keep_alive", "response_complete", "url"),
    )
    message_event = asyncio.Event()  # nobody waits for it

    def __init__(
        self, protocol: "DirectProtocol", start: Start, value: str, figures: RouteFigures
    ) -> None:
        self.url = protocol.url
        self.headers = protocol.headers
        self.content = b""
        self.keep_alive = protocol.parser.should_keep_alive()
        self.disconnected = False
        self.response_complete = False
        self.exchange: Exchange | None = None
        """Since its turn has come."""
        self._protocol = protocol
        self._start = start
        self._value = value
        self._figures = figures
        self.has_arrived = False

    def arrive(self) -> None:
        """Its body is there; its turn perhaps not yet."""
        self.has_arrived = True
        exchange = self.exchange
        if exchange is None:
            return
        if exchange.refusal is not None:
            self._figures = self._protocol.front.door.figures("POST", UNMATCHED)
            self.set_exception(exchange.refusal)
            return
        try:
            begun = self._start(self._value, exchange, self.content, self)
        except Exception as error:  # every error is answered; none may reach the parser
            self.set_exception(error)
        else:
            if not begun:
                self._protocol.pass_on(self)

    def cancelled(self) -> bool:
        """Whether its client has gone."""
        return self.disconnected

    def set_result(self, answered: Answered) -> None:
        """Answer it."""
        if self.exchange is None or self.disconnected:
            return
        self.response_complete = True
        self._protocol.write(self, answered, self.exchange)
        self.exchange.leave(self._figures, answered.status)
        self._protocol.on_response_complete()

    def set_exception(self, error: Exception) -> None:
        """Answer it with the problem that an error is."""
        if self.exchange is not None:
            with LinesOf(self.exchange.request_id):
                answered = answered_problem(error)
            self.set_result(answered)

    def cancel(self, **_: str) -> None:
        """The server waits no longer: the connection is lost, and the request with it."""
        self._protocol.transport.abort()

    def lose(self) -> None:
        """Its client has gone."""
        self.disconnected = True
        if self.exchange is not None:
            self.exchange.leave(self._figures, LEFT)


class _Flow(FlowControl):
    """Reads nothing more while requests wait for their turn, whoever asks."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if self.read_paused and not self._waiting and not self._transport.is_closing():
            super().resume_reading()


class DirectProtocol(HttpToolsProtocol):
    """A connection. The application of its server is a Front, whose door and routes it shares."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.front = cast(Front, config.app)
        self._max_bytes = min(LONG_BODY_BYTES, self.front.door.max_body_bytes)
        # Neither setting is in use here; uvicorn knows what to do.
        has_rules = self.root_path or self.limit_concurrency is not None
        self._routes = [] if has_rules else self.front.routes
        self._under_way: set[Any] = server_state.tasks
        """Which a server that stops waits for, and cancels when its patience ends."""
        self._turn: RequestResponseCycle | None = None
        """Whose answer is due; those in `pipeline` come later."""
        self._gives_turns = False
        self._idle_since = math.inf
        self._default_headers: Headers = ()
        self._default_head = b""
        self._closes = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connected = cast(asyncio.Transport, transport)
        super().connection_made(connected)
        self.flow = _Flow(connected, self.pipeline)

    # What the parser tells.

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        if self.transport.is_closing():
            return  # an answer before this one was the last
        request = self._direct_request()
        if request is None:
            self.scope = self._new_scope(self.headers)
            super().on_headers_complete()
            return
        latest, self.cycle = self.cycle, request
        if (latest is None or latest.response_complete) and not self.flow.write_paused:
            self._begin(request)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((request, self.app))

    def on_body(self, body: bytes) -> None:
        cycle = self.cycle
        if isinstance(cycle, DirectRequest):
            cycle.content += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        cycle = self.cycle
        if not isinstance(cycle, DirectRequest):
            super().on_message_complete()
        elif not cycle.response_complete:
            cycle.arrive()

    def _direct_request(self) -> DirectRequest | None:
        """The request that has just come, where it is plain and its body short."""
        for route, figures in self._routes:
            matched = route.plain_url.fullmatch(self.url)
            if matched is not None and route.start is not None and self._is_plain():
                value = matched[1].decode("ascii")
                return DirectRequest(self, route.start, value, figures)
        return None

    def _is_plain(self) -> bool:
        parser = self.parser
        return (
            parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and not self.expect_100_continue
            and not parser.should_upgrade()
            and 0 <= _length_of_body(self.headers) <= self._max_bytes
        )

    # Turns on the connection.

    def _give_turns(self) -> None:
        """Begin what waits, one after the other, as long as the client reads its answers."""
        if self._gives_turns:
            return
        # Some are answered at once: in a loop, for a client may have sent very many.
        self._gives_turns = True
        while self.pipeline and self._turn is None and self._may_begin():
            self._start_asgi_task(*self.pipeline.pop())
        self._gives_turns = False
        self.flow.resume_reading()

    def _may_begin(self) -> bool:
        return not (self.flow.write_paused or self.transport.is_closing())

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._turn = cycle
        if isinstance(cycle, DirectRequest):
            self._begin(cycle)
        else:
            super()._start_asgi_task(cycle, app)

    def _begin(self, request: DirectRequest) -> None:
        self._turn = request
        self._under_way.add(request)
        request.exchange = self.front.door.enter("POST", request.headers)
        if request.has_arrived:
            request.arrive()

    def pass_on(self, request: DirectRequest) -> None:
        """Let a request whose turn it is go uvicorn's own way."""
        path = request.url.decode("ascii")
        scope = self._new_scope(request.headers)
        scope |= {"method": "POST", "path": path, "raw_path": request.url, "query_string": b""}
        cycle = RequestResponseCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=request.keep_alive,
            on_response=self.on_response_complete,
        )
        cycle.body += request.content
        cycle.more_body = False
        cycle.message_event.set()
        if self.cycle is request:
            self.cycle = cycle
        self._under_way.discard(request)
        self._start_asgi_task(cycle, self.app)

    def _new_scope(self, headers: list[tuple[bytes, bytes]]) -> HTTPScope:
        """What uvicorn's `on_message_begin` makes for every request."""
        scope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": self.root_path,
            "headers": headers,
            "state": self.app_state.copy(),
        }
        return cast(HTTPScope, scope)

    def write(self, request: DirectRequest, answered: Answered, exchange: Exchange) -> None:
        """Send the answer of the request whose turn it is, in one piece."""
        if self.transport.is_closing():
            return
        defaults = self.server_state.default_headers
        if defaults is not self._default_headers:  # every second, and when the server is to stop
            self._default_headers = defaults
            self._default_head = b"".join([b"%b: %b\r\n" % header for header in defaults])
            self._closes = (b"connection", b"close") in defaults
        close = b"" if request.keep_alive or self._closes else b"connection: close\r\n"
        status, rest = STATUS_LINE[answered.status], answered.as_sent(exchange, close)
        self.transport.write(status + self._default_head + rest)
        if close or self._closes:
            self.transport.close()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        self._under_way.discard(self._turn)
        self._turn = None
        if self.pipeline:
            self._give_turns()
        else:
            self._rest()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._give_turns()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
        if isinstance(self._turn, DirectRequest):
            self._under_way.discard(self._turn)
            self._turn.lose()
        elif self._turn is not None:
            # uvicorn tells the latest request only.
            self._turn.disconnected = True
            self._turn.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    # Connections on which nothing is asked: one timer, which looks when it rings.

    def _rest(self) -> None:
        self.flow.resume_reading()
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_after(self.timeout_keep_alive)

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = math.inf

    def _look_after(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self._look)

    def _look(self) -> None:
        self.timeout_keep_alive_task = None
        if self not in self.connections:
            return  # a WebSocket has taken its place
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left <= 0:
            self.timeout_keep_alive_handler()
        else:
            self._look_after(min(left, self.timeout_keep_alive))


def _length_of_body(headers: Headers) -> int:
    """As a head says it; -1 where it does not, as of a body in chunks."""
    for name, value in headers:
        if name == b"content-length":
            return int(value)
    return -1
