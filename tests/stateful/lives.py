"""Rules: sessions end, are listed, and outlive the processes that serve them."""

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import precondition, rule

from service.errors import SessionError
from service.operations.requests import Delete, ListSessions, NewSession
from service.stores.store import Position
from tests.stateful.ground import FEW, TICK, Ground, kinds_of_key, numbers, replicas, tags, waits
from tests.stateful.requests import Create

RETENTION = 100.0


class Lives(Ground):
    @rule(after=waits, number=numbers, match=tags, replica=replicas)
    def delete(self, after: float, number: int, match: str, replica: int) -> None:
        self.wait(after)
        self.end(self.name(number), match, replica)

    def end(self, session_id: str, match: str, replica: int) -> None:
        """A tombstone is left, whatever the session was."""
        self.wait(TICK)
        conditions = self.conditions(session_id, match)
        known = self.world.sessions.get(session_id)
        refused = None
        if known is None or known.finished:
            refused = self.world.dead(session_id)
        elif conditions.if_match is not None:
            refused = self.world.dead(session_id) or self.world.untrue(known, conditions)
        sessions = self.replicas[replica % len(self.replicas)]
        request = Delete(session_id, conditions)
        if refused is None:
            assert known is not None
            self.run(sessions.delete(request))
            known.finish(self.world.now)
            return
        with pytest.raises(SessionError) as raised:
            self.run(sessions.delete(request))
        refused.check(raised.value)

    @precondition(lambda self: self.sent)
    @rule(number=numbers, keyed=kinds_of_key, replica=replicas)
    def end_and_begin_anew(self, number: int, keyed: str, replica: int) -> None:
        """A late try of the request that made it does not bring it back; a new one may."""
        births = [one for one in self.sent if isinstance(one, Create)]
        living = [one for one in births if self.world.alive(self.world.target_of(one) or "")]
        if not living:
            return
        birth = living[number % len(living)]
        session_id = self.world.target_of(birth)
        assert session_id is not None
        self.end(session_id, "none", replica)
        self.try_once(birth, replica + 1)
        new = replace(birth.new, session_id=session_id)
        self.perform(replace(birth, new=new, key=self.new_key(keyed)), replica)

    @precondition(lambda self: self.max_sessions <= FEW)
    @rule(after=waits, clear=st.booleans())
    def fill(self, after: float, clear: bool) -> None:
        """As many as fit and one more; the end of what expired before makes no room."""
        self.wait(after)
        if clear:
            self.perform(Create("weather", NewSession(ttl_seconds=1_000.0)), 0)
            for session_id in sorted(self.world.sessions):
                if self.world.alive(session_id) is None:
                    self.end(session_id, "none", 0)
        for _ in range(self.max_sessions + 1):
            self.perform(Create("weather", NewSession(ttl_seconds=1_000.0)), 0)

    @rule(after=waits)
    def purge(self, after: float) -> None:
        self.wait(after)
        before = self.world.now - RETENTION
        old = [one.session_id for one in self.world.sessions.values() if one.expires_at < before]
        assert self.run(self.replicas[0].purge(RETENTION)) == len(old)
        for session_id in old:
            del self.world.sessions[session_id]

    @rule(
        after=waits,
        limit=st.integers(1, 3),
        model=st.sampled_from([None, "weather", "letters-deep"]),
        replica=replicas,
    )
    def list_pages(self, after: float, limit: int, model: str | None, replica: int) -> None:
        self.wait(after)
        sessions = self.replicas[replica % len(self.replicas)]
        found = []
        cursor: Position | None = ("", "")
        while cursor is not None:
            page = self.run(sessions.page(ListSessions(model, cursor, limit)))
            assert len(page.sessions) <= limit
            found += page.sessions
            cursor = page.cursor
        expected = sorted(
            (one for one in self.world.living() if model in (None, one.model)),
            key=lambda one: (one.model, one.session_id),
        )
        for known, session in zip(expected, found, strict=True):
            assert known.session_id == session.session_id
            self.world.compare(session)

    @precondition(lambda self: any(len(served) < 3 for served in self.served))
    @rule(replica=replicas, newest=st.sampled_from([2, 3]))
    def new_versions_appear(self, replica: int, newest: int) -> None:
        """On one replica, and later on the other; sessions go on with theirs."""
        replica %= len(self.replicas)
        for engine in self.engines:
            name, version = engine.manifest.name, engine.manifest.version
            if name == "weather" and version <= newest and version not in self.served[replica]:
                self.served[replica].add(version)
                self.models[replica].add(engine)

    @precondition(lambda self: self.place.survives or self.crashes)
    @rule(after=waits)
    def start_again(self, after: float) -> None:
        self.wait(after)
        self.close(self.replicas)
        self.lose()
        self.open()

    @precondition(lambda self: self.crashes)
    @rule(after=waits)
    def crash(self, after: float) -> None:
        """Everything dies at once, in no order: what was answered is there again."""
        self.wait(after)
        self.crashes -= 1
        abandoned = self.replicas
        self.place.crash()
        self.lose()
        self.open()
        self.close(abandoned)

    def lose(self) -> None:
        """What does not outlive its store."""
        if not self.place.survives:
            self.world.sessions.clear()
