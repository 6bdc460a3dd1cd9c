"""Rows of any mixture, run together: each gets what it would have got alone."""

from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from service.batcher.compute import Computed, Row, compute
from service.bundle.signatures import Tokens
from service.engine.engine import Engine
from service.repository.models import Models
from tests.bundles import served_models
from tests.oracle import Oracle, Trace, assert_agrees

ORACLES = {trained.name: Oracle(trained.network) for trained in served_models()}
mixtures = st.lists(
    st.tuples(
        st.sampled_from(sorted(ORACLES)), st.sampled_from([1, 1, 2, 3, 5, 8, 9]), st.booleans()
    )
)


def row(engine: Engine, time: int, *, gates: bool = False, seed: int = 0) -> Row:
    random = np.random.default_rng(seed)
    signature = engine.manifest.input
    inputs: NDArray[Any]
    if isinstance(signature, Tokens):
        inputs = random.integers(0, signature.size, time)
    else:
        inputs = random.normal((20, 1000, 0.5), (5, 10, 0.2), (time, 3)).astype(np.float32)
    state = random.uniform(-1, 1, engine.manifest.state_size).astype(np.float32)
    return Row(engine, inputs, state, gates)


def expected(one: Row) -> Trace:
    oracle = ORACLES[one.engine.manifest.name]
    return oracle.run(one.inputs[np.newaxis], one.state[np.newaxis])


@settings(max_examples=40, derandomize=True)
@given(mixtures)
def test_every_row_gets_its_own_answer(
    models: Models, mixture: list[tuple[str, int, bool]]
) -> None:
    rows = [
        row(models.default(name), time, gates=gates, seed=seed)
        for seed, (name, time, gates) in enumerate(mixture)
    ]
    outcomes = compute(rows)
    assert len(outcomes) == len(rows)
    for one, outcome in zip(rows, outcomes, strict=True):
        assert isinstance(outcome, Computed)
        trace = expected(one)
        assert_agrees(outcome.outputs, trace.output[0])
        assert_agrees(outcome.state, trace.state[0])
        assert (outcome.gates is not None) == one.gates
        if outcome.gates is not None:
            for name in ("reset", "update", "candidate", "hidden"):
                assert_agrees(outcome.gates[name], getattr(trace, name)[0])


@pytest.mark.parametrize("bad", [0, 2, 4])
@pytest.mark.parametrize("time", [1, 6])
def test_a_failing_row_fails_alone(models: Models, bad: int, time: int) -> None:
    """ONNX Runtime refuses a whole batch for one bad token; its neighbours are run again."""
    rows = [row(models.default("letters"), time, gates=True, seed=seed) for seed in range(5)]
    rows[bad] = replace(rows[bad], inputs=np.full(time, 99))
    outcomes = compute(rows)
    assert isinstance(outcomes[bad], Exception)
    for index, outcome in enumerate(outcomes):
        if index != bad:
            assert isinstance(outcome, Computed)
            assert_agrees(outcome.state, expected(rows[index]).state[0])


def test_a_row_of_wrong_width_fails_alone(models: Models) -> None:
    rows = [row(models.default("weather"), 1, seed=seed) for seed in range(3)]
    rows[1] = replace(rows[1], state=np.zeros(5, np.float32))
    outcomes = compute(rows)
    assert [isinstance(outcome, Computed) for outcome in outcomes] == [True, False, True]


def test_nothing_to_do() -> None:
    assert compute([]) == []


def test_gates_of_one_row_do_not_appear_in_another(models: Models) -> None:
    rows = [row(models.default("weather"), 1, gates=gates) for gates in (False, True, False)]
    found = [one.gates is not None for one in compute(rows) if isinstance(one, Computed)]
    assert found == [False, True, False]


def test_the_state_does_not_hold_the_history_in_memory(models: Models) -> None:
    outcome = compute([row(models.default("weather"), 100)])[0]
    assert isinstance(outcome, Computed)
    assert outcome.state.base is None
