"""The network's contract: shapes, units, state slices, and what torch.onnx makes of it."""

import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model_export.model.config import (
    LabelsHead,
    NetworkConfig,
    QuantilesHead,
    ResidualHead,
    SoftmaxHead,
    TokensFront,
    ValuesFront,
)
from model_export.model.head import QuantilesModule
from model_export.model.network import Network
from model_export.model.operator import ONNX_TRANSLATION
from service.bundle.manifest import Reset

VALUES = NetworkConfig(
    ValuesFront(mean=(10.0, -3.0), scale=(2.0, 5.0)),
    ResidualHead(scale=(0.5, 4.0)),
    hidden_sizes=(3, 5),
    reset="after",
)
TOKENS = NetworkConfig(TokensFront(7, 4), SoftmaxHead(7), hidden_sizes=(6,), dropout=0.5)
LEVELS = (0.05, 0.25, 0.5, 0.9)
QUANTILES = NetworkConfig(
    VALUES.front, QuantilesHead(scale=(0.5,), levels=LEVELS), hidden_sizes=(4,)
)
LABELS = NetworkConfig(VALUES.front, LabelsHead(3), hidden_sizes=(4,))
ALL = [VALUES, TOKENS, QUANTILES, LABELS]


def network(config: NetworkConfig) -> Network:
    torch.manual_seed(1)
    return Network(config).eval()


def inputs(config: NetworkConfig, batch: int, time: int) -> Tensor:
    if isinstance(config.front, TokensFront):
        return torch.randint(config.front.size, (batch, time))
    return torch.randn(batch, time, config.front.width)


@pytest.mark.parametrize("config", ALL)
def test_shapes(config: NetworkConfig) -> None:
    output, states = network(config)(inputs(config, 3, 5), torch.zeros(3, config.state_size))
    assert output.shape == (3, 5, config.head.width)
    assert states.shape == (3, 5, config.state_size)


@pytest.mark.parametrize("config", ALL)
def test_going_on_from_a_state_equals_never_having_stopped(config: NetworkConfig) -> None:
    model, x = network(config), inputs(config, 2, 7)
    output, states = model(x, model.initial_state(2))
    first, early = model(x[:, :4], model.initial_state(2))
    second, late = model(x[:, 4:], early[:, -1])
    torch.testing.assert_close(torch.cat([first, second], 1), output)
    torch.testing.assert_close(torch.cat([early, late], 1), states)


def test_each_layer_owns_its_slice_of_the_state() -> None:
    model, x = network(VALUES), inputs(VALUES, 1, 1)
    _, base = model(x, torch.zeros(1, 8))
    _, moved = model(x, torch.cat([torch.zeros(1, 3), torch.ones(1, 5)], 1))
    changed = (base != moved)[0, 0]
    assert not changed[:3].any()
    assert changed[3:].all()


def test_values_come_out_in_their_own_units() -> None:
    model = network(VALUES)
    torch.nn.init.zeros_(model.head.weight)
    torch.nn.init.ones_(model.head.bias)
    x = torch.tensor([[[1000.0, 2000.0]]])
    output, _ = model(x, model.initial_state(1))
    torch.testing.assert_close(output, x + torch.tensor([0.5, 4.0]))


def test_layers_see_normalised_values() -> None:
    model = network(VALUES)
    at_mean = model.front(torch.tensor([[[10.0, -3.0]], [[12.0, 2.0]]]))
    torch.testing.assert_close(at_mean, torch.tensor([[[0.0, 0.0]], [[1.0, 1.0]]]))


def test_token_outputs_are_the_softmax_of_the_scores() -> None:
    model, x = network(TOKENS), inputs(TOKENS, 2, 3)
    output, _ = model(x, model.initial_state(2))
    scores = model.scored(x, model.initial_state(2)).scores
    torch.testing.assert_close(output.sum(-1), torch.ones(2, 3))
    torch.testing.assert_close(output.log().diff(dim=-1), scores.diff(dim=-1))


def test_labels_do_not_exclude_one_another() -> None:
    model, x = network(LABELS), inputs(LABELS, 2, 3)
    output, _ = model(x, model.initial_state(2))
    scores = model.scored(x, model.initial_state(2)).scores
    torch.testing.assert_close(output, 1 / (1 + (-scores).exp()))


