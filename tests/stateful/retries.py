"""Rules: the same request again, and other requests with the same key."""

from dataclasses import replace

import hypothesis.strategies as st
from hypothesis.stateful import precondition, rule

from service.sessions.creation import NewSession
from service.sessions.receipts import Key
from tests.stateful.ground import Ground, numbers, replicas, seeds, waits
from tests.stateful.requests import (
    Change,
    Create,
    Fork,
    Migrate,
    PutState,
    Request,
    Step,
    key_of,
    new_key,
    with_key,
)

kinds = st.sampled_from(["step", "state", "migrate", "create"])
any_sent = st.integers(0, 40)
"""Which of the keyed requests so far, the latest first."""


class Retries(Ground):
    def earlier(self, number: int) -> Request:
        return self.sent[-1 - number % len(self.sent)]

    @precondition(lambda self: self.sent)
    @rule(after=waits, number=any_sent, replica=replicas)
    def retry(self, after: float, number: int, replica: int) -> None:
        """At any later time, wherever it is sent; the model knows what it must be told."""
        self.world.now += after
        request = self.earlier(number)
        if not self.world.unpromised(request):
            self.try_once(request, replica)

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
        earlier = self.earlier(number)
        if self.world.unpromised(earlier):
            return
        session_id = self._session_of(earlier)
        if kind == "create":
            create = Create("weather", NewSession(session_id))
            self.perform(replace(create, key=_another(earlier, create)), replica)
            return
        request: Change = Migrate(session_id, None)
        if kind == "step":
            request = Step(session_id, self.inputs(session_id, 1, seed))
        elif kind == "state":
            request = PutState(session_id, 0, self.state(session_id, seed))
        self.perform(with_key(request, _another(earlier, request)), replica)

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


def _another(earlier: Request, request: Request) -> Key:
    """The earlier request's key, come with another one."""
    key = key_of(earlier)
    assert key is not None
    return replace(new_key("", request, b"another body"), key=key.key)
