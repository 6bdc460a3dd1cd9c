"""Rules: sessions begin."""

from dataclasses import replace

import hypothesis.strategies as st
from hypothesis.stateful import rule

from service.operations.requests import NewSession
from tests.stateful.ground import (
    CHOSEN,
    Ground,
    kinds_of_key,
    lives,
    misfits,
    numbers,
    random_state,
    replicas,
    seeds,
    waits,
)
from tests.stateful.requests import Create, Fork, Step
from tests.stateful.world import latest

ids = st.sampled_from([None, *CHOSEN])
models = st.sampled_from(["weather", "letters-deep"])
metadata = st.sampled_from([None, b'{"site":"north"}'])


class Births(Ground):
    def repeat_for(self, forked_id: str, source_id: str) -> None:
        """What the source was sent is new to the fork: keys belong to one session."""
        for earlier in reversed(self.sent):
            if isinstance(earlier, Step) and earlier.session_id == source_id:
                self.repeat(earlier, forked_id, 0)
                return

    @rule(
        after=waits,
        chosen=ids,
        model=models,
        life=lives,
        meaning=metadata,
        seed=st.none() | seeds,
        misfit=misfits,
        keyed=kinds_of_key,
        replica=replicas,
    )
    def create(
        self,
        *,
        after: float,
        chosen: str | None,
        model: str,
        life: float | None,
        meaning: bytes | None,
        seed: int | None,
        misfit: int,
        keyed: str,
        replica: int,
    ) -> None:
        self.wait(after)
        served = self.served[replica % len(self.served)]
        size = self.world.size_of(model, latest(model, served))
        state = None if seed is None else random_state(size + misfit, seed)
        request = Create(model, NewSession(chosen, life, meaning), state)
        self.perform(replace(request, key=self.new_key(keyed)), replica)

    @rule(
        after=waits,
        source=numbers,
        chosen=st.sampled_from([None, None, None, "d"]),
        life=lives,
        meaning=metadata,
        match=st.sampled_from(["none", "none", "none", "right", "old"]),
        moment=st.sampled_from([None, None, None, 0, 1]),
        keyed=kinds_of_key,
        replica=replicas,
    )
    def fork(
        self,
        *,
        after: float,
        source: int,
        chosen: str | None,
        life: float | None,
        meaning: bytes | None,
        match: str,
        moment: int | None,
        keyed: str,
        replica: int,
    ) -> None:
        self.wait(after)
        source_id = self.name(source)
        of_source = self.conditions(source_id, match, moment)
        conditions = replace(of_source, key=self.new_key(keyed))
        request = Fork(source_id, NewSession(chosen, life, meaning), conditions)
        forked = self.perform(request, replica).told
        if forked is not None:
            self.repeat_for(forked.session_id, source_id)
