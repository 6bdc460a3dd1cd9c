"""Rules: sessions move."""

from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis.stateful import rule

from service.bundle.signatures.sampling import Sampling
from service.errors import GatewiseError
from service.sessions.receipts import KEPT_WRITERS
from tests.bundles import VOCABULARY
from tests.stateful.ground import (
    Ground,
    kinds_of_key,
    misfits,
    moments,
    numbers,
    replicas,
    seeds,
    tags,
    waits,
)
from tests.stateful.requests import VARIANTS, Forecast, Migrate, PutState, Rollout, Step

LONG = 50
"""Time steps whose outputs and gates take more room than a session has for answers."""
FAR = 40
"""Outputs fed back that take more as well."""

samplings = st.builds(
    Sampling,
    seed=st.integers(0, 3),
    temperature=st.sampled_from([0.0, 0.7, 1.0]),
    top_k=st.sampled_from([None, 1, 3]),
)


class Changes(Ground):
    @rule(
        after=waits,
        number=numbers,
        time=st.sampled_from([1, 1, 2, 4, LONG]),
        seed=seeds,
        gates=st.booleans(),
        match=tags,
        moment=moments,
        keyed=kinds_of_key,
        replica=replicas,
    )
    def step(
        self,
        *,
        after: float,
        number: int,
        time: int,
        seed: int,
        gates: bool,
        match: str,
        moment: int | None,
        keyed: str,
        replica: int,
    ) -> None:
        self.wait(after)
        session_id = self.name(number)
        conditions = self.conditions(session_id, match, moment)
        inputs = self.inputs(session_id, time, seed)
        variant = seed % len(VARIANTS)
        request = Step(session_id, inputs, gates or time == LONG, conditions, variant)
        self.perform(self.keyed(request, keyed), replica)

    @rule(
        number=numbers,
        count=st.integers(2, 10),
        time=st.sampled_from([1, 9, 9, LONG]),
        seed=seeds,
        keyed=st.sampled_from(["opaque", "numbered"]),
    )
    def many_keyed_steps(self, number: int, count: int, time: int, seed: int, keyed: str) -> None:
        """As many as push earlier answers out, or none."""
        session_id = self.name(number)
        for index in range(count):
            inputs = self.inputs(session_id, time, seed + index)
            self.try_once(self.keyed(Step(session_id, inputs, gates=True), keyed), index)

    @rule(
        number=numbers,
        count=st.sampled_from([3, 3, KEPT_WRITERS]),
        moment=st.sampled_from([None, 0]),
        seed=seeds,
    )
    def many_writers(self, number: int, count: int, moment: int | None, seed: int) -> None:
        """So many may push out whom the session heard longest ago, where they name its state."""
        session_id = self.name(number)
        for index in range(count):
            conditions = self.conditions(session_id, "none", moment)
            inputs = self.inputs(session_id, 1, seed)
            step = Step(session_id, inputs, conditions=conditions)
            self.try_once(self.keyed(step, "numbered", f"one-of-many-{index}"), index)

    @rule(after=waits, number=numbers, keyed=kinds_of_key, replica=replicas)
    def step_with_bad_input(self, after: float, number: int, keyed: str, replica: int) -> None:
        """Nothing moves, and the key is still free."""
        self.wait(after)
        session_id = self.name(number)

        good = self.keyed(Step(session_id, self.inputs(session_id, 1, 0)), keyed)
        wrong = np.full_like(good.inputs, len(VOCABULARY) if self.draws(session_id) else np.nan)
        bad = replace(good, inputs=wrong, variant=number % 2)
        with pytest.raises(GatewiseError):
            self.run(bad.send(self.replicas[replica % len(self.replicas)]))
        self.every_session_is_as_expected()
        self.perform(good, replica)

    @rule(
        after=waits,
        number=numbers,
        time=st.integers(0, 3),
        steps=st.sampled_from([1, 2, 3, 5, FAR]),
        seed=seeds,
        sampling=samplings,
        gates=st.booleans(),
        match=tags,
        moment=moments,
        keyed=kinds_of_key,
        replica=replicas,
    )
    def roll_out(
        self,
        *,
        after: float,
        number: int,
        time: int,
        steps: int,
        seed: int,
        sampling: Sampling,
        gates: bool,
        match: str,
        moment: int | None,
        keyed: str,
        replica: int,
    ) -> None:
        """First a look ahead, then the same for good: the same outputs."""
        self.wait(after)
        session_id = self.name(number)
        conditions = self.conditions(session_id, match, moment)
        inputs = self.inputs(session_id, time, seed)
        request = Rollout(
            session_id,
            inputs,
            steps,
            sampling if self.draws(session_id) else None,
            gates or steps == FAR,
            conditions=conditions,
            variant=seed % len(VARIANTS),
        )
        ahead = self.perform(replace(request, advance=False), replica + 1).told
        told = self.perform(self.keyed(request, keyed), replica).told
        if ahead is not None and told is not None:
            assert told.content == ahead.content

    @rule(
        number=numbers,
        time=st.sampled_from([1, 1, 3, LONG]),
        horizon=st.sampled_from([1, 2, 5, FAR]),
        seed=seeds,
        gates=st.booleans(),
        match=tags,
        moment=moments,
        keyed=kinds_of_key,
        replica=replicas,
    )
    def look_ahead(
        self,
        *,
        number: int,
        time: int,
        horizon: int,
        seed: int,
        gates: bool,
        match: str,
        moment: int | None,
        keyed: str,
        replica: int,
    ) -> None:
        """The session moves by the time steps, and the next rollout begins with the same."""
        session_id = self.name(number)
        if self.draws(session_id):
            return
        conditions = self.conditions(session_id, match, moment)
        inputs, variant = self.inputs(session_id, time, seed), seed % len(VARIANTS)
        request = Forecast(session_id, inputs, horizon, gates, conditions, variant)
        self.perform(self.keyed(request, keyed), replica)
        self.perform(Rollout(session_id, inputs[:0], horizon, advance=False), replica + 1)

    @rule(
        after=waits,
        number=numbers,
        step=st.integers(0, 2**53 - 1),
        seed=seeds,
        misfit=misfits,
        version=st.sampled_from([None, None, 1, 2]),
        match=tags,
        keyed=kinds_of_key,
        replica=replicas,
    )
    def replace_state(
        self,
        *,
        after: float,
        number: int,
        step: int,
        seed: int,
        misfit: int,
        version: int | None,
        match: str,
        keyed: str,
        replica: int,
    ) -> None:
        self.wait(after)
        session_id = self.name(number)
        conditions = self.conditions(session_id, match)
        request = PutState(
            session_id, step, self.state(session_id, seed, misfit), conditions, version
        )
        self.perform(self.keyed(request, keyed), replica)

    @rule(number=numbers, detour=st.booleans(), replica=replicas)
    def put_back(self, number: int, detour: bool, replica: int) -> None:
        """What was there is there again, but whoever saw it before is told that it changed."""
        session_id = self.name(number)
        known = self.world.alive(session_id)
        if known is None:
            return
        before = self.conditions(session_id, "right")
        step, state = known.step, known.state.astype(np.float32)
        if detour:
            self.perform(Step(session_id, self.inputs(session_id, 1, 0)), replica)
        self.perform(PutState(session_id, step, state), replica)
        self.perform(Step(session_id, self.inputs(session_id, 1, 1), conditions=before), replica)
        assert (known.step, known.state.astype(np.float32).tobytes()) == (step, state.tobytes())

    @rule(
        after=waits,
        number=numbers,
        version=st.sampled_from([None, 1, 2, 3]),
        time=st.sampled_from([1, LONG]),
        match=tags,
        keyed=kinds_of_key,
        replica=replicas,
    )
    def migrate(
        self,
        *,
        after: float,
        number: int,
        version: int | None,
        time: int,
        match: str,
        keyed: str,
        replica: int,
    ) -> None:
        """What was told before is told again afterwards, from the version that computed it."""
        self.wait(after)
        session_id = self.name(number)
        step = Step(session_id, self.inputs(session_id, time, time), gates=True)
        step = self.keyed(step, keyed or "opaque")
        self.try_once(step, replica)
        request = Migrate(session_id, version, self.conditions(session_id, match))
        self.perform(self.keyed(request, keyed), replica)
        if not self.world.unpromised(step):
            self.try_once(step, replica)
