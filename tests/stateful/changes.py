"""Rules: sessions move."""

from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis.stateful import rule
from numpy.typing import NDArray
from service.sessions.conditions import Conditions
from service.sessions.sampling import Sampling

from service.errors import GatewiseError, InvalidInput
from service.sessions.stepping import StepRequest
from tests.stateful.ground import Ground, misfits, moments, numbers, replicas, seeds, tags, waits
from tests.stateful.requests import (
    Changing,
    Migrate,
    PutState,
    Rollout,
    Step,
    new_key,
    with_key,
)

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
    def keyed(self, request: Changing) -> Changing:
        """With a key that no request had before."""
        return with_key(request, new_key(self.next_key(), request))

    @rule(
        after=waits,
        number=numbers,
        time=st.sampled_from([1, 1, 2, 4, LONG]),
        seed=seeds,
        gates=st.booleans(),
        match=tags,
        moment=moments,
        keyed=st.booleans(),
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
        keyed: bool,
        replica: int,
    ) -> None:
        self.world.now += after
        session_id = self.name(number)
        conditions = self.conditions(session_id, match, moment)
        inputs = self.inputs(session_id, time, seed)
        request = Step(session_id, inputs, gates or time == LONG, conditions)
        self.perform(self.keyed(request) if keyed else request, replica)

    @rule(
        number=numbers, count=st.integers(2, 10), time=st.sampled_from([1, 9, 9, LONG]), seed=seeds
    )
    def many_keyed_steps(self, number: int, count: int, time: int, seed: int) -> None:
        """As many as push earlier answers out, or none."""
        session_id = self.name(number)
        for index in range(count):
            inputs = self.inputs(session_id, time, seed + index)
            self.try_once(self.keyed(Step(session_id, inputs, gates=True)), index)

    @rule(after=waits, number=numbers, keyed=st.booleans(), replica=replicas)
    def step_with_bad_input(self, after: float, number: int, keyed: bool, replica: int) -> None:
        """Nothing moves, and the key is still free."""
        self.world.now += after
        session_id = self.name(number)

        def decode(_: object) -> NDArray[np.float32]:
            raise InvalidInput.at(("inputs",), "bad")

        good = Step(session_id, self.inputs(session_id, 1, 0))
        good = self.keyed(good) if keyed else good
        bad = StepRequest(session_id, decode, False, Conditions(good.conditions.key))
        with pytest.raises(GatewiseError):
            self.run(self.replicas[replica % len(self.replicas)].step(bad))
        self.every_session_is_as_expected()
        self.perform(good, replica)

    @rule(
        after=waits,
        number=numbers,
        time=st.integers(1, 3),
        steps=st.sampled_from([1, 2, 3, 5, FAR]),
        seed=seeds,
        sampling=samplings,
        gates=st.booleans(),
        match=tags,
        moment=moments,
        keyed=st.booleans(),
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
        keyed: bool,
        replica: int,
    ) -> None:
        """First a look ahead, then the same for good: the same outputs."""
        self.world.now += after
        session_id = self.name(number)
        conditions = self.conditions(session_id, match, moment)
        inputs = self.inputs(session_id, time, seed)
        request = Rollout(
            session_id, inputs, steps, sampling, gates or steps == FAR, conditions=conditions
        )
        ahead = self.perform(replace(request, advance=False), replica + 1).told
        told = self.perform(self.keyed(request) if keyed else request, replica).told
        if ahead is not None and told is not None:
            assert told.content == ahead.content

    @rule(
        after=waits,
        number=numbers,
        step=st.integers(0, 2**53 - 1),
        seed=seeds,
        misfit=misfits,
        version=st.sampled_from([None, None, 1, 2]),
        match=tags,
        keyed=st.booleans(),
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
        keyed: bool,
        replica: int,
    ) -> None:
        self.world.now += after
        session_id = self.name(number)
        conditions = self.conditions(session_id, match)
        request = PutState(
            session_id, step, self.state(session_id, seed, misfit), conditions, version
        )
        self.perform(self.keyed(request) if keyed else request, replica)

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
        keyed=st.booleans(),
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
        keyed: bool,
        replica: int,
    ) -> None:
        """What was told before is told again afterwards, from the version that computed it."""
        self.world.now += after
        session_id = self.name(number)
        step = self.keyed(Step(session_id, self.inputs(session_id, time, time), gates=True))
        self.try_once(step, replica)
        request = Migrate(session_id, version, self.conditions(session_id, match))
        self.perform(self.keyed(request) if keyed else request, replica)
        if not self.world.unpromised(step):
            self.try_once(step, replica)
