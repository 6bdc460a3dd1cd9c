"""The equations of a GRU network in float64 NumPy: what everything else is compared with.

Written from the equations alone (docs: "The equations"), one letter for one letter, one time step
after the other. It shares no code with the service or with model_export; of a torch network it
reads nothing but the parameters.

    reset      r_t = σ(W_r x_t + U_r h_{t-1} + b_r)
    update     z_t = σ(W_z x_t + U_z h_{t-1} + b_z)
    candidate  n_t = tanh(W_n x_t + b_n + U_n (r_t ⊙ h_{t-1}))           reset "before"
               n_t = tanh(W_n x_t + b_n + r_t ⊙ (U_n h_{t-1} + c_n))     reset "after"
    hidden     h_t = (1 − z_t) ⊙ h_{t-1} + z_t ⊙ n_t
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.model.network import Network

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trace:
    """output [B, T, O]; hidden, reset, update and candidate [B, T, S] each."""

    output: Array
    hidden: Array
    reset: Array
    update: Array
    candidate: Array

    @property
    def state(self) -> Array:
        """[B, S] after the last step."""
        return self.hidden[:, -1]


@dataclass(frozen=True, slots=True)
class Layer:
    """W, U, b of one layer; `z` writes. c_n is zero with reset "before"."""

    W_r: Array
    W_z: Array
    W_n: Array
    U_r: Array
    U_z: Array
    U_n: Array
    b_r: Array
    b_z: Array
    b_n: Array
    c_n: Array
    reset: str

    @classmethod
    def of_blocks(
        cls,
        W: Iterable[Array],
        U: Iterable[Array],
        b: Iterable[Array],
        c: Iterable[Array],
        reset: str,
    ) -> "Layer":
        """From blocks as frameworks store them, in the order reset, keep, candidate, with a bias of
        the input and one of the hidden state.

        keep = 1 − update and 1 − σ(a) = σ(−a), so the middle block changes its sign. With reset
        "before" both biases of the candidate stand outside of the reset gate.
        """
        (W_r, W_keep, W_n), (U_r, U_keep, U_n) = W, U
        (b_r, b_keep, b_n), (c_r, c_keep, c_n) = b, c
        is_after = reset == "after"
        return cls(
            W_r=W_r,
            W_z=-W_keep,
            W_n=W_n,
            U_r=U_r,
            U_z=-U_keep,
            U_n=U_n,
            b_r=b_r + c_r,
            b_z=-(b_keep + c_keep),
            b_n=b_n if is_after else b_n + c_n,
            c_n=c_n if is_after else np.zeros_like(c_n),
            reset=reset,
        )

    def step(self, x: Array, h: Array) -> tuple[Array, Array, Array, Array]:
        """reset, update, candidate and hidden, for x [B, I] and h [B, H]."""
        r = sigmoid(x @ self.W_r.T + h @ self.U_r.T + self.b_r)
        z = sigmoid(x @ self.W_z.T + h @ self.U_z.T + self.b_z)
        if self.reset == "before":
            n = np.tanh(x @ self.W_n.T + self.b_n + (r * h) @ self.U_n.T)
        else:
            n = np.tanh(x @ self.W_n.T + self.b_n + r * (h @ self.U_n.T + self.c_n))
        return r, z, n, (1 - z) * h + z * n


class Oracle:
    """Computes what a network must compute, from its parameters."""

    def __init__(self, network: Network) -> None:
        self._parameters: Mapping[str, Array] = {
            name: tensor.detach().numpy().astype(np.float64)
            for name, tensor in network.state_dict().items()
        }
        config = network.config
        self._front, self._head = config.front.kind, config.head.kind
        self._levels = getattr(config.head, "levels", ())
        self.hidden_sizes = config.hidden_sizes
        self.layers = [
            torch_layer(self._parameters, f"layers.{index}.", reset=config.reset)
            for index in range(len(config.hidden_sizes))
        ]

    def run(self, inputs: NDArray[Any], state: NDArray[Any]) -> Trace:
        """inputs [B, T, F] or [B, T] tokens, state [B, S] before the first step."""
        cuts = np.cumsum(self.hidden_sizes)[:-1]
        hidden = list(np.split(np.asarray(state, np.float64), cuts, axis=1))
        history = [self._step(inputs[:, t], hidden) for t in range(inputs.shape[1])]
        output, states, reset, update, candidate = (
            np.stack(arrays, axis=1) for arrays in zip(*history, strict=True)
        )
        return Trace(output, states, reset, update, candidate)

    def _step(self, inputs: NDArray[Any], hidden: list[Array]) -> tuple[Array, ...]:
        """One time step of all layers; `hidden` is moved on in place."""
        x = self.seen(inputs)
        gates = []
        for index, layer in enumerate(self.layers):
            reset, update, candidate, hidden[index] = layer.step(x, hidden[index])
            gates.append((reset, update, candidate))
            x = hidden[index]
        r, z, n = (np.concatenate(one, axis=1) for one in zip(*gates, strict=True))
        return self.output_of(x, inputs), np.concatenate(hidden, axis=1), r, z, n

    def seen(self, inputs: NDArray[Any]) -> Array:
        """What the first layer gets: normalised values, or the embedding of a token."""
        if self._front == "tokens":
            return np.asarray(self._parameters["front.weight"][inputs])
        mean, scale = self._parameters["front.mean"], self._parameters["front.scale"]
        return (inputs.astype(np.float64) - mean) / scale

    def output_of(self, h: Array, inputs: NDArray[Any]) -> Array:
        """softmax(V h + c), input + scale ⊙ (V h + c), or quantiles around that."""
        scores = h @ self._parameters["head.weight"].T + self._parameters["head.bias"]
        if self._head == "softmax":
            powers = np.exp(scores - scores.max(axis=1, keepdims=True))
            return np.asarray(powers / powers.sum(axis=1, keepdims=True))
        values, scale = inputs.astype(np.float64), self._parameters["head.scale"]
        if self._head == "quantiles":
            return self._quantiles(scores, values, scale)
        return values + scale * scores

    def _quantiles(self, scores: Array, values: Array, scale: Array) -> Array:
        """The median of each target, and from it level by level softplus of a score away."""
        count, middle = len(self._levels), self._levels.index(0.5)
        targets = len(scale)
        ways = np.log1p(np.exp(scores[:, targets:])).reshape(-1, targets, count - 1)
        found = np.empty((len(scores), targets, count))
        found[:, :, middle] = scores[:, :targets]
        for level in range(middle + 1, count):
            found[:, :, level] = found[:, :, level - 1] + ways[:, :, level - 1]
        for level in reversed(range(middle)):
            found[:, :, level] = found[:, :, level + 1] - ways[:, :, level]
        found = values[:, :targets, None] + scale[:, None] * found
        return found.reshape(len(scores), -1)


def torch_layer(
    parameters: Mapping[str, Array], prefix: str, suffix: str = "", *, reset: str = "after"
) -> Layer:
    """From nn.GRU's layout: blocks reset, keep, candidate, and two biases."""
    names = ("weight_ih", "weight_hh", "bias_ih")
    W, U, b = (np.split(parameters[f"{prefix}{name}{suffix}"], 3) for name in names)
    none = np.zeros(3 * len(b[0]))
    c = np.split(parameters.get(f"{prefix}bias_hh{suffix}", none), 3)
    return Layer.of_blocks(W, U, b, c, reset)


