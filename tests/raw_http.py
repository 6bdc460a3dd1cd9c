"""HTTP/1.1 as bytes on a socket, for what no client library sends."""

import socket
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, cast

import orjson

DEADLINE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """`head` is the status line and the headers as they came."""

    head: bytes
    body: bytes

    @property
    def status(self) -> int:
        return int(self.head.split()[1])

    @property
    def headers(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines)
        return [(name.lower(), value.strip()) for name, _, value in pairs]

    def header(self, wanted: str) -> str | None:
        """The only one of the name; None for none."""
        found = [value for name, value in self.headers if name == wanted]
        assert len(found) <= 1, self.head
        return found[0] if found else None

    def json(self) -> dict[str, Any]:
        return cast(dict[str, Any], orjson.loads(self.body))


class RawConnection:
    """Sends bytes as they are and reads answers one after the other."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_SECONDS)
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, request: bytes) -> RawAnswer:
        self.send(request)
        return self.answer()

    def answer(self) -> RawAnswer:
        """The next one. Raises EOFError where the other side has closed before its end."""
        head = self._until(b"\r\n\r\n")
        length = RawAnswer(head, b"").header("content-length")
        return RawAnswer(head, self._exactly(int(length or "0")))

    def is_closed(self) -> bool:
        """Whether the other side closes without another byte; waits for either."""
        return not self._received and not self.socket.recv(1)

    def _until(self, end: bytes) -> bytes:
        while end not in self._received:
            self._receive()
        found, _, self._received = self._received.partition(end)
        return found

    def _exactly(self, length: int) -> bytes:
        while len(self._received) < length:
            self._receive()
        found, self._received = self._received[:length], self._received[length:]
        return found

    def _receive(self) -> None:
        more = self.socket.recv(65536)
        if not more:
            raise EOFError(f"closed after {self._received!r}")
        self._received += more


def post(path: str, body: bytes, *headers: str, version: str = "1.1") -> bytes:
    """A request with a length."""
    return head(f"POST {path} HTTP/{version}", *headers, f"content-length: {len(body)}") + body


def post_in_chunks(path: str, body: bytes, *headers: str) -> bytes:
    """A request that sends each byte as a chunk of its own."""
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    begin = head(f"POST {path} HTTP/1.1", *headers, "transfer-encoding: chunked")
    return begin + chunks + b"0\r\n\r\n"


def get(path: str) -> bytes:
    return head(f"GET {path} HTTP/1.1")


def head(request_line: str, *headers: str) -> bytes:
    lines = "\r\n".join((request_line, "host: x", *headers))
    return lines.encode("latin-1") + b"\r\n\r\n"
