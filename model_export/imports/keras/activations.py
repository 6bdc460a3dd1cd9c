"""Activation functions by name, as Keras's configurations give them."""

import math
from dataclasses import dataclass

from model_export.errors import ModelRefused
from model_export.imports.keras.settings import Json, Settings, brief, expect_own


@dataclass(frozen=True, slots=True)
class Activation:
    """A function of each number, or of the last axis; `parameters` by kind:

    relu           slope below the threshold, largest value (may be infinite), threshold
    elu            α
    hard_sigmoid   slope; clip(slope·x + 1/2, 0, 1)
    softmax, log_softmax   axis

    Formulas: https://keras.io/api/layers/activations
    """

    kind: str
    parameters: tuple[float, ...] = ()


LINEAR = Activation("linear")
SIGMOID = Activation("sigmoid")
TANH = Activation("tanh")

_PLAIN = (
    "linear",
    "sigmoid",
    "tanh",
    "selu",
    "softplus",
    "softsign",
    "exponential",
    "mish",
    "gelu",
)

_BY_NAME = {
    **{kind: Activation(kind) for kind in _PLAIN},
    "relu": Activation("relu", (0.0, math.inf, 0.0)),
    "relu6": Activation("relu", (0.0, 6.0, 0.0)),
    "leaky_relu": Activation("relu", (0.2, math.inf, 0.0)),
    "elu": Activation("elu", (1.0,)),
    "silu": Activation("silu"),
    "swish": Activation("silu"),
    "softmax": Activation("softmax", (-1.0,)),
    "log_softmax": Activation("log_softmax", (-1.0,)),
}
# Keras 2 has a line of slope 0.2, Keras 3 relu6(x + 3) / 6.
_HARD_SIGMOID_SLOPES = {2: 0.2, 3: 1 / 6}


def activation_by_name(value: Json, major: int) -> Activation:
    """What a field such as `activation` of Dense or GRU says; `major` is Keras's version.

    Raises ModelRefused for a function that is not known, or not Keras's own.
    """
    if value is None:
        return LINEAR
    if isinstance(value, dict) and value.get("class_name") in LAYERS:
        expect_own(value)
        return activation_of_layer(value["class_name"], Settings(value.get("config")), major)
    if value == "hard_sigmoid":
        return Activation("hard_sigmoid", (_HARD_SIGMOID_SLOPES[major],))
    if not isinstance(value, str) or value not in _BY_NAME:
        known = ", ".join(sorted({*_BY_NAME, "hard_sigmoid"}))
        raise ModelRefused(f"its activation {brief(value)} is not known here; known are {known}")
    return _BY_NAME[value]


def activation_of_layer(class_name: str, settings: Settings, major: int) -> Activation:
    """What a layer such as LeakyReLU computes; its settings are used up."""
    activation = LAYERS[class_name](settings, major)
    settings.finish()
    return activation


def _activation(settings: Settings, major: int) -> Activation:
    return activation_by_name(settings.raw("activation"), major)


def _relu(settings: Settings, _major: int) -> Activation:
    highest = settings.raw("max_value")
    largest = math.inf if highest is None else settings.number("max_value")
    slope = settings.number("negative_slope", 0.0)
    return Activation("relu", (slope, largest, settings.number("threshold", 0.0)))


def _leaky_relu(settings: Settings, major: int) -> Activation:
    """Keras 2 says `alpha` where Keras 3 says `negative_slope`."""
    slope = settings.number("negative_slope" if major > 2 else "alpha", 0.3)
    return Activation("relu", (slope, math.inf, 0.0))


def _elu(settings: Settings, _major: int) -> Activation:
    return Activation("elu", (settings.number("alpha", 1.0),))


def _softmax(settings: Settings, _major: int) -> Activation:
    axis = settings.raw("axis", -1)
    if isinstance(axis, list) and len(axis) == 1:
        axis = axis[0]
    if type(axis) is not int:
        raise ModelRefused(f"its field 'axis' is {brief(axis)}; one axis can be imported")
    return Activation("softmax", (float(axis),))


LAYERS = {
    "Activation": _activation,
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "ELU": _elu,
    "Softmax": _softmax,
}
"""Layers that are activation functions."""
