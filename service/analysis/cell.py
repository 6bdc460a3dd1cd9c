"""The weights of one layer, and its equations as far as looking inside needs them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.analysis.activations import NAMES, Float64, activate, slope
from service.bundle.manifest import CELLS_FILE, Activation, Layer, Reset
from service.errors import BundleCorrupt
from service.records import record

RESET, UPDATE, CANDIDATE = range(3)
"""Rows of `W`, `U` and `b`."""


@record
class Cell:
    """A GRU layer as docs/architecture.md ("The equations") has it, in float64.

    W [3, H, I], U [3, H, H] and b [3, H] for reset, update, candidate, c [H]. Where `keeps` is set
    the rows of update are those of keep = 1 − update. `clip` bounds what the activations are
    applied to; it is infinite where nothing is clipped.
    """

    index: int
    W: Float64
    U: Float64
    b: Float64
    c: Float64
    reset: Reset
    keeps: bool = False
    gate_activation: Activation = Activation(name="Sigmoid")
    candidate_activation: Activation = Activation(name="Tanh")
    clip: float = np.inf
    lanes: int = 1

    @classmethod
    def read(cls, arrays: Mapping[str, NDArray[Any]], index: int, layer: Layer) -> "Cell":
        """Layer `index` of a model, from the arrays of its `cells.npz` and its manifest.

        Raises BundleCorrupt where the two do not fit together.
        """
        W, U, b, c, keeps = (_read(arrays, f"{index}/{name}") for name in _NAMES)
        H = layer.hidden_size
        shapes = {"U": (U.shape, (3, H, H)), "b": (b.shape, (3, H)), "c": (c.shape, (H,))}
        shapes["W"] = W.shape, (3, H, W.shape[-1])
        for name, (found, wanted) in shapes.items():
            if found != wanted:
                raise BundleCorrupt(
                    f"{CELLS_FILE}: {index}/{name} has shape {found} instead of {wanted}"
                )
        for activation in (layer.gate_activation, layer.candidate_activation):
            if activation.name not in NAMES:
                raise BundleCorrupt(f"layer {index} has an unknown activation {activation.name!r}")
        return cls(
            index=index,
            W=W,
            U=U,
            b=b,
            c=c,
            reset=layer.reset,
            keeps=bool(keeps),
            gate_activation=layer.gate_activation,
            candidate_activation=layer.candidate_activation,
            clip=np.inf if layer.clip is None else layer.clip,
            lanes=layer.lanes,
        )

    @property
    def width(self) -> int:
        """U, the units of all lanes."""
        return self.lanes * len(self.c)

    @property
    def input_width(self) -> int:
        """lanes · I"""
        return self.lanes * int(self.W.shape[-1])

    def times(self, rows: Float64, weights: Float64) -> Float64:
        """weights [K, N] applied to every lane of rows [T, lanes · N]: [T, lanes · K]."""
        product = rows.reshape(len(rows) * self.lanes, -1) @ weights.T
        return product.reshape(len(rows), -1)

    def whole_history(self, before: Float64) -> Float64:
        """The history's term of the candidate as it is with a reset of 1, for hidden states before
        a step [T, U]: U_n h, with reset "after" U_n h + c_n; [T, U]."""
        product = self.times(before, self.U[CANDIDATE])
        if self.reset == "before":
            return product
        return product + np.tile(self.c, self.lanes)

    def candidate(self, pre: Float64) -> Float64:
        """From the sum of its terms, clipped or not."""
        return activate(self.candidate_activation, np.clip(pre, -self.clip, self.clip))

    def gate_slope(self, pre: Float64) -> Float64:
        """∂f(clip(a))/∂a at recorded pre-activations: 0 where the clip bites."""
        return np.where(self._is_clipped(pre), 0.0, slope(self.gate_activation, pre))

    def candidate_slope(self, pre: Float64) -> Float64:
        """The same for the candidate."""
        return np.where(self._is_clipped(pre), 0.0, slope(self.candidate_activation, pre))

    def _is_clipped(self, pre: Float64) -> NDArray[np.bool_]:
        # A graph in float32 clips at the float32 next to `clip`, which may be the smaller one.
        return np.abs(pre) >= min(self.clip, float(np.float32(self.clip)))


_NAMES = ("W", "U", "b", "c", "keeps")


def _read(arrays: Mapping[str, NDArray[Any]], name: str) -> Float64:
    if name not in arrays:
        raise BundleCorrupt(f"{CELLS_FILE} has no {name}; publish the version again")
    return arrays[name].astype(np.float64)
