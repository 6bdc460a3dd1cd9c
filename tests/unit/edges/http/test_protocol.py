"""Which requests are answered without ASGI, and what becomes of their replies."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from service.edges.http.direct import Answered, DirectReply, DirectRoute
from service.edges.http.door import Door, Exchange
from service.edges.http.front import Front
from service.edges.http.protocol import DirectProtocol
from tests.raw_http import head, post, post_in_chunks

BY_ASGI = Answered(b"by asgi", [])
LONG = b"long"


class Service:
    """Its replies wait until they are told, unless the body says that they be long."""

    def __init__(self) -> None:
        self.replies: asyncio.Queue[DirectReply] = asyncio.Queue()
        route = DirectRoute("/steps/{id}", self._answer, self._start)
        self.front = Front(Door(1000), self._app, [route])
        config = uvicorn.Config(self.front, http=DirectProtocol, lifespan="off")
        config.load()
        self.state = uvicorn.server.ServerState()
        self._make = lambda: DirectProtocol(config, self.state, {})

    async def listen(self) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(self._make, "127.0.0.1", 0)

    def _start(self, _: str, __: Exchange, body: bytes, reply: DirectReply) -> bool:
        if body == LONG:
            return False
        if body == b"wrong":
            raise RuntimeError("a mistake of ours")
        self.replies.put_nowait(reply)
        return True

    async def reply(self) -> DirectReply:
        async with asyncio.timeout(5):
            return await self.replies.get()

    async def _answer(self, _: str, __: Scope, receive: Receive) -> Answered:
        while (await receive()).get("more_body"):
            pass
        return BY_ASGI

    async def _app(self, _: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def read(self) -> bytes:
        """The body of the next answer."""
        lines = (await self._reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        length = [line for line in lines if line.startswith(b"content-length")] or [b":0"]
        return await self._reader.readexactly(int(length[0].split(b":")[1]))


@pytest.fixture
async def service() -> Service:
    return Service()


@pytest.fixture
async def client(service: Service) -> AsyncIterator[Client]:
    async with await service.listen() as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        yield Client(reader, writer)
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    "request_",
    [
        post("/steps/a", b"x"),
        post("/steps/a", b""),
        post("/steps/a", b"x" * 1000),
        post("/steps/a", b"x", "origin: http://x"),
        post("/steps/a", b"x", "connection: close"),
    ],
)
async def test_plain_ones_begin_without_asgi(
    service: Service, client: Client, request_: bytes
) -> None:
    client.writer.write(request_)
    (await service.reply()).set_result(Answered(b"direct", []))
    assert await client.read() == b"direct"


@pytest.mark.parametrize(
    "request_",
    [
        post("/steps/a", LONG),
        post("/steps/a?b", b"x"),
        post("/steps/%61", b"x"),
        post_in_chunks("/steps/a", b"x"),
        post("/steps/a", b"x", version="1.0"),
        post("/steps/a", b"x", "expect: 100-continue"),
        post("/steps/a", b"", "connection: upgrade", "upgrade: h2c"),
        head("POST /steps/a HTTP/1.1"),
    ],
)
async def test_others_go_on_as_asgi(service: Service, client: Client, request_: bytes) -> None:
    client.writer.write(request_)
    if b"expect" in request_:
        assert await client.read() == b""
    assert await client.read() == BY_ASGI.body
    assert service.replies.empty()


async def test_pipelined_ones_begin_one_after_the_other(service: Service, client: Client) -> None:
    client.writer.write(post("/steps/a", b"x") * 2 + post("/steps/a", LONG) + post("/steps/a", b""))
    for body in (b"first", b"second", b"fourth"):
        reply = await service.reply()
        await asyncio.sleep(0.01)  # for one too many
        assert service.replies.empty()
        assert list[object](service.state.tasks) == [reply]
        reply.set_result(Answered(body, []))
        assert await client.read() == body
        if body == b"second":
            assert await client.read() == BY_ASGI.body
    assert not service.state.tasks


@pytest.mark.parametrize("at_once", [True, False])
async def test_nothing_begins_while_answers_are_not_read(
    service: Service, client: Client, at_once: bool
) -> None:
    request, long_body = post("/steps/a", b"x"), bytes(50_000_000)
    client.writer.write(request * (2 if at_once else 1))
    (await service.reply()).set_result(Answered(long_body, []))
    if not at_once:
        client.writer.write(request)
    await asyncio.sleep(0.05)  # for one too many
    assert service.replies.empty()
    assert await client.read() == long_body
    (await service.reply()).set_result(Answered(b"second", []))
    assert await client.read() == b"second"


async def test_a_mistake_is_answered_and_the_connection_goes_on(
    service: Service, client: Client
) -> None:
    client.writer.write(post("/steps/a", b"wrong") + post("/steps/a", LONG))
    assert b"internal_error" in await client.read()
    assert await client.read() == BY_ASGI.body
    assert not service.state.tasks


async def test_who_has_gone_is_not_waited_for(service: Service, client: Client) -> None:
    client.writer.write(post("/steps/a", b"x"))
    reply = await service.reply()
    assert not reply.cancelled()
    client.writer.close()
    await client.writer.wait_closed()
    await asyncio.sleep(0.01)  # for the end to arrive
    assert reply.cancelled()
    assert not service.state.tasks
    reply.set_result(Answered(b"too late", []))
    assert service.state.total_requests == 0


async def test_a_server_whose_patience_ends_cuts_what_it_waits_for(
    service: Service, client: Client
) -> None:
    client.writer.write(post("/steps/a", b"x"))
    reply = await service.reply()
    for task in service.state.tasks:
        task.cancel(msg="as uvicorn does")
    with pytest.raises(asyncio.IncompleteReadError):
        await client.read()
    assert reply.cancelled()


@pytest.mark.parametrize("first", [b"x", b"wrong"])
async def test_nothing_begins_behind_the_last_answer_of_a_stopping_server(
    service: Service, client: Client, first: bytes
) -> None:
    service.state.default_headers = [(b"connection", b"close")]
    client.writer.write(post("/steps/a", first) + post("/steps/a", b"x") * 2)
    if first == b"x":
        (await service.reply()).set_result(Answered(b"direct", []))
    assert await client.read()
    with pytest.raises(asyncio.IncompleteReadError):
        await client.read()
    assert service.replies.empty()
