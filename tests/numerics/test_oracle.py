"""The oracle itself, against numbers worked out by hand and against torch.nn.GRU in float64."""

import numpy as np
import pytest
import torch
from torch import nn

from service.bundle.manifest import Reset
from tests.bundles import tokens_model, values_model
from tests.oracle import Array, Layer, Oracle, sigmoid


def one_unit(reset: Reset) -> Layer:
    def number(value: float) -> Array:
        return np.array([[value]])

    weights = {"W_r": 1.0, "W_z": 0.0, "W_n": 1.0, "U_r": 0.0, "U_z": 0.0, "U_n": 2.0}
    biases = {"b_r": -1.0, "b_z": np.log(3.0), "b_n": 0.5}
    return Layer(
        **{name: number(value) for name, value in weights.items()},
        **{name: np.array([value]) for name, value in biases.items()},
        c_n=np.array([1.0 if reset == "after" else 0.0]),
        reset=reset,
    )


@pytest.mark.parametrize(("reset", "inside"), [("before", 1.5 + 0.5), ("after", 1.5 + 0.5 * 2)])
def test_one_step_by_hand(reset: Reset, inside: float) -> None:
    """x = 1, h = 0.5: reset σ(0) = 0.5, update σ(ln 3) = 0.75."""
    r, z, n, h = one_unit(reset).step(np.array([[1.0]]), np.array([[0.5]]))
    assert r.item() == 0.5
    assert z.item() == pytest.approx(0.75, abs=1e-15)
    assert n.item() == pytest.approx(np.tanh(inside), abs=1e-15)
    assert h.item() == pytest.approx(0.25 * 0.5 + 0.75 * np.tanh(inside), abs=1e-15)


def test_reset_after_is_the_gru_of_torch() -> None:
    """Convention, order of blocks and both biases, against an implementation that is not ours."""
    trained = values_model("any", reset="after", hidden_sizes=(4, 4))
    theirs = nn.GRU(3, 4, num_layers=2, batch_first=True).double()
    for index, layer in enumerate(trained.network.layers):
        for name, parameter in layer.named_parameters():
            getattr(theirs, f"{name}_l{index}").data.copy_(parameter.data)
    random = np.random.default_rng(0)
    x, state = random.normal(size=(2, 9, 3)), random.normal(size=(2, 8))
    initial = torch.from_numpy(state).reshape(2, 2, 4).transpose(0, 1).contiguous()
    with torch.no_grad():
        expected, last = theirs(torch.from_numpy(x), initial)
    trace = Oracle(trained.network).run(_denormalised(x), state)
    np.testing.assert_allclose(trace.hidden[:, :, 4:], expected.numpy(), atol=1e-6)
    np.testing.assert_allclose(trace.state, last.transpose(0, 1).reshape(2, 8).numpy(), atol=1e-6)


def test_probabilities_sum_to_one() -> None:
    trace = Oracle(tokens_model("any").network).run(np.array([[0, 1, 2]]), np.zeros((1, 6)))
    np.testing.assert_allclose(trace.output.sum(-1), 1, atol=1e-12)


def test_sigmoid_at_both_ends() -> None:
    np.testing.assert_array_equal(sigmoid(np.array([-1000.0, 0.0, 1000.0])), [0.0, 0.5, 1.0])


def _denormalised(x: Array) -> Array:
    return np.asarray(x * np.array([5.0, 10.0, 0.2]) + np.array([20.0, 1000.0, 0.5]))
