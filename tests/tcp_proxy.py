"""A TCP connection that can be cut in different ways."""

import asyncio
import socket
import struct
from contextlib import suppress
from enum import Enum

_HOST = "127.0.0.1"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Cut(Enum):
    """What a proxy does with those who connect, and with those who are connected."""

    REFUSED = "refused"
    """Nobody listens; open connections are reset."""
    RESET = "reset"
    """Connections, open and new ones, are reset."""
    SWALLOWED = "swallowed"
    """Everything sent disappears, in both directions, and nothing says so."""
    MUTE = "mute"
    """Requests arrive and are worked off, their answers disappear."""


class TcpProxy:
    """Passes bytes on to a port of this machine, until it is told to cut.

    A connection that was cut is never healed: it would go on in the middle of an answer.
    """

    def __init__(self, upstream_port: int, port: int) -> None:
        self.port = port
        self.upstream_port = upstream_port
        self.state: Cut | None = None
        self.open: set[_Passage] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Passage(self), _HOST, self.port)

    def cut(self, cut: Cut) -> None:
        self.state = cut
        for passage in list(self.open):
            passage.cut(cut)
        if cut is Cut.REFUSED:
            self._stop_listening()

    async def heal(self) -> None:
        self.state = None
        if self._server is None:
            await self.start()

    def close(self) -> None:
        # Connections that are being accepted at this moment are cut as well.
        self.state = Cut.RESET
        for passage in list(self.open):
            passage.cut(Cut.RESET)
        self._stop_listening()

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None


class _Passage(asyncio.Protocol):
    """One connection through the proxy, seen from those who made it."""

    def __init__(self, proxy: TcpProxy) -> None:
        self._proxy = proxy
        self._cut: Cut | None = None
        self._transport: asyncio.Transport | None = None
        self._upstream = _Upstream(self)
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # What arrives before there is anybody to pass it on to stays in the socket.
        transport.pause_reading()
        self._proxy.open.add(self)
        self._connecting = asyncio.create_task(self._connect(transport))
        if self._proxy.state is not None:
            self.cut(self._proxy.state)

    def data_received(self, data: bytes) -> None:
        if self._cut is not Cut.SWALLOWED:
            self._upstream.send(data)

    def answer(self, data: bytes) -> None:
        if self._cut is None and self._transport is not None:
            self._transport.write(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._proxy.open.discard(self)
        if self._connecting is not None:
            self._connecting.cancel()
        self._upstream.close()

    def close(self) -> None:
        """Redis has gone: what it said before is still passed on."""
        if self._transport is not None:
            self._transport.close()

    def cut(self, cut: Cut) -> None:
        self._cut = cut
        if cut in (Cut.REFUSED, Cut.RESET) and self._transport is not None:
            with suppress(OSError):  # it may be closed already
                connection: socket.socket = self._transport.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()

    async def _connect(self, transport: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self._upstream, _HOST, self._proxy.upstream_port)
        except OSError:
            self.cut(Cut.RESET)
        else:
            transport.resume_reading()


class _Upstream(asyncio.Protocol):
    """The other half of a passage."""

    def __init__(self, passage: _Passage) -> None:
        self._passage = passage
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._passage.answer(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._passage.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
