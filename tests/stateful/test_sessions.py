"""Sessions, whatever is done to them and in which order, against a dict and the oracle.

Hypothesis makes up the histories: create, step, replace a state, delete, wait, purge, list, start
again. A plain dict says which sessions there should be, the float64 oracle what their states are.
"""

import asyncio
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from numpy.typing import NDArray

from service.engine.models import Models
from service.errors import (
    GatewiseError,
    InvalidInput,
    SessionExists,
    SessionExpired,
    SessionNotFound,
)
from service.sessions.sessions import Sessions
from service.sessions.stepping import StepRequest
from service.stores.memory import MemoryStore
from service.stores.sqlite import SqliteStore
from service.stores.store import Store
from tests.bundles import served_models
from tests.oracle import Oracle, assert_agrees

ORACLES = {trained.name: Oracle(trained.network) for trained in served_models()}
DEFAULT_TTL = 50.0
RETENTION = 100.0

ids = st.sampled_from(["a", "b", "c", "d"])
names = st.sampled_from(["weather", "letters-deep"])
ttls = st.sampled_from([None, 5.0, 200.0])
seeds = st.integers(0, 2**32 - 1)
waits = st.sampled_from([0.0, 0.0, 1.0, 6.0, 60.0, 160.0])
"""Before a rule does its work: enough to let some lives end."""


@dataclass(slots=True)
class Expected:
    """What the dict knows of one session."""

    model: str
    step: int
    state: NDArray[np.float64]
    expires_at: float
    ttl: float


