"""What the messages and the records of one socket ask for."""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import numpy as np
from starlette.types import Message as Received

from service.edges.http.conditions import etag
from service.edges.v1.requests import metadata_bytes
from service.edges.v1.schemas import SessionAnswer
from service.edges.v1.steps import steps_request
from service.edges.v1.stream.answers import error_block, error_text
from service.edges.v1.stream.blocks import Block, read_frame
from service.edges.v1.stream.connection import Connection
from service.edges.v1.stream.messages import (
    CloseMessage,
    ForkMessage,
    GetMessage,
    Message,
    OpenMessage,
    StepMessage,
    correlation,
    key_of,
    read_message,
    read_object,
)
from service.edges.v1.stream.opened import OpenedSessions
from service.edges.v1.stream.pending import PendingStep
from service.errors import InvalidInput
from service.repository.models import Models
from service.sessions.conditions import Conditions
from service.sessions.creation import NewSession
from service.sessions.sessions import Sessions
from service.sessions.stepping import StepRequest
from service.stores.store import Session

_LONG_MESSAGE = 64 * 1024
Fields = dict[str, Any]
Read = TypeVar("Read")


class Requests:
    """Takes the messages of one connection, one after the other."""

    def __init__(
        self, connection: Connection, sessions: Sessions, models: Models, max_numbers: int
    ) -> None:
        self._connection = connection
        self._sessions = sessions
        self._models = models
        self._max_numbers = max_numbers
        self._opened = OpenedSessions()
        self._running: set[asyncio.Task[None]] = set()

    async def take(self, received: Received) -> None:
        """One message or binary frame. Raises Interrupted."""
        text = received.get("text")
        if text is not None:
            await self._take_text(text)
        else:
            await self._take_frame(received["bytes"])

    async def _take_frame(self, frame: bytes) -> None:
        try:
            blocks = read_frame(frame, self._max_numbers)
        except InvalidInput as error:
            await self._connection.begin()
            self._connection.answer(error_block(0, 0, error))
            return
        for block in blocks:
            await self._take_block(block)

    async def _take_block(self, block: Block) -> None:
        steps, gates, conditions = block.steps, block.gates, Conditions()
        conditional = block.keyed or block.ats is not None
        # Keys alone need the receipts; with `at` nothing can be applied twice.
        keyed = block.keyed and block.ats is None
        for index, (record_id, handle) in enumerate(zip(block.ids, block.handles, strict=True)):
            opened = self._opened.by_handle(handle)
            if opened is None:
                error = InvalidInput.at(("handle",), f"{handle} is not open on this socket")
                await self._connection.begin()
                self._connection.answer(error_block(record_id, handle, error))
                continue
            if conditional:
                conditions = block.conditions(index)
            pending = PendingStep(record_id, opened, opened.numbers(steps, gates=gates), keyed)
            request = StepRequest(
                opened.session_id, partial(block.decode, index), gates, conditions
            )
            await self._connection.step(pending, request)

    async def _take_text(self, text: str) -> None:
        message_id = session_id = None
        try:
            found = await _aside(text, lambda: read_object(text))
            message_id = correlation(found)
            session_id = _text_or_none(found.get("session_id"))
            message = await _aside(text, lambda: read_message(found))
            if isinstance(message, StepMessage):
                await self._take_step(message, text)
                return
        except InvalidInput as error:
            await self._connection.begin()
            self._connection.answer(error_text(message_id, session_id, error))
            return
        await self._connection.begin()
        task = asyncio.create_task(self._answer(message, text))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        # The task runs up to where it is enqueued before the next message is read.
        await asyncio.sleep(0)

    async def _take_step(self, message: StepMessage, text: str) -> None:
        """Raises InvalidInput."""
        opened = self._opened.named(message.session_id)
        conditions = message.conditions(b"steps", text, message.at)
        gates = message.gates is not None
        steps = len(message.inputs if message.inputs is not None else message.text or "")
        pending = PendingStep(
            message.id,
            opened,
            opened.numbers(steps, gates=gates),
            conditions.key is not None and message.at is None,
            message,
        )
        request = steps_request(message.session_id, message, conditions, self._max_numbers)
        await self._connection.step(pending, request)

    async def _answer(self, message: Message, text: str) -> None:
        try:
            fields = await self._fields(message, text)
            if message.id is not None:
                fields = {"id": message.id} | fields
            frame = _json({"type": message.type} | fields)
        except Exception as error:  # answered, as every error is
            frame = error_text(message.id, message.session_id, error)
        self._connection.answer(frame)

    async def _fields(self, message: Message, text: str) -> Fields:
        if isinstance(message, OpenMessage):
            return await self._open(message, text)
        if isinstance(message, GetMessage):
            return _shown(await self._sessions.get(message.session_id))
        if isinstance(message, ForkMessage):
            return await self._fork(message, text)
        assert isinstance(message, CloseMessage)
        return await self._close(message, text)

    async def _open(self, message: OpenMessage, text: str) -> Fields:
        if message.model is None:
            assert message.session_id is not None
            return self._handle(await self._sessions.get(message.session_id), replayed=False)
        session, replayed = await self._sessions.create(
            message.model,
            _new(message.session_id, message),
            state=None if message.state is None else np.array(message.state, np.float32),
            key=key_of(message.id, b"create", text),
        )
        return self._handle(session, replayed=replayed)

    async def _fork(self, message: ForkMessage, text: str) -> Fields:
        session, replayed = await self._sessions.fork(
            message.session_id,
            _new(message.new_session_id, message),
            message.conditions(b"fork", text),
        )
        return self._handle(session, replayed=replayed)

    async def _close(self, message: CloseMessage, text: str) -> Fields:
        self._opened.close(message.session_id)
        if message.delete:
            # No key is needed: a retry finds the session gone.
            conditions = Conditions(if_match=message.conditions(b"", text).if_match)
            await self._sessions.delete(message.session_id, conditions)
        return {"session_id": message.session_id, "deleted": message.delete}

    def _handle(self, session: Session, *, replayed: bool) -> Fields:
        manifest = self._models.version(session.model, session.version).manifest
        opened = self._opened.open(session.session_id, manifest)
        again = {"replayed": True} if replayed else {}
        return _shown(session) | {"handle": opened.handle} | again


async def _aside(text: str, read: Callable[[], Read]) -> Read:
    """A long message would hold up everybody else on the event loop."""
    return await asyncio.to_thread(read) if len(text) > _LONG_MESSAGE else read()


def _shown(session: Session) -> Fields:
    fields = SessionAnswer.of(session).model_dump(mode="json")
    return fields | {"etag": etag(session.revision)}


def _json(fields: Fields) -> str:
    """Metadata have numbers of any length, which orjson does not write."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def _new(session_id: str | None, message: OpenMessage | ForkMessage) -> NewSession:
    metadata = None if message.metadata is None else metadata_bytes(message.metadata)
    return NewSession(session_id, message.ttl_seconds, metadata)


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None
