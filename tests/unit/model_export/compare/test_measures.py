"""Gradient norms by lag, against finite differences."""

import numpy as np
import pytest
import torch
from torch import Tensor

from model_export.compare.cells import CELLS, CellName, Recurrent
from model_export.compare.measures import gradient_norms
from model_export.compare.problem import Batch, Problem, ProblemName
from model_export.compare.problems import problem_of

STEP = 1e-5


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("name", ["adding", "copy", "co2"])
def test_gradient_norms_are_those_of_finite_differences(name: ProblemName, cell: CellName) -> None:
    problem = problem_of(name, 4)
    traits = problem.traits
    torch.manual_seed(1)
    network = Recurrent(cell, traits.input_size, 3, traits.output_size, 1.0).double()
    inputs, targets = problem.batch(2, torch.Generator().manual_seed(3))
    inputs = inputs.double()
    targets = targets if name == "copy" else targets.double()
    found = gradient_norms(network, problem, Batch(inputs, targets))
    assert len(found) == len(inputs)
    expected = [_by_differences(network, problem, inputs, targets, k) for k in range(len(inputs))]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-9)


@torch.no_grad()
def _by_differences(
    network: Recurrent, problem: Problem, inputs: Tensor, targets: Tensor, lag: int
) -> float:
    """Move every component of the state `lag` steps before the end, and look at the last loss."""
    end = len(inputs) - lag
    _, state = network.advance(inputs[:end], network.initial_state(inputs.shape[1]))

    def losses(moved: Tensor) -> Tensor:
        if lag:
            _, moved = network.advance(inputs[end:], moved)
        outputs = network.answer(moved[:, : network.hidden_size])
        return problem.losses(outputs[None], targets[-1:])[0]

    slopes = []
    for component in range(network.state_size):
        shift = torch.zeros_like(state)
        shift[:, component] = STEP
        slopes.append((losses(state + shift) - losses(state - shift)) / (2 * STEP))
    return float(torch.stack(slopes).norm(dim=0).mean())
