"""Routes that are answered without FastAPI, and their answers."""

import re
from collections.abc import Awaitable, Callable
from typing import Protocol

from starlette.types import Receive, Scope

from service.edges.http.door import Exchange
from service.edges.http.problems import answer_error
from service.edges.http.request_ids import HEADER
from service.records import record


@record
class Answered:
    """The body, the headers of its own and the status of an answer."""

    body: bytes
    headers: list[tuple[bytes, bytes]]
    status: int = 200

    def all_headers(self, exchange: Exchange) -> list[tuple[bytes, bytes]]:
        """With those that every answer of an exchange has besides its own."""
        length = b"%d" % len(self.body)
        return [*self.headers, (b"content-length", length), (HEADER, exchange.request_id)]

    def as_sent(self, exchange: Exchange, more: bytes = b"") -> bytes:
        """All headers and the body as they are on the wire; `more` are further lines."""
        lines = b"".join([b"%b: %b\r\n" % header for header in self.headers])
        sent = b"%bcontent-length: %d\r\nx-request-id: %b\r\n%b\r\n%b"
        return sent % (lines, len(self.body), exchange.request_id, more, self.body)


def answered_problem(error: Exception) -> Answered:
    """The problem that an error is to a client."""
    problem = answer_error(error)
    headers = [(name.encode(), value.encode()) for name, value in problem.headers.items()]
    return Answered(problem.body, headers, problem.status)


Answer = Callable[[str, Scope, Receive], Awaitable[Answered]]


class DirectReply(Protocol):
    """Who waits for an answer, which comes on the event loop."""

    def cancelled(self) -> bool: ...
    def set_result(self, answered: Answered, /) -> None: ...
    def set_exception(self, error: Exception, /) -> None: ...


Start = Callable[[str, Exchange, bytes, DirectReply], bool]


class DirectRoute:
    """A POST that is answered without FastAPI.

    `template` has one parameter in braces or none; its value comes first, "" for none. `answer`
    takes any request. `start` takes one with a short body, and sees to it that its reply is told
    on the event loop. Where it returns False nothing has begun, and `answer` must do it. Both may
    raise what is wrong.
    """

    def __init__(self, template: str, answer: Answer, start: Start | None = None) -> None:
        self.template = template
        self.answer = answer
        self.start = start
        self._prefix, self._has_parameter, rest = template.partition("{")
        self._suffix = rest.partition("}")[2]
        ends = re.escape(self._prefix.encode()), re.escape(self._suffix.encode())
        value = rb"([A-Za-z0-9._~-]+)" if self._has_parameter else b"()"
        self.plain_url = re.compile(value.join(ends))
        """A request line's path of this route, where nothing is to be decoded or left out."""

    def match(self, path: str) -> str | None:
        """The parameter where the path is one of this route's."""
        if not self._has_parameter:
            return "" if path == self._prefix else None
        if not (path.startswith(self._prefix) and path.endswith(self._suffix)):
            return None
        value = path[len(self._prefix) : len(path) - len(self._suffix)]
        return value if value and "/" not in value else None
