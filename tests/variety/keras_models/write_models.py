"""Writes Keras models of all kinds, each with inputs and with what Keras itself answers.

Run by the Python of an environment that has Keras (2 or 3), not by the project's own:

    KERAS_BACKEND=torch .variety/keras_3/bin/python write_models.py FOLDER [NAME.keras NAME.h5 …]

Without names it writes every model in both formats, and to FOLDER/refused models that have to be
refused, each with NAME.txt, which says what the refusal has to mention. FOLDER/answers.npz holds
`NAME/input/INPUT` for every input, in the order of the model, and `NAME/output/0`, `…/1`, ….
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

Keras = Any
"""A layer, tensor or model, of either version."""

Build = Callable[[], Keras]

KERAS_3 = keras.__version__.startswith("3")
BATCH, TIME, FEATURES = 3, 12, 3

MODELS: dict[str, Build] = {}
REFUSED: dict[str, tuple[Build, str]] = {}


def model(build: Build) -> Build:
    MODELS[build.__name__] = build
    return build


def variants(build: Callable[..., Keras], **by_name: dict[str, Keras]) -> None:
    """The same model with other options, which are given by the names of the models."""
    for name, options in by_name.items():
        MODELS[name] = partial(build, **options)


def refused(*mentions: str) -> Callable[[Build], Build]:
    def add(build: Build) -> Build:
        REFUSED[build.__name__] = (build, "\n".join(mentions))
        return build

    return add


def sequential(*stack: Keras, shape: tuple[int | None, ...] = (TIME, FEATURES)) -> Keras:
    return keras.Sequential([keras.Input(shape), *stack])


def free(*stack: Keras) -> Keras:
    """A model for sequences of any length."""
    return sequential(*stack, shape=(None, FEATURES))


# One GRU, in every variant.

RESETS = {"after": True, "before": False}
ANSWERS = {"each": True, "last": False}


def one_gru(**options: Keras) -> Keras:
    return free(layers.GRU(5, **options), layers.Dense(2))


variants(
    one_gru,
    **{
        f"gru_{reset}_{answer}{'' if use_bias else '_no_bias'}": {
            "reset_after": reset_after,
            "return_sequences": return_sequences,
            "use_bias": use_bias,
        }
        for reset, reset_after in RESETS.items()
        for answer, return_sequences in ANSWERS.items()
        for use_bias in (True, False)
    },
)
GATES = ("hard_sigmoid", "linear", "relu", "softsign", "softplus", "elu", "tanh")
variants(one_gru, **{f"gates_{name}": {"recurrent_activation": name} for name in GATES})
CANDIDATES = ("linear", "relu", "sigmoid", "softsign", "softplus", "elu", "hard_sigmoid")
variants(
    one_gru,
    **{
        f"candidate_{name}_{reset}": {"activation": name, "reset_after": reset_after}
        for name in CANDIDATES
        for reset, reset_after in RESETS.items()
    },
    both_functions={"activation": "elu", "recurrent_activation": "hard_sigmoid"},
)


@model
def backwards() -> Keras:
    return free(layers.GRU(4, go_backwards=True, return_sequences=True), layers.Dense(2))


@model
def backwards_last() -> Keras:
    return sequential(layers.GRU(4, go_backwards=True, reset_after=False))


@model
def stacked() -> Keras:
    return sequential(
        layers.GRU(6, return_sequences=True, name="first"),
        layers.Dropout(0.2),
        layers.GRU(4, reset_after=False, return_sequences=True, dropout=0.1, recurrent_dropout=0.1),
        layers.GRU(3),
        layers.Dense(8, activation="relu"),
        layers.Dense(1),
    )


@model
def stateful() -> Keras:
    stack = [layers.GRU(4, stateful=True, return_sequences=True), layers.Dense(2)]
    return keras.Sequential([keras.Input(batch_shape=(BATCH, TIME, FEATURES)), *stack])


@model
def mixed_names() -> Keras:
    """Groups of weights are numbered by class and in order, whatever the layers are called."""
    return sequential(
        layers.GRU(3, return_sequences=True, name="gru_1"),
        layers.Dense(3, name="dense_7"),
        layers.GRU(3, return_sequences=True, name="gru"),
        layers.Dense(3, name="dense"),
        layers.GRU(3, name="a_last_one"),
    )


# Bidirectional.


def two_directions(merge_mode: str, return_sequences: bool) -> Keras:
    gru = layers.GRU(4, return_sequences=return_sequences)
    return sequential(layers.Bidirectional(gru, merge_mode=merge_mode), layers.Dense(2))


variants(
    two_directions,
    **{
        f"bidirectional_{merge}_{answer}": {
            "merge_mode": merge,
            "return_sequences": return_sequences,
        }
        for merge in ("concat", "sum", "mul", "ave")
        for answer, return_sequences in ANSWERS.items()
    },
)


@model
def bidirectional_own_backward() -> Keras:
    forward = layers.GRU(4, return_sequences=True)
    backward = layers.GRU(4, return_sequences=True, go_backwards=True, activation="relu")
    return sequential(layers.Bidirectional(forward, backward_layer=backward), layers.GRU(2))


@model
def bidirectional_states() -> Keras:
    x = keras.Input((TIME, FEATURES))
    both = layers.Bidirectional(
        layers.GRU(4, return_sequences=True, return_state=True, reset_after=False)
    )
    output, forward, backward = both(x)
    again = layers.Bidirectional(layers.GRU(4))(output, initial_state=[forward, backward])
    return keras.Model(x, [again, output])


# Around the GRU.

ACTIVATIONS = ["relu", "sigmoid", "tanh", "softmax", "elu", "selu", "softplus", "softsign"]
ACTIVATIONS += ["hard_sigmoid", "swish", "gelu", "exponential", "linear"]
if KERAS_3:
    ACTIVATIONS += ["silu", "leaky_relu", "relu6", "mish", "log_softmax"]


def head(function: str) -> Keras:
    return free(layers.GRU(4), layers.Dense(5, function))


variants(head, **{f"head_{name}": {"function": name} for name in ACTIVATIONS})


@model
def activation_layers() -> Keras:
    slope = {"negative_slope": 0.1} if KERAS_3 else {"alpha": 0.1}
    return free(
        layers.GRU(4, return_sequences=True),
        layers.Dense(5),
        layers.LeakyReLU(**slope),
        layers.Dense(5),
        layers.ELU(alpha=0.7),
        layers.Dense(5),
        layers.ReLU(max_value=0.5, negative_slope=0.2, threshold=0.1),
        layers.Dense(5),
        layers.ReLU(),
        layers.PReLU(shared_axes=[1]),
        layers.Dense(5, activation=layers.LeakyReLU(**slope)),
        layers.Activation("tanh"),
        layers.Softmax(),
    )


@model
def prelu_for_each_step() -> Keras:
    return sequential(layers.GRU(4, return_sequences=True), layers.PReLU())


@model
def time_distributed() -> Keras:
    return free(
        layers.TimeDistributed(layers.Dense(4, "tanh")),
        layers.GRU(4, return_sequences=True),
        layers.TimeDistributed(layers.BatchNormalization()),
        layers.TimeDistributed(layers.Dropout(0.1)),
        layers.TimeDistributed(layers.Dense(3)),
        layers.TimeDistributed(layers.Softmax()),
    )


@model
def only_training() -> Keras:
    return free(
        layers.GaussianNoise(0.1),
        layers.SpatialDropout1D(0.1),
        layers.GRU(4),
        layers.GaussianDropout(0.1),
        layers.Dense(1),
    )


@model
def batch_normalization() -> Keras:
    return free(
        layers.BatchNormalization(),
        layers.GRU(4, return_sequences=True),
        layers.BatchNormalization(scale=False),
        layers.GRU(4),
        layers.BatchNormalization(center=False, epsilon=0.1),
        layers.Dense(1),
    )


@model
def layer_normalization() -> Keras:
    return free(
        layers.LayerNormalization(),
        layers.GRU(4, return_sequences=True),
        layers.LayerNormalization(center=False, epsilon=0.01),
        layers.GRU(4),
        layers.LayerNormalization(scale=False),
    )


@model
def normalization_adapted() -> Keras:
    normalization = layers.Normalization()
    normalization.adapt(np.random.default_rng(5).normal(20, 3, (50, TIME, FEATURES)))
    return sequential(normalization, layers.GRU(4), layers.Dense(1))


@model
def normalization_given() -> Keras:
    return sequential(
        layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 1.0, 0.25]),
        layers.GRU(4),
        layers.Dense(1),
        layers.Normalization(axis=None, mean=5.0, variance=9.0, invert=True),
    )


@model
def rescaling() -> Keras:
    return sequential(layers.Rescaling(0.1, offset=-1.0), layers.GRU(4), layers.Dense(1))


@model
def embedding() -> Keras:
    return sequential(
        layers.Embedding(11, 4),
        layers.GRU(5, return_sequences=True),
        layers.Dense(11, "softmax"),
        shape=(None,),
    )


@model
def embedding_window() -> Keras:
    return sequential(layers.Embedding(11, 4), layers.GRU(5), layers.Dense(2), shape=(TIME,))


def convolution(**options: Keras) -> Keras:
    return free(layers.Dense(4), layers.Conv1D(6, **options), layers.GRU(4, return_sequences=True))


variants(
    convolution,
    convolution_causal={"kernel_size": 3, "padding": "causal", "activation": "relu"},
    convolution_same={"kernel_size": 3, "padding": "same"},
    convolution_same_even={"kernel_size": 4, "padding": "same"},
    convolution_valid={"kernel_size": 3, "padding": "valid"},
    convolution_dilated={"kernel_size": 3, "padding": "causal", "dilation_rate": 2},
    convolution_groups={"kernel_size": 2, "padding": "same", "groups": 2, "use_bias": False},
)


@model
def padded_convolution() -> Keras:
    return free(layers.ZeroPadding1D((2, 0)), layers.Conv1D(4, 3), layers.GRU(4))


@model
def pooling() -> Keras:
    return sequential(
        layers.MaxPooling1D(2),
        layers.AveragePooling1D(3, strides=1, padding="same"),
        layers.GRU(4, return_sequences=True),
        layers.MaxPooling1D(3, strides=2, padding="same"),
        layers.GRU(4),
    )


def all_time(pool: str) -> Keras:
    gru = layers.GRU(4, return_sequences=True)
    return sequential(gru, getattr(layers, pool)(), layers.Dense(1))


variants(
    all_time,
    all_time_max={"pool": "GlobalMaxPooling1D"},
    all_time_mean={"pool": "GlobalAveragePooling1D"},
)


@model
def flatten() -> Keras:
    return sequential(layers.GRU(4, return_sequences=True), layers.Flatten(), layers.Dense(2))


@model
def reshape() -> Keras:
    return sequential(layers.GRU(6), layers.Dense(6), layers.Reshape((3, -1)))


@model
def from_a_flat_window() -> Keras:
    return sequential(layers.Reshape((TIME, 1)), layers.GRU(4), layers.Dense(1), shape=(TIME,))


@model
def encoder_decoder() -> Keras:
    return sequential(
        layers.GRU(5),
        layers.RepeatVector(4),
        layers.GRU(5, return_sequences=True),
        layers.TimeDistributed(layers.Dense(1)),
    )


@model
def permuted_and_cropped() -> Keras:
    return sequential(layers.Permute((2, 1)), layers.Cropping1D((1, 0)), layers.GRU(4))


@model
def hard_gates() -> Keras:
    """hard_sigmoid has another slope in Keras 2 than in Keras 3."""
    return sequential(
        layers.GRU(
            4, recurrent_activation="hard_sigmoid", reset_after=False, return_sequences=True
        ),
        layers.Dropout(0.3),
        layers.GRU(3, recurrent_activation="hard_sigmoid"),
        layers.BatchNormalization(),
        layers.Dense(2, "hard_sigmoid"),
    )


@model
def many_layers() -> Keras:
    return free(
        layers.Rescaling(0.5, offset=0.1),
        layers.Conv1D(4, 2, padding="causal", dilation_rate=2, activation="relu"),
        layers.BatchNormalization(),
        layers.LayerNormalization(),
        layers.TimeDistributed(layers.Dense(3, "softsign")),
        layers.GRU(4, use_bias=False),
        layers.Softmax(),
    )


# Functional models.


@model
def initial_state() -> Keras:
    x, state = keras.Input((None, FEATURES)), keras.Input((4,), name="start")
    output, last = layers.GRU(4, return_sequences=True, return_state=True)(x, initial_state=state)
    return keras.Model([x, state], [layers.Dense(2)(output), last])


@model
def state_of_another_layer() -> Keras:
    x, again = keras.Input((None, FEATURES)), keras.Input((TIME, 2), name="again")
    _, state = layers.GRU(4, return_state=True, reset_after=False)(x)
    decoded = layers.GRU(4, return_sequences=True)(again, initial_state=[state])
    return keras.Model([x, again], layers.Dense(1)(decoded))


@model
def branches() -> Keras:
    x, static = keras.Input((None, FEATURES)), keras.Input((2,), name="static")
    left, right = layers.GRU(4)(x), layers.GRU(4, reset_after=False)(x)
    merged = [
        layers.Concatenate()([left, right, static]),
        layers.Add()([left, right, left]),
        layers.Multiply()([left, right]),
        layers.Subtract()([left, right]),
        layers.Average()([left, right, right]),
        layers.Maximum()([left, right]),
        layers.Minimum()([left, right]),
    ]
    return keras.Model([x, static], layers.Dense(2)(layers.Concatenate(axis=1)(merged)))


@model
def residual() -> Keras:
    x = keras.Input((None, FEATURES))
    hidden = layers.GRU(4, return_sequences=True)(x)
    hidden = layers.Add()([hidden, layers.GRU(4, return_sequences=True)(hidden)])
    return keras.Model(x, [layers.Dense(1, name="first")(hidden), layers.Dense(2)(hidden)])


@model
def shared_layer() -> Keras:
    x = keras.Input((None, FEATURES))
    shared, head = layers.GRU(FEATURES, return_sequences=True), layers.Dense(2)
    once = shared(x)
    twice = shared(once)
    return keras.Model(x, [head(twice), head(once)])


@model
def indexed_and_scaled() -> Keras:
    x = keras.Input((None, FEATURES))
    hidden = layers.GRU(4, return_sequences=True)(x)
    last, some = hidden[:, -1], hidden[:, -1, 1:3]
    return keras.Model(x, [2 * last - 1, (some + some) / 4, -last * last])


@model
def nested() -> Keras:
    inner_x = keras.Input((None, 4))
    inner_hidden = layers.GRU(4, return_sequences=True)(inner_x)
    inner = keras.Model(inner_x, layers.Dense(4)(inner_hidden), name="inner")
    head = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, "relu"), layers.Dense(2)], name="head"
    )
    x = keras.Input((None, FEATURES))
    once = inner(layers.Dense(4)(x))
    twice = inner(once)
    return keras.Model(x, [head(layers.GRU(4)(twice)), twice])


@model
def nested_sequential() -> Keras:
    encoder = keras.Sequential([keras.Input((TIME, FEATURES)), layers.GRU(4), layers.Dense(3)])
    made = keras.Sequential([encoder, layers.BatchNormalization(), layers.Dense(1)])
    made.build((None, TIME, FEATURES))
    return made


@model
def frozen() -> Keras:
    made = sequential(
        layers.GRU(4, return_sequences=True), layers.BatchNormalization(), layers.GRU(3)
    )
    made.layers[0].trainable = False
    made.layers[1].trainable = False
    return made


if KERAS_3:

    @model
    def named_inputs_and_outputs() -> Keras:
        x = keras.Input((None, FEATURES), name="x")
        hidden = layers.GRU(4, return_sequences=True)(x)
        outputs = {"b": layers.Dense(2)(hidden), "a": hidden[..., -1, :]}
        return keras.Model({"x": x}, outputs)


# What has to be refused, and what the refusal has to name.


@refused("'lstm'", "LSTM", "only GRUs")
def with_lstm() -> Keras:
    return free(layers.LSTM(4, name="lstm"), layers.Dense(1))


@refused("'rnn'", "SimpleRNN")
def with_simple_rnn() -> Keras:
    return free(layers.SimpleRNN(4, name="rnn"))


@refused("no GRU")
def without_gru() -> Keras:
    return free(layers.Dense(4))


@refused("'code'", "Lambda", "never executed")
def with_lambda() -> Keras:
    return sequential(layers.GRU(4), layers.Lambda(lambda x: x, output_shape=(4,), name="code"))


@refused("'masking'", "Masking", "state")
def with_masking() -> Keras:
    return free(layers.Masking(0.0, name="masking"), layers.GRU(4))


@refused("'embedding'", "mask_zero")
def with_mask_zero() -> Keras:
    return sequential(
        layers.Embedding(9, 3, mask_zero=True, name="embedding"), layers.GRU(4), shape=(None,)
    )


@refused("'conv'", "strides")
def with_strides() -> Keras:
    return free(layers.Conv1D(4, 3, strides=2, name="conv"), layers.GRU(4))


@refused("'gru'", "selu", "cannot stand in a GRU node")
def with_selu_in_gru() -> Keras:
    return free(layers.GRU(4, activation="selu", name="gru"))


@refused("'attention'", "known layers")
def with_attention() -> Keras:
    x = keras.Input((None, FEATURES))
    hidden = layers.GRU(4, return_sequences=True)(x)
    return keras.Model(x, layers.Attention(name="attention")([hidden, hidden]))


@refused("'both'", "LSTM")
def with_bidirectional_lstm() -> Keras:
    return free(layers.Bidirectional(layers.LSTM(4), name="both"))


@refused("'gru'", "training=True")
def with_dropout_that_stays() -> Keras:
    x = keras.Input((None, FEATURES))
    return keras.Model(x, layers.GRU(4, dropout=0.5, name="gru")(x, training=True))


@refused("'first'", "'second'", "stateful")
def with_half_a_state() -> Keras:
    x = keras.Input(batch_shape=(1, TIME, FEATURES))
    hidden = layers.GRU(4, stateful=True, return_sequences=True, name="first")(x)
    return keras.Model(x, layers.GRU(4, name="second")(hidden))


def fill(made: Keras, rng: np.random.Generator) -> None:
    """Weights away from their initial values, so that none can be mixed up unnoticed."""
    filled = []
    for weight in made.get_weights():
        if weight.ndim == 0:
            filled.append(weight)
        else:
            filled.append(rng.uniform(0.1, 0.5, weight.shape) * rng.choice([-1, 1], weight.shape))
    positive = {"moving_variance", "variance"}
    for index, variable in enumerate(made.weights):
        if variable.name.split("/")[-1].split(":")[0] in positive:
            filled[index] = np.abs(filled[index])
    made.set_weights(filled)


def inputs_for(made: Keras, rng: np.random.Generator) -> dict[str, np.ndarray]:
    drawn = {}
    for tensor in made.inputs:
        shape = [BATCH, *(size or TIME - 3 for size in tensor.shape[1:])]
        is_tokens = len(shape) == 2 and any(isinstance(x, layers.Embedding) for x in made.layers)
        numbers = rng.integers(0, 11, shape) if is_tokens else rng.normal(size=shape)
        drawn[tensor.name] = numbers.astype(np.int64 if is_tokens else np.float32)
    return drawn


def answers_of(made: Keras, drawn: dict[str, np.ndarray]) -> list[np.ndarray]:
    given = list(drawn.values())
    answer = made.predict(given[0] if len(given) == 1 else given, batch_size=BATCH, verbose=0)
    if isinstance(answer, dict):
        return [answer[key] for key in sorted(answer)]
    return list(answer) if isinstance(answer, list | tuple) else [answer]


def write(name: str, files: list[Path]) -> dict[str, np.ndarray]:
    """Save one model to all files; its inputs and answers."""
    keras.backend.clear_session()
    rng = np.random.default_rng(sum(name.encode()))
    made = MODELS[name]()
    if name != "normalization_adapted":
        fill(made, rng)
    drawn = inputs_for(made, rng)
    for file in files:
        made.save(file)
    arrays = {f"{name}/input/{key}": value for key, value in drawn.items()}
    for index, answer in enumerate(answers_of(made, drawn)):
        arrays[f"{name}/output/{index}"] = np.asarray(answer)
    return arrays


def write_refused(folder: Path) -> None:
    folder.mkdir()
    for name, (build, mentions) in REFUSED.items():
        made = build()
        for ending in ("keras", "h5"):
            made.save(folder / f"{name}.{ending}")
        (folder / f"{name}.txt").write_text(mentions)


def main() -> None:
    folder, *names = sys.argv[1:]
    wanted = names or [f"{name}.{ending}" for name in MODELS for ending in ("keras", "h5")]
    files: dict[str, list[Path]] = {}
    for name in wanted:
        files.setdefault(Path(name).stem, []).append(Path(folder, name))
    answers: dict[str, np.ndarray] = {}
    for name, paths in files.items():
        answers |= write(name, paths)
    np.savez_compressed(Path(folder, "answers.npz"), allow_pickle=False, **answers)
    if not names:
        write_refused(Path(folder, "refused"))


if __name__ == "__main__":
    main()
