"""Records on their way to the queue: what is joined, and what each of them counts."""

import asyncio
from typing import Any, cast

import numpy as np
import pytest

from service.batcher.waiting import Reply
from service.edges.v1.stream.connection import Connection
from service.edges.v1.stream.opened import Opened
from service.edges.v1.stream.requests import Requests
from service.operations.caller import ANYBODY
from service.operations.requests import Steps
from service.repository.models import Models
from service.sessions.receipts import KEPT_RECEIPTS
from service.sessions.sessions import Sessions
from service.stores.store import Identity
from tests.e2e.streams import block


class Taken:
    """Takes every block, and answers none."""

    max_rows = 256

    def __init__(self) -> None:
        self.blocks: list[Steps] = []

    def send_steps(self, steps: Steps, _: Reply[Any]) -> None:
        self.blocks.append(steps)


class Rig:
    def __init__(self, models: Models) -> None:
        self.sessions = Taken()
        sessions = cast(Sessions, self.sessions)
        connection = Connection(sessions, self._send, 10**6)
        self.requests = Requests(connection, sessions, models, ANYBODY)
        self._manifest = models.default("weather").manifest

    async def _send(self, _: object) -> None:
        return

    def open(self, session_id: str, writer: str | None = None) -> Opened:
        return self.requests._opened.open(Identity("", session_id), self._manifest, writer)

    async def take(self, handles: list[int], ids: list[int], *, keys: bool = False) -> None:
        frame = block(np.zeros((len(ids), 1, 3), np.float32), handles, ids, keys=keys)
        await self.requests.take({"bytes": frame})


@pytest.fixture
def rig(models: Models) -> Rig:
    return Rig(models)


async def test_single_records_of_one_turn_are_one_block(rig: Rig) -> None:
    handles = [rig.open(one).handle for one in "abc"]
    for record_id, handle in enumerate(handles):
        await rig.take([handle], [record_id])
    assert not rig.sessions.blocks
    await asyncio.sleep(0)
    (steps,) = rig.sessions.blocks
    assert [identity.session_id for identity in steps.identities] == ["a", "b", "c"]
    assert steps.conditions is None


async def test_a_writer_that_comes_later_has_no_part_in_what_is_held(rig: Rig) -> None:
    opened = rig.open("a")
    await rig.take([opened.handle], [0])
    rig.open("a", "writer")
    await asyncio.sleep(0)
    (steps,) = rig.sessions.blocks
    assert steps.conditions is None


async def test_beside_a_writer_keys_rely_on_receipts_all_the_same(rig: Rig) -> None:
    plain, numbered = rig.open("a"), rig.open("b", "writer")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            for number in range(1, KEPT_RECEIPTS + 2):
                await rig.take([plain.handle, numbered.handle], [number, number], keys=True)
    assert plain.keyed == KEPT_RECEIPTS
    assert numbered.keyed == 0