def keras_layer(kernel: Array, recurrent: Array, biases: Array) -> Layer:
    """From the layout of `keras.layers.GRU` with `reset_after`: blocks keep, reset, candidate, as
    columns, and two rows of biases."""
    blocks = [
        np.split(one.T.astype(np.float64), 3) for one in (kernel, recurrent, biases[0], biases[1])
    ]
    W, U, b, c = ([reset, keep, candidate] for keep, reset, candidate in blocks)
    return Layer.of_blocks(W, U, b, c, "after")


def run_layer(layer: Layer, x: NDArray[Any]) -> dict[str, Array]:
    """All gates and the hidden state [T, N · H] for x [N, T, I], from zeros."""
    h = np.zeros((len(x), len(layer.b_r)))
    steps = []
    for t in range(x.shape[1]):
        *gates, h = layer.step(x[:, t].astype(np.float64), h)
        steps.append([one.ravel() for one in (*gates, h)])
    names = ("reset", "update", "candidate", "hidden")
    return dict(zip(names, map(np.array, zip(*steps, strict=True)), strict=True))


def sigmoid(a: Array) -> Array:
    # Either branch alone overflows at one end.
    positive = 1 / (1 + np.exp(-np.abs(a)))
    return np.asarray(np.where(a >= 0, positive, 1 - positive))


def assert_agrees(found: NDArray[Any], expected: NDArray[Any], tolerance: float = 1e-5) -> None:
    """|found − expected| ≤ tolerance · max(1, |expected|) everywhere, same shape, no NaN."""
    assert found.shape == expected.shape
    off = np.abs(found - expected) / np.maximum(1, np.abs(expected))
    worst = off.max(initial=0)
    assert worst <= tolerance, f"off by {worst:.3g}, allowed is {tolerance:g}"
