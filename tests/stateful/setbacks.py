"""Rules: a store loses what it had confirmed, and a wall clock is set."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import hypothesis.strategies as st
from hypothesis.stateful import rule

from service.errors import GatewiseError, SessionMoved
from service.operations.requests import Get, NewSession
from service.sessions.reader import BEYOND_ALL_COPIES
from service.stores.store import Session, Store
from tests.stateful.expected import Expected
from tests.stateful.ground import numbers, replicas, seeds
from tests.stateful.lives import Lives
from tests.stateful.requests import Fork, PutState, Request, Step, outcome_of
from tests.stateful.world import versions_of

FIRST = ("look", "step", "at", "tag", "any", "put", "fork", "retry", "end")
"""What somebody asks first after a store fell back."""
PAGE = 100
DAY = 86_400.0


class Saved(NamedTuple):
    """What a store held at some moment, and what it should have held."""

    content: Sequence[Session]
    expected: Mapping[str, Expected]


class Setbacks(Lives):
    saved: Saved | None = None

    @rule()
    def save(self) -> None:
        """As a copy of a file is made, or a replica follows that is promoted later."""
        self.saved = Saved(_content_of(self.stores[0]), self.world.copy())

    @rule(number=numbers, kinds=st.permutations(FIRST), seed=seeds, replica=replicas)
    def fall_back(self, number: int, kinds: Sequence[str], seed: int, replica: int) -> None:
        """Whoever has a copy of what was lost notices it, whatever it is asked first."""
        if self.saved is None:
            self.save()
        for first in kinds[:3]:
            self.fall_back_once(number, first, seed, replica % len(self.replicas))

    def fall_back_once(self, number: int, first: str, seed: int, replica: int) -> None:
        assert self.saved is not None
        watched = self.stepped(number, seed, replica)
        _put_back(self.stores[0], self.saved.content)
        self.world.fall_back(self.saved.expected)
        self.wait(0.0)
        if watched is not None:
            self.notice(watched, first, seed, replica)
        self.settle()

    def stepped(self, number: int, seed: int, replica: int) -> Step | None:
        """A step just now of a session that was saved, of which this replica has a copy then."""
        assert self.saved is not None
        served = self.served[replica]
        candidates = [
            known
            for known in self.world.living()
            if known.version in versions_of(known.model, served)
            and (saved := self.saved.expected.get(known.session_id)) is not None
            and (saved.created_at, saved.finished) == (known.created_at, False)
            and saved.expires_at > self.world.now + 1
        ]
        if not candidates:
            return None
        session_id = candidates[number % len(candidates)].session_id
        conditions = self.conditions(session_id, "none", 0)
        step = Step(session_id, self.inputs(session_id, 1, seed), conditions=conditions)
        step = self.keyed(step, "opaque")
        return step if self.try_once(step, replica).told is not None else None

    def notice(self, lost: Step, first: str, seed: int, replica: int) -> None:
        """The first request after a fall back, where there is a copy of what was lost."""
        session_id = lost.session_id
        known = self.world.sessions[session_id]
        latest = known.past[-1]
        if first == "look":
            self.world.compare(self.run(self.replicas[replica].get(Get(session_id))))
            assert known.fell_back_from == latest.step
            return
        if first == "end":
            self.end(session_id, "none", replica)
            known.lost = frozenset()
            return
        request = lost if first == "retry" else self.first(session_id, first, seed)
        outcome = self.run(outcome_of(request, self.replicas[replica]))
        if isinstance(outcome.error, SessionMoved):
            changes = latest.changes + BEYOND_ALL_COPIES
            known.mark(int(outcome.error.tag, 16), latest.step, changes)
        else:
            known.noticed()
        self.check(request, outcome, replica)

    def first(self, session_id: str, kind: str, seed: int) -> Request:
        if kind == "put":
            return PutState(session_id, 3, self.state(session_id, seed))
        if kind == "fork":
            return Fork(session_id, NewSession())
        matching = {"tag": "right", "any": "any"}.get(kind, "none")
        conditions = self.conditions(session_id, matching, 0 if kind == "at" else None)
        return Step(session_id, self.inputs(session_id, 1, seed), conditions=conditions)

    def settle(self) -> None:
        """Every replica looks at every session: then no copy of what was lost is left."""
        for sessions in self.replicas:
            for session_id in self.ids:
                refused = self.world.dead(session_id)
                try:
                    self.world.compare(self.run(sessions.get(Get(session_id))))
                except GatewiseError as error:
                    assert refused is not None, repr(error)
                    refused.check(error)
        for known in self.world.sessions.values():
            known.lost = frozenset()

    @rule(
        seconds=st.sampled_from([-1_000.0, 100.0, 400_000.0]),
        accepted=st.booleans(),
        number=numbers,
        seed=seeds,
    )
    def wall_is_set(self, seconds: float, accepted: bool, number: int, seed: int) -> None:
        """Lives go on as before, and nothing is forgotten, until the wall is right or accepted."""
        self.clocks.jump(seconds)
        self.world.unbelieved = seconds
        self.keep_clocks()
        assert all(sessions.clock_held for sessions in self.replicas)
        assert self.run(self.replicas[0].purge(0.0)) == 0
        session_id = self.name(number)
        self.perform(Step(session_id, self.inputs(session_id, 1, seed)), number)
        self.every_session_is_as_expected()
        if accepted and 0 < seconds < DAY:
            self.stores[0].accept_clock()
        else:
            self.clocks.jump(-seconds)
        self.world.unbelieved = 0.0
        self.keep_clocks()
        self.wait(0.0)
        assert not any(sessions.clock_held for sessions in self.replicas)

    def keep_clocks(self) -> None:
        for sessions in self.replicas:
            self.run(sessions.keep_clock())


def _content_of(store: Store) -> Sequence[Session]:
    content = store.page(tenant="", model=None, after=("", ""), limit=PAGE)
    assert len(content) < PAGE
    return [one for one in content if isinstance(one, Session)]


def _put_back(store: Store, content: Sequence[Session]) -> None:
    for session in _content_of(store):
        store.remove(session.identity)
    for session in content:
        store.create(replace(session, row=0))
