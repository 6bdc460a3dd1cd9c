"""The cells: sizes, where they begin, and that a step at a time is the same as all at once."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model_export.compare.cells import (
    CELLS,
    CellName,
    Recurrent,
    hidden_size_for,
    parameter_count,
)
from model_export.compare.problem import ProblemName
from model_export.compare.problems import problem_of

SIZES = st.integers(1, 12)


@given(st.sampled_from(CELLS), SIZES, SIZES, SIZES)
def test_parameters_are_counted_as_torch_counts_them(
    cell: CellName, inputs: int, hidden: int, outputs: int
) -> None:
    network = Recurrent(cell, inputs, hidden, outputs, 1.0)
    counted = sum(parameter.numel() for parameter in network.parameters())
    assert parameter_count(cell, inputs, hidden, outputs) == counted


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("name", ["adding", "copy", "co2"])
def test_equal_parameters_are_within_three_percent(name: ProblemName, cell: CellName) -> None:
    traits = problem_of(name, 4).traits
    sizes = traits.input_size, traits.output_size
    wanted = parameter_count("gru_before", sizes[0], 32, sizes[1])
    hidden_size = hidden_size_for(wanted, cell, *sizes)
    found = parameter_count(cell, sizes[0], hidden_size, sizes[1])
    assert abs(found - wanted) < 0.03 * wanted


@given(st.integers(1, 5000), st.sampled_from(CELLS), SIZES, SIZES)
def test_no_other_hidden_size_is_nearer(
    parameters: int, cell: CellName, inputs: int, outputs: int
) -> None:
    def distance(hidden_size: int) -> int:
        return abs(parameter_count(cell, inputs, hidden_size, outputs) - parameters)

    found = hidden_size_for(parameters, cell, inputs, outputs)
    assert distance(found) == min(map(distance, range(1, 80)))


@pytest.mark.parametrize("cell", CELLS)
def test_step_by_step_is_the_same_as_all_at_once(cell: CellName) -> None:
    torch.manual_seed(0)
    network = Recurrent(cell, 3, 5, 2, 1.0).double()
    inputs = torch.randn(7, 4, 3, dtype=torch.float64)
    hidden, last = network.advance(inputs, network.initial_state(4))
    state = network.initial_state(4)
    for step, expected in zip(inputs, hidden, strict=True):
        shown, state = network.advance(step.unsqueeze(0), state)
        torch.testing.assert_close(shown[0], expected)
        torch.testing.assert_close(state[:, :5], expected)
    torch.testing.assert_close(state, last)
    torch.testing.assert_close(network(inputs, 2), network.answer(hidden[-2:]))


@pytest.mark.parametrize("cell", ["lstm", "gru_before", "gru_after"])
@torch.no_grad()
def test_the_keep_bias_is_what_the_past_is_kept_by(cell: CellName) -> None:
    """With all weights zero, one step leaves σ(bias) of the memory."""
    network = Recurrent(cell, 2, 3, 1, keep_bias=1.5)
    for name, parameter in network.layer.named_parameters():
        if name.startswith("weight"):
            parameter.zero_()
    _, state = network.advance(torch.randn(1, 4, 2), torch.ones(4, network.state_size))
    expected = torch.sigmoid(torch.tensor(1.5)).expand(4, 3)
    torch.testing.assert_close(state[:, -3:], expected)


@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_blocks_begin_orthogonal(cell: CellName) -> None:
    weights = dict(Recurrent(cell, 2, 4, 1, 1.0).layer.named_parameters())
    recurrent = next(weight for name, weight in weights.items() if name.startswith("weight_hh"))
    for block in recurrent.detach().chunk(len(recurrent) // 4):
        torch.testing.assert_close(block @ block.T, torch.eye(4))
