"""What `service.analysis` says of a trace, against `inspect.onnx` itself in float64."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model_export.float64.graph import Float64Graph
from model_export.model.config import ValuesFront
from service.analysis.attribution import attribute
from service.analysis.cell import Cell
from service.analysis.interventions import Interference, Intervention, apply, check
from service.analysis.recorded import Recorded
from service.analysis.reset_usage import reset_impact
from service.analysis.sensitivity import is_stack, sensitivity
from service.bundle.manifest import CELLS_FILE, INSPECT_FILE
from tests.numerics.conftest import Case

T = 5
Array = NDArray[np.float64]
GATES = ("reset", "update", "candidate")


class Inside:
    """A model's graph to inspect, one step after the other, with gates set or not."""

    def __init__(self, case: Case, interventions: Sequence[Intervention] = ()) -> None:
        folder = case.engine.bundle.folder
        self.layers = case.engine.manifest.layers
        check(interventions, self.layers, 0, T)
        self.set = apply(interventions, self.layers, 0, T)
        self._graph = Float64Graph((folder / INSPECT_FILE).read_bytes())
        with np.load(folder / CELLS_FILE) as arrays:
            self.cells = [Cell.read(arrays, n, layer) for n, layer in enumerate(self.layers)]

    def step(self, t: int, inputs: NDArray[Any], states: Array) -> dict[str, Array]:
        """Every output for a batch of inputs at step t, and what was set."""
        none = np.zeros((T, states.shape[1]), np.float32)
        feed: dict[str, NDArray[Any]] = {"input": inputs, "state": states}
        for gate in GATES:
            interference = self.set.get(gate, Interference(none, none))
            feed[f"{gate}_mask"] = np.tile(interference.mask[t], (len(states), 1))
            feed[f"{gate}_value"] = np.tile(interference.value[t], (len(states), 1))
        return feed | self._graph.run(feed)

    def end(self, inputs: NDArray[Any], states: Array) -> Array:
        """The states after all steps of inputs [B, T, …]."""
        for t in range(T):
            states = self.step(t, inputs[:, t], states)["next_state"]
        return states

    def recorded(self, inputs: NDArray[Any], state: Array) -> list[Recorded]:
        """Of inputs [T, …] and the state [S] before them."""
        rows = []
        for t in range(T):
            rows.append(self.step(t, inputs[t : t + 1], state[np.newaxis]))
            state = rows[-1]["next_state"][0]
        shown = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
        shown |= {"before": shown["state"], "hidden": shown["next_state"]}
        found = []
        for n, layer in enumerate(self.layers):
            tensors = {name: shown[name][:, layer.span] for name in _OF_UNITS}
            tensors["layer_input"] = shown[f"layer_input_{n}"]
            found.append(Recorded(n, tensors))
        return found


_OF_UNITS = (
    *GATES,
    *(f"{gate}_pre" for gate in GATES),
    *(f"{gate}_mask" for gate in GATES),
    "candidate_input",
    "candidate_history",
    "before",
    "hidden",
)
SOME = (
    Intervention(0, "update", (1,), 1, 3, "set", 0.125),
    Intervention(0, "reset", None, 2, 3, "scale", 0.5),
    Intervention(0, "candidate", (0, 2), 3, 4, "set", -0.5),
)


@pytest.fixture(params=[(), SOME], ids=["as it is", "with gates set"])
def inside(request: pytest.FixtureRequest, case: Case) -> Inside:
    return Inside(case, request.param)


@pytest.fixture
def given(case: Case) -> tuple[NDArray[Any], Array]:
    """Inputs [T, …] and a state [S]."""
    random = np.random.default_rng(0)
    inputs, states = case.inputs(random, 1, T), case.states(random, 1, 1.0)
    if inputs.dtype.kind == "f":
        inputs = inputs.astype(np.float64)
    return inputs[0], states[0].astype(np.float64)


def test_the_state_is_rebuilt(inside: Inside, given: tuple[NDArray[Any], Array]) -> None:
    layers = inside.recorded(*given)
    assert is_stack(layers)
    for recorded, cell in zip(layers, inside.cells, strict=True):
        found = attribute([recorded], cell, T - 1, range(cell.width), least=0)
        rebuilt = (found.weights * recorded.tensor("candidate")).sum(axis=0)
        rebuilt += found.rest * recorded.tensor("before")[0]
        np.testing.assert_allclose(rebuilt, recorded.tensor("hidden")[-1], atol=1e-12)


def test_the_impact_of_resetting(case: Case, given: tuple[NDArray[Any], Array]) -> None:
    """Each step again with a reset of 1, in the graph."""
    whole = [Intervention(n, "reset", None, 0, T, "set", 1.0) for n in range(3)]
    inside = Inside(case)
    layers = inside.recorded(*given)
    for n, (recorded, cell) in enumerate(zip(layers, inside.cells, strict=True)):
        # What the layers below do is not to change.
        never = Inside(case, [whole[n]])
        span = inside.layers[n].span
        for t in range(T):
            state = np.concatenate([one.tensor("before")[t] for one in layers])
            other = never.step(t, given[0][t : t + 1], state[np.newaxis])["candidate"][0, span]
            difference = recorded.tensor("candidate")[t] - other
            expected = np.abs(recorded.tensor("update")[t] * difference)
            found = reset_impact(recorded, cell)[t]
            np.testing.assert_allclose(found, expected, atol=1e-12)


def test_sensitivity_is_the_gradient(
    case: Case, inside: Inside, given: tuple[NDArray[Any], Array]
) -> None:
    inputs, state = given
    output = np.random.default_rng(1).normal(size=len(state))
    ends = [output[layer.span] for layer in inside.layers]
    layers = inside.recorded(inputs, state)
    found = sensitivity([layers], inside.cells, T - 1, ends, depth=T, least=0)
    size = 1e-5
    moved = state + size * np.concatenate([np.eye(len(state)), -np.eye(len(state))])
    ahead, back = np.split(inside.end(np.stack([inputs] * len(moved)), moved) @ output, 2)
    by_state = np.concatenate([one[0] for one in found.states])
    np.testing.assert_allclose(by_state, (ahead - back) / (2 * size), atol=1e-8)
    front = case.network.config.front
    if isinstance(front, ValuesFront):
        scale = np.array(front.scale)
        steps = np.eye(inputs.size).reshape(-1, *inputs.shape) * scale * size
        moved = np.concatenate([inputs + steps, inputs - steps])
        ahead, back = np.split(inside.end(moved, np.stack([state] * len(moved))) @ output, 2)
        by_input = (ahead - back) / (2 * size)
        np.testing.assert_allclose(found.inputs.ravel(), by_input, atol=1e-8)
