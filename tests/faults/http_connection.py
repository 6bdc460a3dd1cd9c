"""One HTTP/1.1 connection, small enough to be let down at any byte."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self

import orjson

HOST = "127.0.0.1"
_SHOWN_BYTES = 300
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What a service said; `replayed` where it says that an earlier try was applied."""

    status: int
    body: bytes
    etag: str | None = None
    replayed: bool = False

    @property
    def code(self) -> str | None:
        """The `code` of a problem; None for an answer of another kind."""
        return None if self.status < 400 else self.content().get("code")

    def content(self) -> dict[str, Any]:
        """The body's JSON object."""
        read: dict[str, Any] = orjson.loads(self.body)
        return read

    def __repr__(self) -> str:
        tag = f" {self.etag}" + (" replayed" if self.replayed else "")
        return f"{self.status}{tag} {self.body[:_SHOWN_BYTES].decode('utf-8', 'replace')}"


class HttpConnection:
    """Sends requests and reads their answers, one after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.is_over = False

    @classmethod
    async def open(cls, port: int) -> Self:
        """Raises OSError where nobody listens."""
        return cls(*await asyncio.open_connection(HOST, port))

    async def exchange(self, request: bytes) -> Answer:
        """Raises OSError, EOFError where the other side goes away."""
        self.send(request)
        await self._writer.drain()
        return await self.receive()

    async def receive(self) -> Answer:
        """The next answer, to whichever request. Raises OSError, EOFError."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        self.is_over = headers.get("connection") == "close"
        replayed = headers.get("idempotent-replayed") == "true"
        return Answer(int(first.split()[1]), body, headers.get("etag"), replayed)

    def send(self, request: bytes) -> None:
        self._writer.write(request)

    def close(self, *, reset: bool = False) -> None:
        """With `reset` at once, throwing away what is still to be sent or read."""
        self.is_over = True
        if reset:
            with suppress(OSError):  # it may be closed already
                connection: socket.socket = self._writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._writer.transport.abort()
        else:
            self._writer.close()


@asynccontextmanager
async def opened(port: int) -> AsyncIterator[HttpConnection]:
    """A connection for the length of the block. Raises OSError where nobody listens."""
    connection = await HttpConnection.open(port)
    try:
        yield connection
    finally:
        connection.close()
