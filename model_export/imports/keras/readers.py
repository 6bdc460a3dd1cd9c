"""From a layer's class and configuration to its record; the table at the end is what is known.

Fields and formulas: https://keras.io/api/layers
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeGuard, get_args

import numpy as np

from model_export.errors import ModelRefused
from model_export.imports.keras import activations, layers
from model_export.imports.keras.architecture import MODELS
from model_export.imports.keras.layers import Layer, Shape, axis_of, rank, same_width
from model_export.imports.keras.operations import MERGES, OPERATIONS
from model_export.imports.keras.settings import Json, Settings, brief, expect_own
from model_export.imports.keras.weights import Array, Weights

_EPSILON = 1e-7
"""`keras.backend.epsilon()`, the smallest deviation that Normalization divides by."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a layer is read from; `shape` is that of its first input, `major` Keras's version.

    `notes` collects sentences about what was taken for granted.
    """

    settings: Settings
    weights: Weights
    shape: Shape
    major: int
    notes: list[str] = field(default_factory=list)

    def activation(self, key: str = "activation") -> activations.Activation:
        return activations.activation_by_name(self.settings.raw(key), self.major)

    def child(self, record: Json, attribute: str) -> "tuple[str, Source]":
        """Class and source of a layer that this one wraps."""
        if not isinstance(record, dict) or not isinstance(record.get("class_name"), str):
            raise ModelRefused(f"its field {attribute!r} is {brief(record)}, and no layer")
        expect_own(record)
        settings = Settings(record.get("config"))
        inside = self.weights.inside(attribute)
        return record["class_name"], replace(self, settings=settings, weights=inside)


Reader = Callable[[Source], Layer]


def read_layer(class_name: str, source: Source) -> Layer | None:
    """The record of a layer, or None for one that does nothing once training is over.

    Raises ModelRefused saying what about the layer stands in the way.
    """
    if class_name in ONLY_TRAINING:
        return None
    refuse_unknown(class_name)
    layer = READERS[class_name](source)
    source.settings.finish()
    return layer


def refuse_unknown(class_name: str) -> None:
    """Raises ModelRefused for a class of layer that cannot be imported, saying why."""
    if class_name in _REFUSED:
        raise ModelRefused(f"it cannot be imported: {_REFUSED[class_name]}")
    known = {*READERS, *ONLY_TRAINING, *MERGES, *MODELS, *OPERATIONS}
    if class_name not in known:
        reason = "it cannot be imported: there is no rule for this class; known layers: "
        raise ModelRefused(reason + ", ".join(sorted(known)))


_NOT_A_GRU = "it is recurrent and no GRU, and only GRUs can be served"
_REFUSED = {
    "Lambda": "it holds Python code, which is never executed; build it of layers instead",
    "Masking": (
        "a masked step must leave the state as it was, which a session cannot do; send no step at "
        "all instead, and save the model without this layer"
    ),
    "CuDNNGRU": "its weights are laid out for one library; load the model and save it with GRU",
    "LSTM": _NOT_A_GRU,
    "SimpleRNN": _NOT_A_GRU,
    "ConvLSTM1D": _NOT_A_GRU,
    "RNN": "its cell may hold any code; use the layer GRU",
}


def gru(source: Source) -> layers.Gru:
    """Raises ModelRefused for weights that do not have the shapes of a GRU."""
    settings = source.settings
    units = settings.whole("units")
    has_bias = settings.flag("use_bias", True)
    names = ("kernel", "recurrent_kernel", "bias")[: 2 + has_bias]
    weights = source.weights.inside("cell").take(*names)
    reset_after = _reset_after(settings, weights)
    for key in ("time_major", "zero_output_for_mask"):
        settings.raw(key)
    if settings.raw("time_major"):
        raise ModelRefused("its field 'time_major' is set; put the batch before time")
    for key in ("dropout", "recurrent_dropout"):
        settings.number(key, 0.0)
    features = weights["kernel"].shape[0]
    return layers.Gru(
        kernel=_shaped(weights, "kernel", (features, 3 * units)),
        recurrent_kernel=_shaped(weights, "recurrent_kernel", (units, 3 * units)),
        biases=_gru_biases(weights, units, reset_after=reset_after),
        reset_after=reset_after,
        activation=source.activation(),
        recurrent_activation=source.activation("recurrent_activation"),
        return_sequences=settings.flag("return_sequences"),
        return_state=settings.flag("return_state"),
        go_backwards=settings.flag("go_backwards"),
        stateful=settings.flag("stateful"),
    )


def _reset_after(settings: Settings, weights: dict[str, Array]) -> bool:
    """Files from before the field existed tell it by the shape of the bias."""
    if settings.raw("reset_after") is None and "bias" in weights:
        return weights["bias"].ndim == 2
    return settings.flag("reset_after")


def _gru_biases(weights: dict[str, Array], units: int, *, reset_after: bool) -> Array:
    if "bias" not in weights:
        return np.zeros((2, 3 * units))
    if reset_after:
        return _shaped(weights, "bias", (2, 3 * units))
    bias = _shaped(weights, "bias", (3 * units,))
    return np.stack([bias, np.zeros_like(bias)])


def _bidirectional(source: Source) -> Layer:
    settings = source.settings
    kinds: tuple[layers.BidirectionalMerge, ...] = get_args(layers.BidirectionalMerge)
    merge = settings.choice("merge_mode", kinds, "concat")
    wrapped = settings.raw("layer")
    forward = _gru_inside(source, wrapped, "forward_layer")
    other = settings.raw("backward_layer")
    if other is None:
        other = _turned(wrapped)
    backward = _gru_inside(source, other, "backward_layer")
    if forward.go_backwards or not backward.go_backwards:
        raise ModelRefused("its layers do not run forward and backward, in this order")
    for key in ("return_sequences", "return_state", "stateful"):
        if getattr(forward, key) != getattr(backward, key):
            raise ModelRefused(f"its two layers differ in the field {key!r}")
    return layers.Bidirectional(forward, backward, merge)


def _gru_inside(source: Source, record: Json, attribute: str) -> layers.Gru:
    class_name, inner = source.child(record, attribute)
    if class_name != "GRU":
        raise ModelRefused(f"it wraps a layer of class {class_name}; a GRU can be imported")
    read = gru(inner)
    inner.settings.finish()
    return read


def _turned(record: Json) -> Json:
    """The record of the backward layer, where the file leaves it to the forward layer."""
    config = record.get("config")
    return {**record, "config": {**config, "go_backwards": not config.get("go_backwards")}}


def _time_distributed(source: Source) -> Layer:
    """A layer that works on the last axis does at each time step what it does on all of them."""
    batch, _, features = rank(source.shape, 3)
    class_name, inner = source.child(source.settings.raw("layer"), "layer")
    inner = replace(inner, shape=(batch, features))
    if class_name not in POINTWISE:
        raise ModelRefused(
            f"it wraps a layer of class {class_name}; it can wrap {', '.join(sorted(POINTWISE))}"
        )
    read = read_layer(class_name, inner) or layers.Activate(activations.LINEAR)
    # The wrapped layer does not see the axis of time, which now stands before its own.
    return layers.Activate(_over_last(read.activation)) if _is_softmax(read) else read


def _is_softmax(layer: Layer) -> TypeGuard[layers.Activate]:
    return isinstance(layer, layers.Activate) and "softmax" in layer.activation.kind


def _over_last(softmax: activations.Activation) -> activations.Activation:
    """Raises ModelRefused unless the axis is the last of two."""
    if softmax.parameters not in ((-1.0,), (1.0,)):
        raise ModelRefused("it wraps a softmax over the batch")
    return replace(softmax, parameters=(-1.0,))


def _dense(source: Source) -> Layer:
    settings = source.settings
    units = settings.whole("units")
    has_bias = settings.flag("use_bias", True)
    weights = source.weights.take(*("kernel", "bias")[: 1 + has_bias])
    return layers.Dense(
        kernel=_shaped(weights, "kernel", (weights["kernel"].shape[0], units)),
        bias=_shaped(weights, "bias", (units,)) if has_bias else None,
        activation=source.activation(),
    )


def _activate(class_name: str) -> Reader:
    def read(source: Source) -> Layer:
        read_one = activations.LAYERS[class_name]
        return layers.Activate(read_one(source.settings, source.major))

    return read


def _prelu(source: Source) -> Layer:
    source.settings.raw("shared_axes")
    return layers.PRelu(source.weights.take("alpha")["alpha"])


def _batch_normalization(source: Source) -> Layer:
    settings = source.settings
    _last_axis(settings, source.shape)
    names = ["moving_mean", "moving_variance"]
    if settings.flag("center", True):
        names.insert(0, "beta")
    if settings.flag("scale", True):
        names.insert(0, "gamma")
    weights = source.weights.take(*names)
    for key in ("momentum", "synchronized", "virtual_batch_size", "renorm"):
        settings.raw(key)
    for key in ("renorm_clipping", "renorm_momentum"):
        settings.raw(key)
    epsilon = settings.number("epsilon", 1e-3)
    width = (len(np.atleast_1d(weights["moving_mean"])),)
    mean = _shaped(weights, "moving_mean", width)
    variance = _shaped(weights, "moving_variance", width)
    if (variance + epsilon <= 0).any():
        raise ModelRefused("its variances are not positive")
    gamma, beta = _scale_and_shift(weights, width)
    return layers.BatchNorm(mean, variance, gamma, beta, epsilon)


def _layer_normalization(source: Source) -> Layer:
    settings = source.settings
    _last_axis(settings, source.shape)
    names = [
        *(["gamma"] if settings.flag("scale", True) else []),
        *(["beta"] if settings.flag("center", True) else []),
    ]
    weights = source.weights.take(*names)
    gamma, beta = _scale_and_shift(weights, (source.shape[-1] or 0,))
    return layers.LayerNorm(gamma, beta, settings.number("epsilon", 1e-3))


def _scale_and_shift(weights: dict[str, Array], width: tuple[int, ...]) -> tuple[Array, Array]:
    """gamma and beta, of which either may be absent."""
    gamma = _shaped(weights, "gamma", width) if "gamma" in weights else np.ones(width)
    beta = _shaped(weights, "beta", width) if "beta" in weights else np.zeros(width)
    return gamma, beta


def _normalization(source: Source) -> Layer:
    """(x − mean) / max(√variance, ε), or back with `invert`."""
    settings = source.settings
    shared = settings.raw("axis", -1) in (None, [])
    if not shared:
        _last_axis(settings, source.shape)
    mean, variance = _moments(source)
    for values in (mean, variance):
        if len(values) != 1:
            same_width(None if shared else source.shape[-1], len(values))
    deviation = np.maximum(np.sqrt(variance), _EPSILON)
    nothing = np.zeros(1)
    if settings.raw("invert") is None:
        source.notes.append(
            "This version of Keras does not save the field 'invert'; it is taken as false, as by "
            "Keras when it loads the file."
        )
    if settings.flag("invert"):
        return layers.Affine(shift=nothing, factor=deviation, offset=mean)
    return layers.Affine(shift=mean, factor=1 / deviation, offset=nothing)


def _moments(source: Source) -> tuple[Array, Array]:
    """Given when the layer was made, or learnt by `adapt`."""
    settings = source.settings
    if settings.raw("mean") is not None:
        mean = np.array(settings.numbers("mean"))
        variance = np.array(settings.numbers("variance"))
    else:
        settings.raw("variance")
        weights = source.weights.take("mean", "variance", "count")
        mean, variance = weights["mean"].reshape(-1), weights["variance"].reshape(-1)
    if (variance < 0).any():
        raise ModelRefused("its variances are negative")
    return mean, variance


def _rescaling(source: Source) -> Layer:
    scale, offset = source.settings.numbers("scale"), source.settings.numbers("offset")
    return layers.Affine(np.zeros(1), np.array(scale), np.array(offset))


def _embedding(source: Source) -> Layer:
    settings = source.settings
    if settings.flag("mask_zero"):
        raise ModelRefused(
            "its field 'mask_zero' is set, so that token 0 leaves the states of later layers as "
            "they were, which a session cannot do; send no step at all instead of token 0, and "
            "save the model with mask_zero=False"
        )
    shape = (settings.whole("input_dim"), settings.whole("output_dim"))
    return layers.Embedding(_shaped(source.weights.take("embeddings"), "embeddings", shape))


def _conv1d(source: Source) -> Layer:
    settings = source.settings
    if settings.whole("strides", 1) != 1:
        raise ModelRefused("its field 'strides' is above 1, so it answers fewer steps than it gets")
    _channels_last(settings)
    width, dilation = settings.whole("kernel_size"), settings.whole("dilation_rate", 1)
    groups, filters = settings.whole("groups", 1), settings.whole("filters")
    has_bias = settings.flag("use_bias", True)
    weights = source.weights.take(*("kernel", "bias")[: 1 + has_bias])
    before, after = _padding(settings, (width - 1) * dilation)
    features = (source.shape[-1] or 0) // groups
    return layers.Conv1D(
        kernel=_shaped(weights, "kernel", (width, features, filters)),
        bias=_shaped(weights, "bias", (filters,)) if has_bias else None,
        before=before,
        after=after,
        dilation=dilation,
        groups=groups,
        activation=source.activation(),
    )


def _padding(settings: Settings, reach: int) -> tuple[int, int]:
    """Zeros before and after for a kernel that reaches over `reach` steps beside its own."""
    kind = settings.choice("padding", ("valid", "same", "causal"), "valid")
    before = {"valid": 0, "same": reach // 2, "causal": reach}[kind]
    return before, reach - before if kind == "same" else 0


def _pool1d(kind: layers.Pooling) -> Reader:
    def read(source: Source) -> Layer:
        settings = source.settings
        _channels_last(settings)
        size = settings.whole("pool_size", 2)
        stride = size if settings.raw("strides") is None else settings.whole("strides")
        same = settings.choice("padding", ("valid", "same"), "valid") == "same"
        return layers.Pool1D(kind, size, stride, same)

    return read


def _global_pool1d(kind: layers.Pooling) -> Reader:
    def read(source: Source) -> Layer:
        _channels_last(source.settings)
        keep = source.settings.flag("keepdims")
        return layers.GlobalPool1D(kind, keep)

    return read


def _flatten(source: Source) -> Layer:
    _channels_last(source.settings)
    return layers.Flatten()


def _reshape(source: Source) -> Layer:
    target = source.settings.wholes("target_shape", -1)
    if 0 in target:
        raise ModelRefused("its field 'target_shape' holds a zero")
    return layers.Reshape(target)


def _zero_padding1d(source: Source) -> Layer:
    _channels_last(source.settings)
    return layers.Pad(*_both_ends(source.settings, "padding"))


def _cropping1d(source: Source) -> Layer:
    before, after = _both_ends(source.settings, "cropping")
    return layers.Select((slice(None), slice(before or None, -after or None)))


def _both_ends(settings: Settings, key: str) -> tuple[int, int]:
    ends = settings.wholes(key, 0)
    return ends[0], ends[-1]


def _concatenate(source: Source) -> Layer:
    axis = source.settings.raw("axis", -1)
    if type(axis) is not int:
        raise ModelRefused(f"its field 'axis' is {brief(axis)}; a whole number can be imported")
    return layers.Concatenate(axis)


def _last_axis(settings: Settings, shape: Shape) -> None:
    """Raises ModelRefused unless the field `axis` means the last one."""
    axis = settings.raw("axis", -1)
    if isinstance(axis, list) and len(axis) == 1:
        axis = axis[0]
    if type(axis) is not int or axis_of(axis, shape) != len(shape) - 1:
        raise ModelRefused(f"its field 'axis' is {brief(axis)}; the last axis can be imported")


def _channels_last(settings: Settings) -> None:
    settings.choice("data_format", ("channels_last",), "channels_last")


def _shaped(weights: dict[str, Array], name: str, shape: tuple[int, ...]) -> Array:
    found = weights[name]
    if found.shape != shape:
        reason = f"its weight {name!r} is {list(found.shape)} in the file, not {list(shape)}"
        raise ModelRefused(reason)
    return found


READERS: dict[str, Reader] = {
    "GRU": gru,
    "Bidirectional": _bidirectional,
    "TimeDistributed": _time_distributed,
    "Dense": _dense,
    **{name: _activate(name) for name in activations.LAYERS},
    "PReLU": _prelu,
    "BatchNormalization": _batch_normalization,
    "LayerNormalization": _layer_normalization,
    "Normalization": _normalization,
    "Rescaling": _rescaling,
    "Embedding": _embedding,
    "Conv1D": _conv1d,
    "MaxPooling1D": _pool1d("max"),
    "AveragePooling1D": _pool1d("average"),
    "GlobalMaxPooling1D": _global_pool1d("max"),
    "GlobalAveragePooling1D": _global_pool1d("average"),
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": lambda source: layers.Permute(source.settings.wholes("dims", 1)),
    "RepeatVector": lambda source: layers.Repeat(source.settings.whole("n")),
    "ZeroPadding1D": _zero_padding1d,
    "Cropping1D": _cropping1d,
    "Concatenate": _concatenate,
}
"""Layers with one input, or with all inputs alike."""

ONLY_TRAINING = {
    "Dropout",
    "SpatialDropout1D",
    "GaussianNoise",
    "GaussianDropout",
    "AlphaDropout",
    "ActivityRegularization",
    "Identity",
}
"""Layers that hand on their input once training is over."""

POINTWISE = {"Dense", "BatchNormalization", "LayerNormalization", "Rescaling"}
POINTWISE |= ONLY_TRAINING | activations.LAYERS.keys()
"""Layers that may stand in TimeDistributed."""
