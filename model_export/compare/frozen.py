"""What a gate is worth: the error of a trained GRU when that gate can no longer move."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from model_export.compare.cells import Recurrent
from model_export.compare.problem import Problem
from model_export.model.gates import layer_gates
from model_export.model.layer import GRULayer

Frozen = Literal["reset", "update"]


@torch.no_grad()
def error_when_frozen(network: Recurrent, problem: Problem, gate: Frozen) -> float:
    """Test error of a GRU, reset before, with a gate of every unit held at its mean.

    The mean is that over all sequences and steps of the validation part.
    """
    layer = network.layer
    assert isinstance(layer, GRULayer)
    inputs = problem.held_out("validation").inputs
    start = network.initial_state(inputs.shape[1])
    hidden, _ = network.advance(inputs, start)
    before = torch.cat([start.unsqueeze(0), hidden[:-1]])
    reset, update, _ = layer_gates(layer, inputs, before)
    mean = (reset if gate == "reset" else update).mean((0, 1))
    test = problem.held_out("test")
    states = states_with(layer, test.inputs, {gate: mean})
    return problem.error(network.answer(states[-len(test.targets) :]), test.targets)


@torch.no_grad()
def states_with(layer: GRULayer, inputs: Tensor, gates: Mapping[Frozen, Tensor]) -> Tensor:
    """Hidden states [T, B, H] for inputs [T, B, I] from zeros, with gates [H] set from outside.

    Of a layer with reset before.
    """
    assert layer.reset == "before"
    hidden = inputs.new_zeros(inputs.shape[1], layer.hidden_size)
    recurrent = layer.weight_hh.chunk(3)[2].T
    from_input = (inputs @ layer.weight_ih.T + layer.bias_ih).chunk(3, -1)[2]
    states = []
    for step, candidate_input in zip(torch.split(inputs, 1), from_input, strict=True):
        reset, update, _ = layer_gates(layer, step, hidden.unsqueeze(0))
        reset, update = gates.get("reset", reset[0]), gates.get("update", update[0])
        candidate = torch.tanh(candidate_input + (reset * hidden) @ recurrent)
        hidden = (1 - update) * hidden + update * candidate
        states.append(hidden)
    return torch.stack(states)
