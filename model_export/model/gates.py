"""The gates of a network as PyTorch computes them, for golden vectors."""

from dataclasses import dataclass

import torch
from torch import Tensor

from model_export.convention import keep_to_update
from model_export.model.front import ValuesModule
from model_export.model.layer import GRULayer
from model_export.model.network import Network


@dataclass(frozen=True, slots=True)
class Recording:
    """output [B, T, O], and [B, T, S] each: states, reset, update, candidate."""

    output: Tensor
    states: Tensor
    reset: Tensor
    update: Tensor
    candidate: Tensor


@torch.no_grad()
def record(network: Network, inputs: Tensor, state: Tensor) -> Recording:
    """Run a network in evaluation mode and compute every layer's gates from its states."""
    network.eval()
    output, states = network(inputs, state)
    x = _seen(network, inputs.transpose(0, 1), state, states.transpose(0, 1))
    sizes = [*network.config.hidden_sizes, network.config.front.carried]
    per_layer = []
    slices = zip(torch.split(state, sizes, 1), torch.split(states, sizes, 2), strict=True)
    for layer, (h0, layer_states) in zip(network.layers, slices, strict=False):
        assert isinstance(layer, GRULayer)
        hidden = layer_states.transpose(0, 1)
        before = torch.cat([h0.unsqueeze(0), hidden[:-1]])
        per_layer.append(layer_gates(layer, x, before))
        x = hidden
    reset, update, candidate = (
        torch.cat(gate, dim=-1).transpose(0, 1) for gate in zip(*per_layer, strict=True)
    )
    return Recording(output, states, reset, update, candidate)


def _seen(network: Network, x: Tensor, state: Tensor, states: Tensor) -> Tensor:
    """What the first layer is given [T, B, I], for inputs and states that are time first."""
    front, size = network.front, network.config.hidden_size
    if not isinstance(front, ValuesModule) or front.fill is None:
        features: Tensor = front(x)
        return features
    before = torch.cat([state.unsqueeze(0), states[:-1]])[..., size:]
    return front.features(x, torch.where(x.isnan(), before, front(x)))


def layer_gates(layer: GRULayer, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """reset, update, candidate [T, B, H] for inputs x [T, B, I] and the states before each step."""
    from_input = x @ layer.weight_ih.T + layer.bias_ih
    from_hidden = hidden @ layer.weight_hh.T + layer.bias_hh
    input_reset, input_keep, input_candidate = from_input.chunk(3, -1)
    hidden_reset, hidden_keep, hidden_candidate = from_hidden.chunk(3, -1)
    reset = torch.sigmoid(input_reset + hidden_reset)
    update = torch.sigmoid(keep_to_update(input_keep + hidden_keep))
    if layer.reset == "after":
        candidate = torch.tanh(input_candidate + reset * hidden_candidate)
    else:
        weight = layer.weight_hh.chunk(3, 0)[2]
        candidate = torch.tanh(input_candidate + (reset * hidden) @ weight.T)
    return reset, update, candidate
