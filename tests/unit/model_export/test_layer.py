"""GRULayer against the equations, nn.GRU and numerical gradients."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from model_export.model.layer import GRULayer
from service.bundle.manifest import Reset

Array = NDArray[np.float64]


def sigma(a: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-a)))


def by_the_equations(layer: GRULayer, x: Array, h: Array) -> Array:
    """docs: the equations of one layer, with update = 1 − keep, one step after the other."""
    W_r, W_keep, W_n = np.split(layer.weight_ih.detach().numpy(), 3)
    U_r, U_keep, U_n = np.split(layer.weight_hh.detach().numpy(), 3)
    b_r, b_keep, b_n = np.split(layer.bias_ih.detach().numpy(), 3)
    c_r, c_keep, c_n = np.split(layer.bias_hh.detach().numpy(), 3)
    states = []
    for x_t in x:
        reset = sigma(x_t @ W_r.T + h @ U_r.T + b_r + c_r)
        update = 1 - sigma(x_t @ W_keep.T + h @ U_keep.T + b_keep + c_keep)
        if layer.reset == "before":
            candidate = np.tanh(x_t @ W_n.T + b_n + (reset * h) @ U_n.T)
        else:
            candidate = np.tanh(x_t @ W_n.T + b_n + reset * (h @ U_n.T + c_n))
        h = (1 - update) * h + update * candidate
        states.append(h)
    return np.stack(states)


def layer_and_inputs(reset: Reset) -> tuple[GRULayer, Tensor, Tensor]:
    torch.manual_seed(0)
    layer = GRULayer(3, 4, reset).double()
    x = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    h0 = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    return layer, x, h0


@pytest.mark.parametrize("reset", ["before", "after"])
def test_states_follow_the_equations(reset: Reset) -> None:
    layer, x, h0 = layer_and_inputs(reset)
    expected = by_the_equations(layer, x.detach().numpy(), h0.detach().numpy())
    np.testing.assert_allclose(layer(x, h0).detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("reset", ["before", "after"])
def test_gradients_match_finite_differences(reset: Reset) -> None:
    layer, x, h0 = layer_and_inputs(reset)
    names = [name for name, _ in layer.named_parameters()]

    def states(x: Tensor, h0: Tensor, *parameters: Tensor) -> Tensor:
        result: Tensor = functional_call(layer, dict(zip(names, parameters, strict=True)), (x, h0))
        return result

    assert torch.autograd.gradcheck(states, (x, h0, *layer.parameters()))


def test_no_gradient_is_computed_for_inputs_that_need_none() -> None:
    layer, x, h0 = layer_and_inputs("before")
    torch.autograd.backward(layer(x.detach(), h0.detach()).sum())
    assert layer.weight_hh.grad is not None
    assert x.grad is None


def test_reset_after_loads_a_checkpoint_of_torch() -> None:
    theirs = nn.GRU(3, 4)
    ours = GRULayer(3, 4, "after")
    ours.load_state_dict({k.removesuffix("_l0"): v for k, v in theirs.state_dict().items()})
    x, h0 = torch.randn(6, 2, 3), torch.randn(2, 4)
    torch.testing.assert_close(ours(x, h0), theirs(x, h0[None])[0])


def test_reset_before_has_one_bias() -> None:
    layer = GRULayer(3, 4, "before")
    assert set(layer.state_dict()) == {"weight_ih", "weight_hh", "bias_ih"}
    assert not layer.bias_hh.any()


@pytest.mark.parametrize("reset", ["before", "after"])
def test_the_operator_computes_what_the_layer_does(reset: Reset) -> None:
    layer, x, h0 = layer_and_inputs(reset)
    with torch.no_grad():
        weights = [layer.weight_ih, layer.weight_hh, layer.bias_ih, layer.bias_hh]
        states = torch.ops.gatewise.gru(x, h0, weights, int(reset == "after"))
        torch.testing.assert_close(states, layer(x, h0))
