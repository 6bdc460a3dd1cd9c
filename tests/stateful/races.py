"""Rules: many requests at once, for one session and for several, at one replica and at both."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import hypothesis.strategies as st
from hypothesis.stateful import precondition, rule

from service.bundle.signatures.sampling import Sampling
from service.operations.requests import ListSessions, NewSession
from service.sessions.receipts import KEPT_WRITERS
from tests.stateful.changes import LONG, Changes
from tests.stateful.expected import Expected
from tests.stateful.ground import (
    TICK,
    kinds_of_key,
    lives,
    moments,
    numbers,
    replicas,
    seeds,
    tags,
)
from tests.stateful.lives import Lives
from tests.stateful.requests import (
    Change,
    Create,
    Outcome,
    PutState,
    Request,
    Rollout,
    Step,
    outcome_of,
    outcomes_of_block,
)
from tests.stateful.world import versions_of

kinds = st.sampled_from(["step", "step", "roll", "put"])
KINDS_OF_KEY = ("opaque", "numbered")
plans = st.tuples(numbers, kinds, st.integers(1, 3), replicas, kinds_of_key)
"""Which session, what, how many time steps, where, and with which kind of key: those with one are
sent to both replicas."""


class Sent(NamedTuple):
    """A request on its way to a replica."""

    request: Request
    replica: int


class Races(Changes, Lives):
    async def answers(self, sent: Sequence[Sent]) -> list[Outcome]:
        """All at once."""
        return await asyncio.gather(
            *(outcome_of(request, self.replicas[replica]) for request, replica in sent)
        )

    def served_everywhere(self, number: int) -> Expected | None:
        """A session that lives, on a version that every replica has: who is first matters not."""
        known = self.world.alive(self.name(number))
        served = set.intersection(*self.served)
        if known is None or known.fell_back_from is not None:
            return None
        return known if known.version in versions_of(known.model, served) else None

    def change(self, session_id: str, kind: str, time: int, seed: int) -> Change:
        if kind == "put":
            return PutState(session_id, time, self.state(session_id, seed))
        inputs = self.inputs(session_id, time, seed)
        if kind == "roll":
            sampling = Sampling(seed) if self.draws(session_id) else None
            return Rollout(session_id, inputs, time, sampling)
        return Step(session_id, inputs, gates=seed % 2 == 0)

    @rule(plans=st.lists(plans, min_size=2, max_size=6), seed=seeds)
    def together(self, plans: list[tuple[int, str, int, int, str]], seed: int) -> None:
        """Each is applied once, in some order that their changes tell."""
        sent: list[Sent] = []
        for index, (number, kind, time, where, keyed) in enumerate(plans):
            known = self.served_everywhere(number)
            if known is None:
                continue
            replica = where % len(self.replicas)
            request = self.change(known.session_id, kind, time, seed + index)
            if keyed:
                # One more writer may be one too many.
                room = len(known.writers) <= KEPT_WRITERS - len(plans)
                kind_of_key = keyed if room else "opaque"
                request = self.keyed(request, kind_of_key, f"racer-{index}")
                sent.append(Sent(request, (replica + 1) % len(self.replicas)))
            sent.append(Sent(request, replica))
        answered = list(zip(sent, self.run(self.answers(sent)), strict=True))
        for one, outcome in sorted(answered, key=self.place_in_order):
            self.check(one.request, outcome, one.replica)
        self.check_arrival(answered)

    @rule(
        rows=st.lists(st.tuples(numbers, kinds_of_key, tags, moments), min_size=2, max_size=12),
        time=st.sampled_from([1, 1, 1, 3, LONG]),
        gates=st.booleans(),
        seed=seeds,
        replica=replicas,
    )
    def in_a_block(
        self,
        rows: list[tuple[int, str, str, int | None]],
        time: int,
        seed: int,
        replica: int,
        *,
        gates: bool,
    ) -> None:
        """Rows of one session are applied in their order, and no row is another's fault."""
        steps: list[Step] = []
        for index, (number, keyed, match, moment) in enumerate(rows):
            session_id = self.name(number)
            inputs = self.inputs(session_id, time, seed + index)
            if not steps or inputs.dtype == steps[0].inputs.dtype:
                conditions = self.conditions(session_id, match, moment)
                steps.append(self.keyed(Step(session_id, inputs, gates, conditions), keyed))
        self.wait(TICK)
        sessions = self.replicas[replica % len(self.replicas)]
        outcomes = self.run(outcomes_of_block(steps, sessions))
        for step, outcome in zip(steps, outcomes, strict=True):
            self.check(step, outcome, replica)

    def place_in_order(self, one: tuple[Sent, Outcome]) -> tuple[int, bool]:
        told = one[1].told
        assert told is not None, repr(one[1].error)
        return self.order[told.revision], one[1].replayed

    def check_arrival(self, answered: Sequence[tuple[Sent, Outcome]]) -> None:
        """At one replica a session's requests are applied in order of arrival."""
        latest: dict[tuple[str, int], int] = {}
        for one in answered:
            (request, replica), outcome = one
            assert outcome.told is not None
            if isinstance(request, Step | PutState) and not outcome.replayed:
                place = (outcome.told.session_id, replica)
                change, _ = self.place_in_order(one)
                assert latest.get(place, -1) < change
                latest[place] = change

    @rule(
        number=numbers,
        kinds=st.lists(kinds, min_size=2, max_size=4),
        by_tag=st.booleans(),
        seed=seeds,
    )
    def race_for_one_place(self, number: int, kinds: list[str], by_tag: bool, seed: int) -> None:
        """All want the session as it is: one has it, the others are told where it went."""
        known = self.served_everywhere(number)
        if known is None:
            return
        session_id = known.session_id
        wanted = self.conditions(session_id, "right" if by_tag else "none", None if by_tag else 0)
        sent: list[Sent] = []
        for index, kind in enumerate(kinds):
            # A state put in place may be at the very same step, where `at` is true once more.
            change = self.change(session_id, kind if by_tag else "step", 1, seed + index)
            sent.append(Sent(replace(change, conditions=wanted), index % len(self.replicas)))
        outcomes = self.run(self.answers(sent))
        answered = sorted(zip(sent, outcomes, strict=True), key=lambda one: one[1].told is None)
        for (request, replica), outcome in answered:
            self.check(request, outcome, replica)

    @rule(
        life=lives,
        chosen=st.sampled_from([None, "a", "d"]),
        kind=st.sampled_from(KINDS_OF_KEY),
    )
    def create_twice_at_once(self, life: float | None, chosen: str | None, kind: str) -> None:
        request = Create("letters-deep", NewSession(chosen, life))
        request = replace(request, key=self.new_key(kind))
        sent = [Sent(request, index % len(self.replicas)) for index in range(2)]
        outcomes = self.run(self.answers(sent))
        for outcome in sorted(outcomes, key=lambda one: one.replayed):
            self.check(request, outcome, 0)

    @rule(
        number=numbers,
        kind=kinds,
        time=st.sampled_from([1, 3, LONG]),
        turns=st.integers(0, 3),
        seed=seeds,
        replica=replicas,
    )
    def give_up_and_retry(
        self, *, number: int, kind: str, time: int, turns: int, seed: int, replica: int
    ) -> None:
        """A caller goes away at any moment, and sends the same again, to the other replica too."""
        change = self.change(self.name(number), kind, time, seed)
        request = self.keyed(change, KINDS_OF_KEY[seed % 2])
        first = self.replicas[replica % len(self.replicas)]

        async def give_up() -> None:
            trying = asyncio.create_task(outcome_of(request, first))
            for _ in range(turns):
                await asyncio.sleep(0)
            trying.cancel()
            await asyncio.gather(trying, return_exceptions=True)

        self.run(give_up())
        self.try_once(request, replica + 1, perhaps_applied=True)
        # What the first try left in the queue is over when this is answered.
        self.run(asyncio.wait_for(first.page(ListSessions(limit=1)), 10))

    @precondition(lambda self: self.place.shared and self.crashes)
    @rule(kinds=st.lists(kinds, min_size=1, max_size=4), seed=seeds)
    def crash_under_way(self, kinds: list[str], seed: int) -> None:
        """The store dies while requests are; each one's retry has it applied exactly once."""
        self.crashes -= 1
        living = self.world.living()
        sent = [
            Sent(
                self.keyed(
                    self.change(known.session_id, kind, 1, seed),
                    KINDS_OF_KEY[index % 2],
                    "caller",
                ),
                index % 2,
            )
            for index, (known, kind) in enumerate(zip(living, kinds, strict=False))
        ]

        async def crash() -> list[Outcome]:
            outcomes, _ = await asyncio.gather(
                self.answers(sent), asyncio.to_thread(self.place.crash)
            )
            return outcomes

        for (request, replica), outcome in zip(sent, self.run(crash()), strict=True):
            if outcome.told is not None:
                self.check(request, outcome, replica)
            self.try_once(request, replica + 1, perhaps_applied=True)
