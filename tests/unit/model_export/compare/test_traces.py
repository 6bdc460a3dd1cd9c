"""Traces of gates, of networks whose gates were set by hand."""

import numpy as np
import pytest
import torch

from model_export.compare.adding import Adding
from model_export.compare.cells import Recurrent
from model_export.compare.findings import adding_finding, reset_finding
from model_export.compare.frozen import states_with
from model_export.compare.runs import RunSpec
from model_export.compare.traces import AddingTrace, gates_over, trace_adding, trace_resets
from model_export.model.layer import GRULayer
from tests.unit.model_export.compare.test_runs import SPEC

ADDING = SPEC.model_copy(update={"cell": "gru_before", "length": 20})
SERIES = ADDING.model_copy(update={"problem": "co2"})
CARRIER, SEASONAL = 2, 1
FAR = 30.0
"""σ of it is 1, of its negative 0."""


def blank(run: RunSpec, inputs: int) -> tuple[Recurrent, GRULayer]:
    """A GRU whose units never write, with open reset gates."""
    network = Recurrent("gru_before", inputs, run.hidden_size, 1, 0.0)
    layer = network.layer
    assert isinstance(layer, GRULayer)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        reset, keep, _ = layer.bias_ih.chunk(3)
        reset.fill_(FAR)
        keep.fill_(FAR)
    return network, layer


@pytest.fixture
def adding() -> AddingTrace:
    """`CARRIER` adds a tenth of each marked number to itself, and writes at no other step."""
    network, layer = blank(ADDING, 2)
    with torch.no_grad():
        _, keep, candidate = layer.weight_ih.chunk(3)
        keep[CARRIER, 1] = -2 * FAR
        candidate[CARRIER, 0] = 0.1
        network.head.weight.zero_()
        network.head.weight[0, CARRIER] = 10.0
        network.head.bias.zero_()
        layer.weight_hh.chunk(3)[2][CARRIER, CARRIER] = 1.0
    return trace_adding(network, ADDING)


def test_the_unit_that_carries_the_sum_is_found(adding: AddingTrace) -> None:
    assert adding.following_unit == adding.opening_unit == CARRIER
    assert adding.correlation > 0.999
    assert adding.explained > 0.999
    assert adding.opening_units == 1
    assert adding.opening_update.marked == pytest.approx(1)
    assert adding.opening_update.elsewhere == pytest.approx(0, abs=1e-6)
    assert adding.mean_update.marked == pytest.approx(1 / ADDING.hidden_size)
    assert adding.mean_reset.marked == pytest.approx(1)
    assert adding.most_kept == pytest.approx(1)
    marked = adding.inputs[:, 1] > 0
    assert adding.running_sum[-1] == pytest.approx(adding.inputs[marked, 0].sum())
    np.testing.assert_allclose(adding.decoded, adding.running_sum, atol=0.02)
    said = adding_finding(adding)
    assert f"Unit {CARRIER} follows the running sum" in said
    assert f"That of unit {CARRIER} opens most: 1.000 and 0.000" in said


def test_only_the_gate_that_does_something_is_missed(adding: AddingTrace) -> None:
    assert adding.errors.trained < 0.001
    assert adding.errors.reset_frozen == pytest.approx(adding.errors.trained, rel=1e-3)
    assert adding.errors.update_frozen > 0.1


def test_what_is_kept_is_between_the_markers() -> None:
    """A unit that writes a tenth at every step keeps 0.9 for each step between the markers."""
    network, layer = blank(ADDING, 2)
    with torch.no_grad():
        layer.bias_ih.chunk(3)[1][:] = float(np.log(9))
        layer.weight_ih.chunk(3)[2][:, 0] = 1.0
    trace = trace_adding(network, ADDING)
    markers = Adding(ADDING.length).held_out("test").inputs[:, :256, 1].numpy()
    gaps = [np.diff(np.flatnonzero(column))[0] - 1 for column in markers.T]
    assert trace.most_kept == pytest.approx(np.mean(0.9 ** np.array(gaps)), rel=1e-4)


def test_a_gate_that_is_set_to_what_it_was_changes_nothing() -> None:
    torch.manual_seed(0)
    network = Recurrent("gru_before", 2, 4, 1, 1.0)
    layer = network.layer
    assert isinstance(layer, GRULayer)
    inputs = torch.randn(6, 3, 2)
    hidden, _ = network.advance(inputs, network.initial_state(3))
    torch.testing.assert_close(states_with(layer, inputs, {}), hidden)
    written = states_with(layer, inputs, {"update": torch.ones(4), "reset": torch.zeros(4)})
    candidate = torch.tanh(inputs @ layer.weight_ih[8:].T + layer.bias_ih[8:])
    torch.testing.assert_close(written, candidate)


def test_the_reset_gate_that_follows_the_season_is_found() -> None:
    """CO₂ falls in summer: a reset gate that opens with the change is lowest then."""
    network, layer = blank(SERIES, 1)
    with torch.no_grad():
        reset = layer.bias_ih.chunk(3)[0]
        reset[SEASONAL] = 0.0
        layer.weight_ih.chunk(3)[0][SEASONAL, 0] = 0.2
    trace = trace_resets(network, SERIES)
    assert trace.season_unit == trace.step_unit == SEASONAL
    assert 0.2 < trace.season_explained < 0.9
    assert trace.lowest_reset < 0.5 < trace.highest_reset
    said = reset_finding(trace)
    assert any(f"in {month} and highest" in said for month in ("July", "August"))
    assert trace.gates.reset.shape == (len(trace.changes), 1, SERIES.hidden_size)
    rising = trace.gates.reset[:, 0, SEASONAL] > 0.5
    np.testing.assert_array_equal(rising, trace.changes > 0)


def test_the_reset_gate_that_follows_big_steps_is_found() -> None:
    """Unit 0 opens after a big rise only, unit 3 a little with every change."""
    network, layer = blank(SERIES, 1)
    with torch.no_grad():
        layer.bias_ih.chunk(3)[0][0] = -6.0
        layer.weight_ih.chunk(3)[0][0, 0] = 4.0
        layer.bias_ih.chunk(3)[0][3] = 0.0
        layer.weight_ih.chunk(3)[0][3, 0] = 0.1
    trace = trace_resets(network, SERIES)
    assert trace.step_unit == 0
    assert trace.step_correlation > 0.3
    assert trace.reset_at_big > 2 * trace.reset_elsewhere


def test_gates_obey_the_equations() -> None:
    torch.manual_seed(0)
    network = Recurrent("gru_before", 2, 4, 1, 1.0)
    gates = gates_over(network, torch.randn(6, 3, 2))
    before = np.concatenate([np.zeros((1, 3, 4)), gates.hidden[:-1]])
    written = (1 - gates.update) * before + gates.update * gates.candidate
    np.testing.assert_allclose(written, gates.hidden, atol=1e-6)
