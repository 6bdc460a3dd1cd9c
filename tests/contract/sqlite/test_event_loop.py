"""A SQLite file that is used on an event loop, where nobody may wait for it."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from service.errors import MustWait
from service.repository.models import Models
from service.stores.sqlite.store import SqliteStore
from tests.contract.advance_contract import known, moves_of, step_of
from tests.contract.sessions import found_in, read, same, session
from tests.unit.sessions.serving import serving
from tests.unit.sessions.steps import request

HELD_SECONDS = 0.3


async def test_a_file_that_another_process_holds_is_not_waited_for(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "sessions.db")
    (before,) = known(store, [session()])
    moves = moves_of([before], [step_of(before)])
    with closing(sqlite3.connect(tmp_path / "sessions.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        for _ in range(3):
            with pytest.raises(MustWait):
                store.advance([moves])
        assert time.monotonic() - began < HELD_SECONDS
        assert same(read(store), before), "reading takes no lock"
        other.execute("ROLLBACK")
    assert store.advance([moves]) == [True]
    store.close()


async def test_its_steps_wait_on_the_worker_and_the_event_loop_goes_on(
    models: Models, tmp_path: Path
) -> None:
    store = SqliteStore(tmp_path / "sessions.db")
    for session_id in "ab":
        state, end = np.zeros(6, np.float32), time.time() + 1000.0
        store.create(session(session_id, version=1, step=0, state=state, expires_at=end))
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.01)

    path = tmp_path / "sessions.db"
    async with serving(models, store) as sessions:
        await asyncio.gather(*(sessions.step(request(one)) for one in "ab"))
        counting = asyncio.create_task(count_turns())
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            steps = [asyncio.ensure_future(sessions.step(request(one))) for one in "ab" * 3]
            await asyncio.sleep(HELD_SECONDS)
            assert not any(one.done() for one in steps)
            other.execute("ROLLBACK")
        answers = await asyncio.gather(*steps)
        counting.cancel()
        assert turns > HELD_SECONDS / 0.01 / 3
        assert [answer.step for answer in answers] == [2, 2, 3, 3, 4, 4]
        assert [found_in(store, one).step for one in "ab"] == [4, 4]
