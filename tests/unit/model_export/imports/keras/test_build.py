"""The way to ONNX and the float64 reading, layer by layer: two pieces of code that must agree."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model_export.imports.keras import build, layers, reading
from model_export.imports.keras.activations import LINEAR, SIGMOID, TANH, Activation
from model_export.imports.keras.layers import Layer, Shape
from model_export.imports.keras.network import Input, Network, Step, Value
from model_export.imports.keras.signature import signature_of
from model_export.imports.keras.weights import Array
from model_export.original import Original
from tests.keras_files import assert_close, run

BATCH, TIME, WIDTH, UNITS = 3, 7, 4, 5
SEQUENCE: Shape = (None, TIME, WIDTH)
RNG = np.random.default_rng(3)

GATES = [Activation("sigmoid"), Activation("hard_sigmoid", (0.2,)), Activation("softsign")]
CANDIDATES = [
    Activation("tanh"),
    Activation("linear"),
    Activation("relu", (0.0, math.inf, 0.0)),
    Activation("relu", (0.3, math.inf, 0.0)),
    Activation("elu", (0.7,)),
    Activation("softplus"),
]
ACTIVATIONS = [
    *CANDIDATES,
    *GATES,
    Activation("relu", (0.2, 0.6, 0.1)),
    *(Activation(kind) for kind in ("selu", "exponential", "gelu", "silu", "mish")),
    Activation("softmax", (-1.0,)),
    Activation("softmax", (1.0,)),
    Activation("log_softmax", (-1.0,)),
]


def drawn(*shape: int) -> Array:
    return RNG.uniform(-0.6, 0.6, shape)


def gru(
    *,
    gates: Activation = SIGMOID,
    candidate: Activation = TANH,
    reset_after: bool = True,
    each: bool = True,
    backwards: bool = False,
) -> layers.Gru:
    return layers.Gru(
        kernel=drawn(WIDTH, 3 * UNITS),
        recurrent_kernel=drawn(UNITS, 3 * UNITS),
        biases=drawn(2, 3 * UNITS) * (1 if reset_after else [[1], [0]]),
        reset_after=reset_after,
        activation=candidate,
        recurrent_activation=gates,
        return_sequences=each,
        return_state=True,
        go_backwards=backwards,
        stateful=False,
    )


def grus() -> Iterator[layers.Gru]:
    for reset_after in (True, False):
        for each in (True, False):
            for backwards in (True, False):
                yield gru(reset_after=reset_after, each=each, backwards=backwards)
        for gates in GATES:
            yield from (
                gru(gates=gates, candidate=candidate, reset_after=reset_after)
                for candidate in CANDIDATES
            )


def on_a_sequence() -> Iterator[Layer]:
    """Layers for an input [B, 7, 4]."""
    yield from grus()
    for each in (True, False):
        for merge in ("concat", "sum", "mul", "ave"):
            both = gru(each=each), gru(each=each, reset_after=False, backwards=True)
            yield layers.Bidirectional(*both, merge)
    yield layers.Dense(drawn(WIDTH, 2), None, LINEAR)
    yield from (layers.Activate(activation) for activation in ACTIVATIONS)
    yield layers.PRelu(drawn(1, WIDTH))
    yield layers.PRelu(drawn(TIME, WIDTH))
    yield layers.BatchNorm(drawn(4), drawn(4) ** 2, drawn(4), drawn(4), 1e-3)
    yield layers.Affine(drawn(4), drawn(1), drawn(4))
    yield layers.LayerNorm(drawn(4), drawn(4), 1e-3)
    for before, after in ((0, 0), (4, 0), (2, 2)):
        yield layers.Conv1D(drawn(3, 4, 2), drawn(2), before, after, 2, 1, TANH)
    yield layers.Conv1D(drawn(2, 2, 6), None, 0, 1, 1, 2, LINEAR)
    for same in (True, False):
        yield layers.Pool1D("max", 3, 2, same)
        yield layers.Pool1D("average", 2, 3, same)
        yield layers.GlobalPool1D("max", same)
        yield layers.GlobalPool1D("average", same)
    yield layers.Reshape((2, -1))
    yield layers.Flatten()
    yield layers.Permute((2, 1))
    yield layers.Pad(2, 1)
    yield layers.Select((slice(None), -1))
    yield layers.Select((slice(None), slice(1, None, 2), 3))
    yield layers.Select((slice(None), slice(None, None, -1)))
    yield layers.Select((slice(None), slice(-2, 1, -2), slice(1, -1)))


def network_of(layer: Layer, *shapes: Shape) -> Network:
    """A model of one layer."""
    values = [Value(f"x{index}") for index in range(len(shapes))]
    inputs = [Input(value, value, shape) for value, shape in zip(values, shapes, strict=True)]
    outputs = {Value(f"y{index}"): shape for index, shape in enumerate(layer.shapes(shapes))}
    step = Step("layer", layer, tuple(values), tuple(outputs))
    shape_of = dict(zip(values, shapes, strict=True)) | outputs
    return Network(inputs, [step], list(outputs), shape_of)


def example(shape: Shape, *, is_tokens: bool) -> NDArray[Any]:
    sizes = (BATCH, *(size or TIME for size in shape[1:]))
    if is_tokens:
        return RNG.integers(0, 6, sizes)
    return RNG.normal(size=sizes).astype(np.float32)


def assert_both_agree(layer: Layer, *shapes: Shape) -> None:
    network = network_of(layer, *shapes)
    signature = signature_of(network)
    fed = {
        name: example(item.shape, is_tokens=name in signature.tokens)
        for name, item in signature.inputs.items()
    }
    read = reading.read(network, signature, fed)
    model = build.build(network, signature).model
    answers = run(Original(model, lambda _: {}, lambda _: {}, Path("none"), "none"), fed)
    declared = [network.shapes[value][1:] for value in signature.outputs.values()]
    for found, expected, shape in zip(answers, read.values(), declared, strict=True):
        assert_close(found, expected)
        assert found.shape[1:] == shape


@pytest.mark.parametrize("layer", list(on_a_sequence()), ids=lambda layer: type(layer).__name__)
def test_on_a_sequence(layer: Layer) -> None:
    assert_both_agree(layer, SEQUENCE)


def test_with_states() -> None:
    state = (None, UNITS)
    assert_both_agree(gru(), SEQUENCE, state)
    both = layers.Bidirectional(gru(each=False), gru(each=False, backwards=True), "concat")
    assert_both_agree(both, SEQUENCE, state, state)


def test_on_vectors_and_tokens() -> None:
    assert_both_agree(layers.Repeat(6), (None, WIDTH))
    assert_both_agree(layers.Dense(drawn(WIDTH, 2), drawn(2), TANH), (None, WIDTH))
    assert_both_agree(layers.Embedding(drawn(6, 3)), (None, TIME))


@pytest.mark.parametrize("kind", ["add", "subtract", "multiply", "divide", "average", "maximum"])
def test_merges(kind: layers.MergeKind) -> None:
    assert_both_agree(layers.Merge(kind, (None, None)), SEQUENCE, SEQUENCE)
    assert_both_agree(layers.Merge(kind, (3.0, None)), SEQUENCE)


def test_minimum_and_concatenate() -> None:
    assert_both_agree(layers.Merge("minimum", (None, None, 0.1)), SEQUENCE, SEQUENCE)
    for axis in (1, -1):
        assert_both_agree(layers.Concatenate(axis), SEQUENCE, SEQUENCE)


def test_both_know_the_same_layers() -> None:
    assert build._EMITTERS.keys() == reading._RULES.keys()
    assert build._FUNCTIONS.keys() | build._SOFTMAXES.keys() == reading._FUNCTIONS.keys()
