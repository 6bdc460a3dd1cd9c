"""PyTorch, both graphs and the gates against the float64 oracle, on any batch, length and state."""

import hypothesis.strategies as st
import numpy as np
import torch
from hypothesis import given, settings
from numpy.typing import NDArray

from model_export.model.gates import record
from service.engine.engine import Gates
from tests.numerics.conftest import Case, Run
from tests.oracle import Trace, assert_agrees

quick = settings(max_examples=12, derandomize=True)
batches = st.integers(1, 5)
lengths = st.integers(1, 40)
seeds = st.integers(0, 2**32 - 1)
bounds = st.sampled_from([0.0, 1.0, 3.0])
"""Of the initial state: zeros; what a GRU can reach; and what a client may put there."""


def some_run(case: Case, seed: int, batch: int, time: int, bound: float) -> Run:
    random = np.random.default_rng(seed)
    inputs, state = case.inputs(random, batch, time), case.states(random, batch, bound)
    return Run(inputs, state, case.oracle.run(inputs, state))


@quick
@given(seeds, batches, lengths, bounds)
def test_pytorch(case: Case, seed: int, batch: int, time: int, bound: float) -> None:
    run = some_run(case, seed, batch, time, bound)
    output, states = case.network(torch.from_numpy(run.inputs), torch.from_numpy(run.state))
    assert_agrees(output.numpy(), run.expected.output)
    assert_agrees(states.numpy(), run.expected.hidden)


@quick
@given(seeds, batches, lengths, bounds)
def test_gates_recorded_by_pytorch(
    case: Case, seed: int, batch: int, time: int, bound: float
) -> None:
    run = some_run(case, seed, batch, time, bound)
    found = record(case.network, torch.from_numpy(run.inputs), torch.from_numpy(run.state))
    assert_agrees(found.output.numpy(), run.expected.output)
    assert_agrees(found.states.numpy(), run.expected.hidden)
    assert_agrees(found.reset.numpy(), run.expected.reset)
    assert_agrees(found.update.numpy(), run.expected.update)
    assert_agrees(found.candidate.numpy(), run.expected.candidate)


@quick
@given(seeds, batches, lengths, bounds)
def test_sequence_graph(case: Case, seed: int, batch: int, time: int, bound: float) -> None:
    run = some_run(case, seed, batch, time, bound)
    output, states = case.engine.sequence(run.inputs, run.state)
    assert_agrees(output, run.expected.output)
    assert_agrees(states, run.expected.hidden)


@quick
@given(seeds, batches, lengths, bounds)
def test_step_graph_with_its_state_fed_back(
    case: Case, seed: int, batch: int, time: int, bound: float
) -> None:
    run = some_run(case, seed, batch, time, bound)
    state = run.state
    for t in range(time):
        steps = case.engine.step(run.inputs[:, t], state, gates=True)
        state = steps.state
        assert_agrees(steps.output, run.expected.output[:, t])
        assert_agrees(state, run.expected.hidden[:, t])
        assert steps.gates is not None
        assert_gates(steps.gates, run.expected, (slice(None), t))


@quick
@given(seeds, batches, lengths, bounds)
def test_step_graph_without_gates_gives_the_same_bits(
    case: Case, seed: int, batch: int, time: int, bound: float
) -> None:
    run = some_run(case, seed, batch, time, bound)
    with_gates = case.engine.step(run.inputs[:, 0], run.state, gates=True)
    without = case.engine.step(run.inputs[:, 0], run.state, gates=False)
    assert without.gates is None
    assert without.output.tobytes() == with_gates.output.tobytes()
    assert without.state.tobytes() == with_gates.state.tobytes()


@quick
@given(seeds, lengths, bounds)
def test_gates_of_a_sequence(case: Case, seed: int, time: int, bound: float) -> None:
    run = some_run(case, seed, 1, time, bound)
    _, states = case.engine.sequence(run.inputs, run.state)
    gates = case.engine.gates_of(run.inputs[0], run.state[0], states[0])
    assert_gates(gates, run.expected, 0)


@quick
@given(seeds, lengths, bounds)
def test_gates_explain_the_hidden_state(case: Case, seed: int, time: int, bound: float) -> None:
    """hidden = (1 − update) ⊙ before + update ⊙ candidate, with what the service shows."""
    run = some_run(case, seed, 1, time, bound)
    _, states = case.engine.sequence(run.inputs, run.state)
    gates = case.engine.gates_of(run.inputs[0], run.state[0], states[0])
    before = np.concatenate([run.state, gates["hidden"][:-1]])
    update, candidate = gates["update"], gates["candidate"]
    assert_agrees(gates["hidden"], (1 - update) * before + update * candidate)


@quick
@given(seeds, batches, st.integers(2, 40), bounds)
def test_a_row_does_not_depend_on_its_company(
    case: Case, seed: int, batch: int, time: int, bound: float
) -> None:
    run = some_run(case, seed, batch, time, bound)
    output, states = case.engine.sequence(run.inputs[-1:], run.state[-1:])
    assert_agrees(output[0], run.expected.output[-1])
    assert_agrees(states[0], run.expected.hidden[-1])


def test_a_long_sequence_does_not_drift(case: Case) -> None:
    run = some_run(case, 0, 1, 500, 1.0)
    output, states = case.engine.sequence(run.inputs, run.state)
    assert_agrees(output, run.expected.output)
    assert_agrees(states, run.expected.hidden)


def assert_gates(found: Gates, expected: Trace, at: int | tuple[slice, int]) -> None:
    pairs: tuple[tuple[NDArray[np.float32], NDArray[np.float64]], ...] = (
        (found["reset"], expected.reset),
        (found["update"], expected.update),
        (found["candidate"], expected.candidate),
        (found["hidden"], expected.hidden),
    )
    for one, other in pairs:
        assert_agrees(one, other[at])
