"""What the messages and the records of one socket ask for."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

from starlette.types import Message as Received

from service.edges.http.conditions import etag
from service.edges.v1.requests import ForkBody, SessionBody, create_of, new_session_of
from service.edges.v1.schemas import SessionAnswer
from service.edges.v1.step_bodies import inputs_of
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
from service.edges.v1.stream.opened import Opened, OpenedSessions
from service.edges.v1.stream.pending import PendingSteps
from service.edges.v1.stream.window import Interrupted
from service.errors import InvalidInput
from service.operations.caller import Caller
from service.operations.conditions import Conditions
from service.operations.gates import ALL_GATES
from service.operations.inputs import TensorBlock
from service.operations.keys import writer_digest
from service.operations.requests import Delete, Fork, Get, Steps
from service.repository.models import Models
from service.sessions.receipts import highest_number
from service.sessions.sessions import Sessions
from service.stores.store import Session

_LONG_MESSAGE = 64 * 1024
Fields = dict[str, Any]


class Requests:
    """Takes the messages of one connection, one after the other."""

    def __init__(
        self, connection: Connection, sessions: Sessions, models: Models, caller: Caller
    ) -> None:
        self._connection = connection
        self._sessions = sessions
        self._models = models
        self._caller = caller
        self._opened = OpenedSessions()
        self._running: set[asyncio.Task[None]] = set()
        self._held: list[Block] = []
        """Records of this turn of the event loop, all alike and without keys or writers."""
        self._held_opened: list[Opened] = []
        self._waiting: asyncio.Task[None] | None = None
        """Where records of an earlier turn wait for room."""

    async def take(self, received: Received) -> None:
        """One message or binary frame. Raises Interrupted."""
        text = received.get("text")
        if text is not None:
            await self._send_turn()
            await self._take_text(text)
        else:
            await self._take_frame(received["bytes"])

    async def _take_frame(self, frame: bytes) -> None:
        try:
            blocks = read_frame(frame)
        except InvalidInput as error:
            await self._send_turn()
            await self._connection.begin()
            self._connection.answer(error_block(0, 0, error))
            return
        for block in blocks:
            await self._take_block(block)

    async def _take_block(self, block: Block) -> None:
        """In parts that the window has room for, and that leave a group room for others."""
        opened = self._opened.by_handles(block.handles)
        # As they are when the block is read: sessions may be opened anew while it waits.
        writers = [None if one is None else one.writer for one in opened]
        if self._opened.has_writers or None in opened:
            await self._send_turn()
            known = await self._refuse_unknown(block, opened, writers)
            if not known:
                return
            block, opened = block.only(known), [opened[row] for row in known]
            writers = [writers[row] for row in known]
        found = cast(list[Opened], opened)
        numbers = self._opened.numbers(block.steps, gates=block.gates)
        room = self._connection.window.max_numbers // numbers
        most = max(1, min(self._sessions.max_rows, room))
        is_mixed = any(writers) and None in writers
        if block.keyed and (is_mixed or len(set(block.handles)) < len(block)):
            # Each waits until its session has room for its receipt.
            most = 1
        if block.keyed or any(writers) or len(block) >= most:
            await self._send_turn()
            for begin in range(0, len(block), most):
                some = range(begin, min(begin + most, len(block)))
                part = block if len(some) == len(block) else block.only(some)
                end = begin + most
                pending, steps = self._steps_of(part, found[begin:end], writers[begin:end])
                await self._connection.send_steps(pending, steps)
        else:
            await self._hold(block, found, most)

    async def _hold(self, block: Block, opened: list[Opened], most: int) -> None:
        """Until nothing more has come: what one turn of the event loop brings is one block."""
        held = self._held
        if held and (not block.is_like(held[0]) or len(self._held_opened) + len(block) > most):
            await self._send_turn()
        if self._waiting is not None:
            await self._waiting
        if not self._held:
            asyncio.get_running_loop().call_soon(self._end_turn)
        self._held.append(block)
        self._held_opened += opened

    def _end_turn(self) -> None:
        if not self._held:
            return
        pending, steps = self._taken_turn()
        if not self._connection.try_steps(pending, steps):
            self._waiting = asyncio.create_task(self._wait_for_room(pending, steps))

    async def _send_turn(self) -> None:
        """Whatever comes next comes behind what is held. Raises Interrupted."""
        if self._waiting is not None:
            await self._waiting
        if self._held:
            await self._connection.send_steps(*self._taken_turn())

    def _taken_turn(self) -> tuple[PendingSteps, Steps]:
        block, opened = Block.joined(self._held), self._held_opened
        self._held, self._held_opened = [], []
        return self._steps_of(block, opened, [None] * len(block))

    async def _wait_for_room(self, pending: PendingSteps, steps: Steps) -> None:
        with suppress(Interrupted):
            await self._connection.send_steps(pending, steps)
        self._waiting = None

    async def _refuse_unknown(
        self, block: Block, opened: Sequence[Opened | None], writers: Sequence[str | None]
    ) -> list[int]:
        """Answer the records of sessions that are not open, or cannot have such a key; the rows of
        the others."""
        known = []
        for row, (record_id, handle) in enumerate(zip(block.ids, block.handles, strict=True)):
            one = opened[row]
            try:
                if one is None:
                    raise InvalidInput.at(("handle",), f"{handle} is not open on this socket")
                block.conditions(row, writers[row])
                known.append(row)
            except InvalidInput as error:
                await self._connection.begin()
                self._connection.answer(error_block(record_id, handle, error))
        return known

    def _steps_of(
        self, block: Block, opened: Sequence[Opened], writers: Sequence[str | None]
    ) -> tuple[PendingSteps, Steps]:
        conditions = None
        numbered = any(writers)
        if block.keyed or block.ats or numbered:
            conditions = [block.conditions(row, writer) for row, writer in enumerate(writers)]
        # Keys alone need the receipts; with `at` or numbers nothing can be applied twice.
        keyed = block.keyed and block.ats is None and not numbered
        steps = Steps(
            [one.identity for one in opened],
            TensorBlock(block.tensors),
            ALL_GATES if block.gates else None,
            conditions,
            self._caller,
            self._connection,
        )
        numbers = self._opened.numbers(block.steps, gates=block.gates)
        return PendingSteps(self._connection, opened, numbers, keyed, records=block), steps

    async def _take_text(self, text: str) -> None:
        message_id = session_id = None
        try:
            # A long message would hold up everybody else on the event loop.
            is_long = len(text) > _LONG_MESSAGE
            found = await asyncio.to_thread(read_object, text) if is_long else read_object(text)
            message_id = correlation(found)
            session_id = _text_or_none(found.get("session_id"))
            message = (
                await asyncio.to_thread(read_message, found) if is_long else read_message(found)
            )
            if isinstance(message, StepMessage):
                await self._take_step(message)
                return
        except InvalidInput as error:
            await self._connection.begin()
            self._connection.answer(error_text(message_id, session_id, error))
            return
        await self._connection.begin()
        task = asyncio.create_task(self._answer(message))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        # The task runs up to where it is enqueued before the next message is read.
        await asyncio.sleep(0)

    async def _take_step(self, message: StepMessage) -> None:
        """Raises InvalidInput."""
        opened = self._opened.named(message.session_id)
        conditions = message.conditions(opened.writer, message.at)
        inputs, key = inputs_of(message), conditions.key
        pending = PendingSteps(
            self._connection,
            (opened,),
            opened.numbers(inputs.steps, gates=message.gates is not None),
            key is not None and not key.number and message.at is None,
            message=message,
            message_id=message.id,
        )
        steps = Steps.of(
            message.session_id,
            inputs,
            message.gates,
            conditions,
            self._caller,
            connection=self._connection,
        )
        await self._connection.send_steps(pending, steps)

    async def _answer(self, message: Message) -> None:
        try:
            fields = await self._fields(message)
            if message.id is not None:
                fields = {"id": message.id} | fields
            frame = _json({"type": message.type} | fields)
        except Exception as error:  # answered, as every error is
            frame = error_text(message.id, message.session_id, error)
        self._connection.answer(frame)

    async def _fields(self, message: Message) -> Fields:
        if isinstance(message, OpenMessage):
            return await self._open(message)
        if isinstance(message, GetMessage):
            return _shown(await self._sessions.get(Get(message.session_id, self._caller)))
        if isinstance(message, ForkMessage):
            return await self._fork(message)
        assert isinstance(message, CloseMessage)
        return await self._close(message)

    async def _open(self, message: OpenMessage) -> Fields:
        if message.model is None:
            assert message.session_id is not None
            session = await self._sessions.get(Get(message.session_id, self._caller))
            return self._handle(session, message.writer)
        body = SessionBody.model_construct(
            model=message.model,
            session_id=message.session_id,
            ttl_seconds=message.ttl_seconds,
            metadata=message.metadata,
            state=message.state,
            constants=message.constants,
        )
        key = key_of(message.id, message.writer)
        session, replayed = await self._sessions.create(create_of(body, key, self._caller))
        return self._handle(session, message.writer, replayed=replayed)

    async def _fork(self, message: ForkMessage) -> Fields:
        writer = self._opened.writer_of(message.session_id)
        body = ForkBody.model_construct(
            session_id=message.new_session_id,
            ttl_seconds=message.ttl_seconds,
            metadata=message.metadata,
        )
        fork = Fork(
            message.session_id, new_session_of(body), message.conditions(writer), self._caller
        )
        session, replayed = await self._sessions.fork(fork)
        return self._handle(session, writer, replayed=replayed)

    async def _close(self, message: CloseMessage) -> Fields:
        self._opened.close(message.session_id)
        if message.delete:
            # No key is needed: a retry finds the session finished.
            conditions = Conditions(if_match=message.conditions(None).if_match)
            await self._sessions.delete(Delete(message.session_id, conditions, self._caller))
        return {"session_id": message.session_id, "deleted": message.delete}

    def _handle(self, session: Session, writer: str | None, *, replayed: bool = False) -> Fields:
        manifest = self._models.version(session.model, session.version).manifest
        opened = self._opened.open(session.identity, manifest, writer)
        fields = _shown(session) | {"handle": opened.handle}
        if writer is not None:
            fields["number"] = highest_number(session, writer_digest(writer.encode())) or 0
        return fields | ({"replayed": True} if replayed else {})


def _shown(session: Session) -> Fields:
    fields = SessionAnswer.of(session).model_dump(mode="json")
    return fields | {"etag": etag(session.revision)}


def _json(fields: Fields) -> str:
    """Metadata have numbers of any length, which orjson does not write."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None
