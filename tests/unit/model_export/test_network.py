"""The network's contract: shapes, units, state slices, and what torch.onnx makes of it."""

import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor

from model_export.model.network import (
    Network,
    NetworkConfig,
    ResidualHead,
    SoftmaxHead,
    TokensFront,
    ValuesFront,
)
from model_export.model.operator import ONNX_TRANSLATION
from service.bundle.manifest import Reset

VALUES = NetworkConfig(
    ValuesFront(mean=(10.0, -3.0), scale=(2.0, 5.0)),
    ResidualHead(scale=(0.5, 4.0)),
    hidden_sizes=(3, 5),
    reset="after",
)
TOKENS = NetworkConfig(TokensFront(7, 4), SoftmaxHead(7), hidden_sizes=(6,), dropout=0.5)


def network(config: NetworkConfig) -> Network:
    torch.manual_seed(1)
    return Network(config).eval()


def inputs(config: NetworkConfig, batch: int, time: int) -> Tensor:
    if isinstance(config.front, TokensFront):
        return torch.randint(config.front.size, (batch, time))
    return torch.randn(batch, time, config.front.width)


@pytest.mark.parametrize("config", [VALUES, TOKENS])
def test_shapes(config: NetworkConfig) -> None:
    output, states = network(config)(inputs(config, 3, 5), torch.zeros(3, config.state_size))
    assert output.shape == (3, 5, config.head.width)
    assert states.shape == (3, 5, config.state_size)


@pytest.mark.parametrize("config", [VALUES, TOKENS])
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
    scores, _ = model.scores(x, model.initial_state(2))
    torch.testing.assert_close(output.sum(-1), torch.ones(2, 3))
    torch.testing.assert_close(output.log().diff(dim=-1), scores.diff(dim=-1))


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
