"""What a network takes missing values for, beside a float64 NumPy reference that goes step by step.

The reference reads nothing of the network but its parameters.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model_export.model.config import (
    Fill,
    Head,
    NetworkConfig,
    QuantilesHead,
    ResidualHead,
    SoftmaxHead,
    ValuesFront,
)
from model_export.model.gates import record
from model_export.model.network import Network
from service.bundle.manifest import Reset
from tests.oracle import Layer, assert_agrees, torch_layer

Array = NDArray[np.float64]
MEAN, SCALE = (20.0, 1000.0, 0.5), (5.0, 10.0, 0.25)
SIZES = (4, 3)
RESIDUAL = ResidualHead(scale=(1.0, 2.0))
"""The third value is none of its targets."""
QUANTILES = QuantilesHead(scale=(1.0, 2.0), levels=(0.1, 0.5, 0.8))


def network_of(fill: Fill, head: Head = RESIDUAL, reset: Reset = "before") -> Network:
    torch.manual_seed(3)
    config = NetworkConfig(ValuesFront(MEAN, SCALE, fill), head, SIZES, reset)
    return Network(config).double().eval()


def rows(*, gaps: float, time: int = 12, seed: int = 0) -> Array:
    """[2, time, 3] with a share of them missing."""
    random = np.random.default_rng(seed)
    values = random.normal(MEAN, SCALE, (2, time, 3))
    return np.where(random.random(values.shape) < gaps, np.nan, values)


@dataclass
class Reference:
    """One step after the other; `hidden` of each layer and what a missing value is taken for,
    `instead` [B, 3], normalised."""

    layers: list[Layer]
    weight: Array
    bias: Array
    hidden: list[Array]
    instead: Array

    @classmethod
    def of(cls, network: Network, state: Array) -> "Reference":
        numbers = {k: v.double().numpy() for k, v in network.state_dict().items()}
        reset = network.config.reset
        layers = [torch_layer(numbers, f"layers.{index}.", reset=reset) for index in range(2)]
        first, second, instead = np.split(state, np.cumsum(SIZES), axis=1)
        head = numbers["head.weight"], numbers["head.bias"]
        return cls(layers, *head, [first, second], instead)

    def step(self, x: Array, *, is_forecast: bool) -> tuple[Array, Array, list[Array]]:
        """Steps of the targets in units of their scales [B, 2], what the values are taken for, in
        their units, and update of both layers. A missing value has a 1 among the features."""
        missing = np.isnan(x)
        filled = np.where(missing, self.instead, (x - MEAN) / SCALE)
        seen = np.concatenate([filled, missing.astype(float)], axis=1)
        updates = []
        for index, layer in enumerate(self.layers):
            _, update, _, self.hidden[index] = layer.step(seen, self.hidden[index])
            updates.append(update)
            seen = self.hidden[index]
        raw = seen @ self.weight.T + self.bias
        self.instead = filled.copy()
        if is_forecast:
            self.instead[:, :2] += raw[:, :2] * RESIDUAL.scale / SCALE[:2]
        return raw, filled * SCALE + MEAN, updates

    @property
    def state(self) -> Array:
        return np.concatenate([*self.hidden, self.instead], axis=1)


def run(network: Network, x: NDArray[Any], state: Array) -> tuple[Array, Array]:
    with torch.no_grad():
        output, states = network(torch.from_numpy(x), torch.from_numpy(state))
    return output.numpy(), states.numpy()


def state_of(network: Network, seed: int = 1) -> Array:
    return np.random.default_rng(seed).uniform(-1, 1, (2, network.config.state_size))


@pytest.mark.parametrize("reset", ["before", "after"])
@pytest.mark.parametrize("fill", ["last", "forecast"])
@pytest.mark.parametrize("gaps", [0.0, 0.4, 1.0])
def test_every_step_is_that_of_the_reference(fill: Fill, gaps: float, reset: Reset) -> None:
    network, x = network_of(fill, reset=reset), rows(gaps=gaps)
    state = state_of(network)
    output, states = run(network, x, state)
    assert output.shape == (2, 12, 2)
    reference = Reference.of(network, state)
    for t in range(x.shape[1]):
        raw, base, _ = reference.step(x[:, t], is_forecast=fill == "forecast")
        assert_agrees(output[:, t], base[:, :2] + raw * RESIDUAL.scale, 1e-9)
        assert_agrees(states[:, t], reference.state, 1e-9)


@pytest.mark.parametrize("fill", ["last", "forecast"])
def test_the_gates_with_gaps_are_those_of_the_reference(fill: Fill) -> None:
    network, x = network_of(fill), rows(gaps=0.4)
    state = state_of(network)
    recorded = record(network, torch.from_numpy(x), torch.from_numpy(state))
    reference = Reference.of(network, state)
    for t in range(x.shape[1]):
        _, _, updates = reference.step(x[:, t], is_forecast=fill == "forecast")
        assert_agrees(recorded.update[:, t].numpy(), np.concatenate(updates, axis=1), 1e-9)
    assert recorded.reset.shape == recorded.candidate.shape == (2, 12, sum(SIZES))


def test_the_median_is_what_a_quantiles_head_takes_for_a_missing_value() -> None:
    network, x = network_of("forecast", QUANTILES), rows(gaps=0.5)
    state = state_of(network)
    output, states = run(network, x, state)
    reference = Reference.of(network, state)
    for t in range(x.shape[1]):
        raw, base, _ = reference.step(x[:, t], is_forecast=True)
        medians = base[:, :2] + raw[:, :2] * QUANTILES.scale
        below, above = (np.log1p(np.exp(raw[:, at::2])) * QUANTILES.scale for at in (2, 3))
        expected = np.stack([medians - below, medians, medians + above], axis=-1)
        assert_agrees(output[:, t], expected.reshape(2, 6), 1e-9)
        assert_agrees(states[:, t], reference.state, 1e-9)


@pytest.mark.parametrize("fill", ["last", "forecast"])
@settings(max_examples=25, derandomize=True)
@given(
    cuts=st.lists(st.integers(1, 11), max_size=4, unique=True).map(sorted),
    gaps=st.sampled_from([0.2, 0.8, 1.0]),
    seed=st.integers(0, 99),
)
def test_chunks_equal_the_whole(fill: Fill, cuts: list[int], gaps: float, seed: int) -> None:
    network, x = network_of(fill), rows(gaps=gaps, seed=seed)
    state = state_of(network, seed)
    output, states = run(network, x, state)
    parts = []
    for chunk in np.split(x, cuts, axis=1):
        parts.append(run(network, chunk, state))
        state = parts[-1][1][:, -1]
    outputs, later = (np.concatenate(one, axis=1) for one in zip(*parts, strict=True))
    assert_agrees(outputs, output, 1e-9)
    assert_agrees(later, states, 1e-9)


@pytest.mark.parametrize("fill", ["last", "forecast"])
def test_a_new_session_takes_the_mean_for_what_it_never_saw(fill: Fill) -> None:
    network = network_of(fill)
    x = np.full((1, 1, 3), np.nan)
    zeros = np.zeros((1, network.config.state_size))
    scored = network.scored(torch.from_numpy(x), torch.from_numpy(zeros))
    np.testing.assert_allclose(scored.base[0, 0].numpy(), MEAN)


def test_a_value_that_is_there_comes_out_as_it_came_in() -> None:
    """And not by way of its normalised form, which would cost digits."""
    network = network_of("last").float()
    x = torch.tensor([[[16_777_215.0, 1.0, 1e-3], [torch.nan, 3.0, 1e-3]]])
    base = network.scored(x, network.initial_state(1)).base
    assert torch.equal(base[0, 0], x[0, 0])
    assert torch.equal(base[0, 1, 1:], x[0, 1, 1:])


def test_classes_of_rows_with_gaps() -> None:
    network, x = network_of("last", SoftmaxHead(4)), rows(gaps=0.4)
    state = state_of(network)
    output, _ = run(network, x, state)
    reference = Reference.of(network, state)
    for t in range(x.shape[1]):
        raw, _, _ = reference.step(x[:, t], is_forecast=False)
        powers = np.exp(raw)
        assert_agrees(output[:, t], powers / powers.sum(1, keepdims=True), 1e-9)