@settings(max_examples=30, derandomize=True)
@given(
    seed=st.integers(0, 2**16), size=st.sampled_from([0.1, 3.0, 30.0]), targets=st.integers(1, 2)
)
def test_quantiles_never_cross(seed: int, size: float, targets: int) -> None:
    torch.manual_seed(seed)
    head = QuantilesHead(scale=(0.5, 4.0)[:targets], levels=LEVELS)
    model = Network(NetworkConfig(VALUES.front, head, hidden_sizes=(4,)))
    torch.nn.init.normal_(model.head.weight, std=size)
    torch.nn.init.normal_(model.head.bias, std=size)
    x = 10 * torch.randn(3, 5, 2)
    output, _ = model(x, model.initial_state(3))
    ways = output.view(3, 5, targets, len(LEVELS)).diff(dim=-1)
    assert (ways >= 0).all()
    assert ways.max() > 0


def test_the_median_is_what_a_residual_head_would_say() -> None:
    """The first rows of the head are the medians'; the levels of a target lie side by side."""
    config = NetworkConfig(
        VALUES.front, QuantilesHead(scale=(0.5, 4.0), levels=LEVELS), hidden_sizes=(3, 5)
    )
    model, x = network(config), inputs(config, 2, 6)
    plain = network(NetworkConfig(VALUES.front, VALUES.head, hidden_sizes=(3, 5)))
    plain.layers.load_state_dict(model.layers.state_dict())
    with torch.no_grad():
        plain.head.weight.copy_(model.head.weight[:2])
        plain.head.bias.copy_(model.head.bias[:2])
    expected, _ = plain(x, plain.initial_state(2))
    scored = model.scored(x, model.initial_state(2))
    output = model.head.outputs(scored.scores, scored.base)
    torch.testing.assert_close(output[..., [2, 6]], expected)
    assert isinstance(model.head, QuantilesModule)
    torch.testing.assert_close(model.head.median(scored.scores), scored.scores[..., [2, 6]])


def test_dropout_acts_in_training_and_never_on_the_states_of_the_last_layer() -> None:
    model, x = network(TOKENS), inputs(TOKENS, 2, 3)
    quiet_output, quiet_states = model(x, model.initial_state(2))
    output, states = model.train()(x, model.initial_state(2))
    assert not torch.equal(output, quiet_output)
    torch.testing.assert_close(states, quiet_states)


def test_a_config_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="hidden sizes must be positive"):
        NetworkConfig(TokensFront(3, 2), SoftmaxHead(3), hidden_sizes=())
    with pytest.raises(ValueError, match="residual head"):
        NetworkConfig(TokensFront(3, 2), ResidualHead((1.0,)), hidden_sizes=(4,))
    with pytest.raises(ValueError, match="residual head"):
        NetworkConfig(ValuesFront((0.0,), (1.0,)), ResidualHead((1.0, 1.0)), hidden_sizes=(4,))
    with pytest.raises(ValueError, match="only a forecast can take the place"):
        filling = ValuesFront((0.0,), (1.0,), fill="forecast")
        NetworkConfig(filling, SoftmaxHead(2), hidden_sizes=(4,))


@pytest.mark.parametrize("reset", ["before", "after"])
def test_export_yields_whole_gru_nodes_with_constant_weights(reset: Reset, tmp_path: Path) -> None:
    config = NetworkConfig(VALUES.front, VALUES.head, VALUES.hidden_sizes, reset)
    model, x = network(config), inputs(config, 2, 3)
    path = tmp_path / "model.onnx"
    batch, time = torch.export.Dim("batch"), torch.export.Dim("time")
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch's own, about itself
        torch.onnx.export(
            model,
            (x, model.initial_state(2)),
            path,
            dynamo=True,
            verbose=False,
            custom_translation_table=ONNX_TRANSLATION,
            dynamic_shapes={"inputs": {0: batch, 1: time}, "state": {0: batch}},
        )
    graph = onnx.load(path).graph
    constants = {tensor.name for tensor in graph.initializer}
    nodes = [node for node in graph.node if node.op_type == "GRU"]
    assert len(nodes) == 2
    assert all(constants.issuperset(node.input[1:4]) for node in nodes)
    x, state = inputs(config, 4, 6), torch.randn(4, config.state_size)
    names = [value.name for value in graph.input]
    answers = onnxruntime.InferenceSession(path).run(
        None, dict(zip(names, (x.numpy(), state.numpy()), strict=True))
    )
    with torch.no_grad():
        for answer, expected in zip(answers, model(x, state), strict=True):
            np.testing.assert_allclose(answer, expected.numpy(), atol=1e-5)
