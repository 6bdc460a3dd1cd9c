"""What all rules stand on: a service of one or two replicas, and the model beside it."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

import hypothesis.strategies as st
import numpy as np
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant
from numpy.typing import NDArray

from service.engine.engine import Engine
from service.errors import SessionExpired, SessionFinished, SessionNotFound
from service.operations.conditions import ANY, Conditions
from service.operations.keys import Key, writer_digest
from service.operations.limits import Limits
from service.operations.requests import Get, NewSession
from service.repository.models import Models
from service.sessions.sequences import Sequences
from service.sessions.sessions import Sessions
from service.stores.store import Session, Store
from tests.bundles import VOCABULARY
from tests.manual_clocks import ManualClocks
from tests.stateful.effects import DEFAULT_TTL, judge
from tests.stateful.noting import NotingStore
from tests.stateful.places import Place
from tests.stateful.requests import (
    Changing,
    Create,
    Forecast,
    Outcome,
    Request,
    Rollout,
    Step,
    another_way,
    key_of,
    outcome_of,
    with_key,
)
from tests.stateful.world import Networks, World, latest

CRASHES = 2
"""How many a history may have, if it may have any."""
START = 2.0**31
"""The first moment of a history."""
TICK = 2.0**-10
"""What passes before every request. All times are sums of such, which floats hold exactly."""
FEW = 10
"""Sessions that a history may fill a service with."""
CHOSEN = ("a", "b", "c", "d")

Told = TypeVar("Told")

numbers = st.integers(0, 11)
"""Which of some, counted round."""
seeds = st.integers(0, 2**32 - 1)
replicas = st.integers(0, 1)
waits = st.sampled_from([0.0] * 24 + [0.5, 1.0, 5.0, 50.0, 160.0])
"""Before a rule does its work: enough to let some lives end."""
lives = st.sampled_from([None, 5.0, 1_000.0, 1_000.0])
tags = st.sampled_from(["none", "none", "right", "old", "any", "both"])
kinds_of_key = st.sampled_from(["", "", "opaque", "numbered"])
misfits = st.sampled_from([0] * 12 + [-1, 1])
"""How much wider a state is than it should be."""
moments = st.sampled_from([None, None, None, 0, 0, -1, 2])
"""How far `at` is from the truth; None says nothing."""

RECENT_BYTES = 7_000
"""Room for a few sessions, and for the largest: the one used next is sometimes there and sometimes
not, and the one used last always is."""
LIMITS = Limits(1_000_000)
WRITERS = ("north", "south.2", "~west")


class Ground(RuleBasedStateMachine):
    """Subclasses name a place and a capacity; mixins bring the rules."""

    place: ClassVar[Place]
    max_sessions: ClassVar[int] = 1_000
    engines: ClassVar[Sequence[Engine]]
    """`weather` 1, `weather` 2 with the same layers, `weather` 3 with others, `letters-deep` 1."""
    networks: ClassVar[Networks]
    seen: ClassVar[set[str]]
    """Every kind of outcome in all histories."""

    def __init__(self) -> None:
        super().__init__()
        self.clocks = ManualClocks(START)
        self.world = World(self.networks, self.clocks, self.max_sessions)
        self.order: dict[int, int] = {}
        """By revision, which change of its session it was."""
        self.loop = asyncio.new_event_loop()
        self.sequences = Sequences(64)
        self.served = [{1} for _ in range(self.place.replicas)]
        self.sent: list[Request] = []
        self.ids = list(CHOSEN)
        self.keys = 0
        self.crashes = 0
        self.place.clear()
        self.open()

    def open(self) -> None:
        self.models = [
            Models(engine for engine in self.engines if engine.manifest.version in served)
            for served in self.served
        ]
        self.stores = [self.place.open(self.clocks.clocks) for _ in self.models]
        self.replicas = list(map(self._replica, self.models, self.stores))

    def _replica(self, models: Models, store: Store) -> Sessions:
        return Sessions(
            models,
            NotingStore(store, self.order),
            self.sequences,
            LIMITS,
            ttl_seconds=DEFAULT_TTL,
            max_sessions=self.max_sessions,
            max_batch=8,
            max_queue=64,
            recent_bytes=RECENT_BYTES,
        )

    def close(self, replicas: Sequence[Sessions]) -> None:
        for sessions in replicas:
            self.run(sessions.close())

    def teardown(self) -> None:
        self.seen.update(self.world.seen)
        self.close(self.replicas)
        self.sequences.close()
        self.loop.close()

    def wait(self, seconds: float) -> None:
        """Lives go on; a service that may be full counts again, as it does after a while."""
        self.clocks.pass_time(seconds)
        if self.max_sessions <= FEW:
            for sessions in self.replicas:
                self.run(sessions.count())

    def run(self, work: Coroutine[Any, Any, Told]) -> Told:
        # asyncio.Runner would set up signal handlers each time, which takes longer than the work.
        return self.loop.run_until_complete(work)

    def perform(self, request: Request, replica: int) -> Outcome:
        """Send a request, and where its key makes that safe once more, to the next replica."""
        outcome = self.try_once(request, replica)
        if outcome.told is not None and not self.world.unpromised(request):
            self.try_once(another_way(request), replica + 1)
        return outcome

    def try_once(self, request: Request, replica: int, *, perhaps_applied: bool = False) -> Outcome:
        """Send a request, and see that the outcome is right."""
        replica %= len(self.replicas)
        if not perhaps_applied:
            self.wait(TICK)
        outcome = self.run(outcome_of(request, self.replicas[replica]))
        self.check(request, outcome, replica, perhaps_applied=perhaps_applied)
        return outcome

    def check(
        self, request: Request, outcome: Outcome, replica: int, *, perhaps_applied: bool = False
    ) -> None:
        served = self.served[replica % len(self.served)]
        judge(self.world, request, outcome, served, perhaps_applied=perhaps_applied)
        if outcome.told is not None:
            if outcome.told.session_id not in self.ids:
                self.ids.append(outcome.told.session_id)
            if key_of(request) is not None and (perhaps_applied or not outcome.replayed):
                self.sent.append(request)

    def name(self, number: int) -> str:
        """An id: mostly one that lives, if any does, else any of all times."""
        living = self.world.living()
        if living and number % 6 != 5:
            return living[number % len(living)].session_id
        return self.ids[number % len(self.ids)]

    def new_key(self, kind: str) -> Key | None:
        """A key that no request had before: opaque or numbered; None where no kind is given."""
        self.keys += 1
        if not kind:
            return None
        writer = WRITERS[self.keys % len(WRITERS)]
        return key_of_text(f"{writer}:{self.keys}" if kind == "numbered" else f"{self.keys}")

    def keyed(self, request: Changing, kind: str, writer: str = "") -> Changing:
        """With a new key for its session; a numbered one may leave a number out now and then,
        where no writer is given."""
        if kind != "numbered":
            return with_key(request, self.new_key(kind))
        self.keys += 1
        gap = not writer and self.keys % 5 == 4
        writer = writer or WRITERS[self.keys % len(WRITERS)]
        known = self.world.sessions.get(request.session_id)
        highest = 0 if known is None else known.writers.get(writer_digest(writer.encode()), 0)
        return with_key(request, key_of_text(f"{writer}:{highest + 1 + gap}"))

    def conditions(self, session_id: str, match: str, moment: int | None = None) -> Conditions:
        """Conditions on a session, true or not."""
        known = self.world.sessions.get(session_id)
        tag, step = ("0", 0) if known is None else (known.tag, known.step)
        earlier = [one for one in self.world.tags[session_id] if one != tag]
        old = earlier[-1 - self.keys % len(earlier)] if earlier else "1"
        matching = {"right": {tag}, "old": {old}, "any": {ANY}, "both": {old, tag}}.get(match)
        return Conditions(
            at=None if moment is None else max(step + moment, 0),
            if_match=None if matching is None else frozenset(matching),
        )

    def inputs(self, session_id: str, time: int, seed: int) -> NDArray[Any]:
        """Inputs [T, F] or [T] that fit the session, whatever its version."""
        random = np.random.default_rng(seed)
        if self.draws(session_id):
            return random.integers(0, len(VOCABULARY), time)
        return random.normal((20, 1000, 0.5), (5, 10, 0.2), (time, 3)).astype(np.float32)

    def draws(self, session_id: str) -> bool:
        """Whether its model takes tokens, and draws them."""
        known = self.world.sessions.get(session_id)
        return known is not None and known.model == "letters-deep"

    def fits(self, request: Request) -> bool:
        """Whether the session's model takes such inputs, also where it was made anew."""
        if not isinstance(request, Step | Rollout | Forecast):
            return True
        return bool(request.inputs.dtype == self.inputs(request.session_id, 1, 0).dtype)

    def repeat(self, step: Step, session_id: str, replica: int) -> None:
        """The same for another session, if its model takes such inputs."""
        there = replace(step, session_id=session_id)
        if self.fits(there):
            self.perform(there, replica)

    def state(self, session_id: str, seed: int, misfit: int = 0) -> NDArray[np.float32]:
        known = self.world.sessions.get(session_id)
        return random_state((6 if known is None else len(known.state)) + misfit, seed)

    @initialize(lot=st.integers(0, 11))
    def begin(self, lot: int) -> None:
        """Something to work on, with lives of different lengths."""
        self.crashes = CRASHES if lot % self.place.mortality == 0 else 0
        for name, model, ttl in (
            ("a", "weather", 5.0),
            ("b", "letters-deep", None),
            ("c", "weather", 1_000.0),
        ):
            version = latest(model, self.served[0])
            size = self.world.size_of(model, version)
            self.perform(Create(model, NewSession(name, ttl), random_state(size, ord(name))), 0)

    @invariant()
    def every_session_is_as_expected(self) -> None:
        for session_id, found in zip(self.ids, self.run(self._all()), strict=True):
            refused = self.world.dead(session_id)
            if refused is not None:
                assert isinstance(found, SessionNotFound | SessionExpired | SessionFinished), (
                    session_id
                )
                refused.check(found)
            else:
                assert isinstance(found, Session), repr(found)
                self.world.compare(found)

    async def _all(self) -> Sequence[Session | BaseException]:
        """Every session that ever was, from one replica or the other."""
        return await asyncio.gather(
            *(
                self.replicas[number % len(self.replicas)].get(Get(session_id))
                for number, session_id in enumerate(self.ids)
            ),
            return_exceptions=True,
        )


def key_of_text(text: str) -> Key:
    return Key.of(text.encode())


def random_state(size: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(-1, 1, size).astype(np.float32)