class SessionsMachine(RuleBasedStateMachine):
    """Subclasses open a store, and say whether what it holds outlives it."""

    models: ClassVar[Models]
    survives: ClassVar[bool]

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self.folder = TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.expected: dict[str, Expected] = {}
        self.open()

    def open_store(self) -> Store:
        raise NotImplementedError

    def open(self) -> None:
        self.sessions = Sessions(
            self.models,
            self.open_store(),
            lambda: self.now,
            ttl_seconds=DEFAULT_TTL,
            max_batch=8,
            max_queue=64,
        )

    def teardown(self) -> None:
        self.runner.run(self.sessions.close())
        self.runner.close()
        self.folder.cleanup()

    def alive(self, session_id: str) -> bool:
        known = self.expected.get(session_id)
        return known is not None and known.expires_at > self.now

    def refused(self, session_id: str) -> AbstractContextManager[object]:
        """What every use of a session must meet that is not alive."""
        if self.alive(session_id):
            return nullcontext()
        return pytest.raises(SessionExpired if session_id in self.expected else SessionNotFound)

    def prolong(self, session_id: str) -> None:
        known = self.expected[session_id]
        known.expires_at = self.now + known.ttl

    @initialize()
    def begin(self) -> None:
        """Something to work on, with lives of different lengths."""
        self.create(0.0, "a", "weather", 5.0, None)
        self.create(0.0, "b", "letters-deep", None, 0)
        self.create(0.0, "c", "weather", 200.0, 1)

    @rule(after=waits, session_id=ids, model=names, ttl=ttls, seed=st.none() | seeds)
    def create(
        self, after: float, session_id: str, model: str, ttl: float | None, seed: int | None
    ) -> None:
        self.now += after
        state = None if seed is None else random_state(model, seed)
        creating = self.sessions.create(model, session_id=session_id, ttl_seconds=ttl, state=state)
        if self.alive(session_id):
            with pytest.raises(SessionExists):
                self.runner.run(creating)
            return
        made = self.runner.run(creating)
        life = DEFAULT_TTL if ttl is None else ttl
        before = np.zeros(size_of(model)) if state is None else state.astype(np.float64)
        self.expected[session_id] = Expected(model, 0, before, self.now + life, life)
        assert (made.step, made.expires_at) == (0, self.now + life)

    @rule(after=waits, session_id=ids, time=st.integers(1, 4), seed=seeds, gates=st.booleans())
    def step(self, after: float, session_id: str, time: int, seed: int, gates: bool) -> None:
        self.now += after
        known = self.expected.get(session_id)
        inputs = random_inputs(known.model if known else "weather", time, seed)
        request = StepRequest(session_id, lambda _: inputs, gates=gates)
        with self.refused(session_id):
            answer = self.runner.run(self.sessions.step(request))
        if known is None or not self.alive(session_id):
            return
        trace = ORACLES[known.model].run(inputs[np.newaxis], known.state[np.newaxis])
        known.step += time
        known.state = trace.state[0]
        self.prolong(session_id)
        assert answer.session.step == known.step
        assert_agrees(answer.computed.outputs, trace.output[0])
        assert (answer.computed.gates is not None) == gates
        if answer.computed.gates is not None:
            assert_agrees(answer.computed.gates.update, trace.update[0])
            assert_agrees(answer.computed.gates.hidden, trace.hidden[0])

    @rule(after=waits, session_id=ids)
    def step_with_bad_input(self, after: float, session_id: str) -> None:
        self.now += after

        def decode(_: object) -> NDArray[np.float32]:
            raise InvalidInput.at("$.inputs", "bad")

        request = StepRequest(session_id, decode, gates=False)
        with pytest.raises(InvalidInput if self.alive(session_id) else GatewiseError):
            self.runner.run(self.sessions.step(request))

    @rule(after=waits, session_id=ids, step=st.integers(0, 2**53 - 1), seed=seeds)
    def replace_state(self, after: float, session_id: str, step: int, seed: int) -> None:
        self.now += after
        known = self.expected.get(session_id)
        state = random_state(known.model if known else "weather", seed)
        with self.refused(session_id):
            self.runner.run(self.sessions.replace_state(session_id, step, state))
        if known is not None and self.alive(session_id):
            known.step, known.state = step, state.astype(np.float64)
            self.prolong(session_id)

    @rule(after=waits, session_id=ids, width=st.sampled_from([0, 1, 7, 14, 16]))
    def replace_state_by_one_of_wrong_width(
        self, after: float, session_id: str, width: int
    ) -> None:
        self.now += after
        replacing = self.sessions.replace_state(session_id, 1, np.zeros(width, np.float32))
        with pytest.raises(InvalidInput if self.alive(session_id) else GatewiseError):
            self.runner.run(replacing)

    @rule(after=waits, session_id=ids)
    def delete(self, after: float, session_id: str) -> None:
        self.now += after
        deleting = self.sessions.delete(session_id)
        if self.expected.pop(session_id, None) is None:
            with pytest.raises(SessionNotFound):
                self.runner.run(deleting)
        else:
            self.runner.run(deleting)

    @rule(after=waits)
    def purge(self, after: float) -> None:
        self.now += after
        old = [k for k, v in self.expected.items() if v.expires_at < self.now - RETENTION]
        assert self.runner.run(self.sessions.purge(RETENTION)) == len(old)
        for session_id in old:
            del self.expected[session_id]

    @rule(after=waits)
    def start_again(self, after: float) -> None:
        self.now += after
        self.runner.run(self.sessions.close())
        if not self.survives:
            self.expected.clear()
        self.open()

    @rule(after=waits, limit=st.integers(1, 3), model=st.none() | names)
    def list_pages(self, after: float, limit: int, model: str | None) -> None:
        self.now += after
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = self.runner.run(self.sessions.page(model=model, cursor=cursor, limit=limit))
            found += [session.session_id for session in page.sessions]
            cursor = page.cursor
        live = [one for one in self.expected if self.alive(one)]
        assert found == sorted(s for s in live if model in (None, self.expected[s].model))

    @invariant()
    def every_session_is_as_expected(self) -> None:
        for session_id in "abcd":
            with self.refused(session_id):
                session = self.runner.run(self.sessions.get(session_id))
            if self.alive(session_id):
                known = self.expected[session_id]
                assert (session.model, session.step) == (known.model, known.step)
                assert session.expires_at == known.expires_at
                assert_agrees(session.state, known.state)


def size_of(model: str) -> int:
    return sum(ORACLES[model].hidden_sizes)


def random_state(model: str, seed: int) -> NDArray[np.float32]:
    drawn = np.random.default_rng(seed).uniform(-1, 1, size_of(model))
    return drawn.astype(np.float32)


def random_inputs(model: str, time: int, seed: int) -> NDArray[np.float32] | NDArray[np.int64]:
    random = np.random.default_rng(seed)
    if model.startswith("letters"):
        return random.integers(0, 10, time)
    return random.normal((20, 1000, 0.5), (5, 10, 0.2), (time, 3)).astype(np.float32)


class InMemory(SessionsMachine):
    survives = False

    def open_store(self) -> Store:
        return MemoryStore()


class InSqlite(SessionsMachine):
    survives = True

    def open_store(self) -> Store:
        return SqliteStore(Path(self.folder.name) / "sessions.db")


@pytest.mark.parametrize("machine", [InMemory, InSqlite])
def test_any_history(machine: type[SessionsMachine], models: Models) -> None:
    machine.models = models
    histories = settings(
        max_examples=50, stateful_step_count=20, deadline=None, derandomize=True, database=None
    )
    run_state_machine_as_test(machine, settings=histories)
