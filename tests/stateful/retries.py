"""Rules: the same request again, and other requests with the same key."""

from dataclasses import replace

import hypothesis.strategies as st
from hypothesis.stateful import precondition, rule

from service.operations.conditions import Conditions
from service.operations.requests import NewSession
from tests.stateful.ground import WRITERS, Ground, key_of_text, numbers, replicas, seeds, waits
from tests.stateful.requests import (
    Change,
    Create,
    Fork,
    Migrate,
    PutState,
    Request,
    Step,
    another_way,
    key_of,
    with_key,
)

kinds = st.sampled_from(["step", "state", "migrate", "create", "create"])
any_sent = st.integers(0, 40)
"""Which of the keyed requests so far, the latest first."""


class Retries(Ground):
    def earlier(self, number: int) -> Request:
        return self.sent[-1 - number % len(self.sent)]

    @precondition(lambda self: self.sent)
    @rule(after=waits, number=any_sent, replica=replicas)
    def retry(self, after: float, number: int, replica: int) -> None:
        """At any later time, wherever it is sent; the model knows what it must be told."""
        self.wait(after)
        request = self.earlier(number)
        if isinstance(request, Change) and number % 3 == 0:
            # What was true of the first try is not looked at again.
            conditions = replace(request.conditions, if_match=frozenset("0"))
            request = replace(request, conditions=conditions)
        if self.fits(request) and not self.world.unpromised(request):
            self.try_once(another_way(request), replica)

    @rule(
        number=numbers,
        writer=st.sampled_from(WRITERS),
        which=st.integers(1, 12),
        seed=seeds,
        replica=replicas,
    )
    def any_number(self, number: int, writer: str, which: int, seed: int, replica: int) -> None:
        """Applied where it is the writer's next, or later; never where it is not."""
        session_id = self.name(number)
        conditions = Conditions(key_of_text(f"{writer}:{which}"))
        step = Step(session_id, self.inputs(session_id, 1, seed), conditions=conditions)
        self.try_once(step, replica)

    @precondition(lambda self: self.sent)
    @rule(replica=replicas)
    def retry_the_latest_ones(self, replica: int) -> None:
        for number in range(min(len(self.sent), 12)):
            self.retry(0.0, number, replica + number)

    @precondition(lambda self: self.sent)
    @rule(number=any_sent, kind=kinds, seed=seeds, replica=replicas)
    def same_key_with_another_request(
        self, number: int, kind: str, seed: int, replica: int
    ) -> None:
        births = [one for one in self.sent if isinstance(one, Create)]
        births = [one for one in births if not self.world.unpromised(one)]
        earlier = births[-1] if kind == "create" and births else self.earlier(number)
        if self.world.unpromised(earlier):
            return
        session_id = self._session_of(earlier)
        if kind == "create":
            create = Create("weather", NewSession(session_id))
            self.perform(replace(create, key=key_of(earlier)), replica)
            return
        request: Change = Migrate(session_id, None)
        if kind == "step":
            request = Step(session_id, self.inputs(session_id, 1, seed))
        elif kind == "state":
            request = PutState(session_id, 0, self.state(session_id, seed))
        self.perform(with_key(request, key_of(earlier)), replica)

    @precondition(lambda self: self.sent)
    @rule(number=any_sent, other=numbers, replica=replicas)
    def same_request_for_another_session(self, number: int, other: int, replica: int) -> None:
        """Keys belong to the session that a request names: there it is a new one."""
        earlier, session_id = self.earlier(number), self.name(other)
        if isinstance(earlier, Step):
            self.repeat(earlier, session_id, replica)
        elif isinstance(earlier, Fork) and earlier.new.session_id is None:
            self.perform(replace(earlier, source_id=session_id), replica)

    def _session_of(self, request: Request) -> str:
        if isinstance(request, Create | Fork):
            return self.world.target_of(request) or ""
        return request.session_id
