"""The bare loop that messages of many sessions are compared with does what it says."""

from contextlib import closing

import numpy as np

from benchmarks.tools.bare import BareLoop
from benchmarks.tools.workload import HIDDEN_SIZE, ROW, engine_of, workplace
from service.stores.sqlite.store import SqliteStore
from service.stores.store import Session
from tests.contract.sessions import identities


def test_a_bare_loop_stores_what_the_engine_computes() -> None:
    with workplace() as folder:
        with closing(BareLoop(folder, 3)) as loop:
            loop.advance()
            loop.advance()
        store = SqliteStore(folder / "bare.db")
        found = store.read(identities("s0", "s1", "s2"))
        store.close()
        engine, inputs = engine_of(folder), np.array([ROW] * 3, np.float32)
    state = np.zeros((3, HIDDEN_SIZE), np.float32)
    for _ in range(2):
        state = engine.step(inputs, state, gates=False).state
    sessions = [one for one in found if isinstance(one, Session)]
    assert [one.step for one in sessions] == [2, 2, 2]
    np.testing.assert_array_equal([one.state for one in sessions], state)
