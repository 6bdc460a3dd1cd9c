"""What one layer did in a run of time steps: the slice that everything here is given."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidInput
from service.records import record

Float64 = NDArray[np.float64]
LAYER_INPUT = "layer_input"
"""The only tensor that is not of units: what the layer was given, [T, lanes · I]."""


@record
class Recorded:
    """Tensors of layer `index`, float32 or float64, for T time steps from `begin` on.

    [T, U] by name, U = lanes · hidden_size: the gates and `hidden`, `before` (hidden before each
    step), `reset_pre`, `update_pre`, `candidate_pre` (what the activations are applied to, clipped
    where the layer clips), `candidate_input` and `candidate_history` (the two terms of the
    candidate's), and `layer_input` [T, lanes · I]. A gate that was set from outside has a mask
    beside it, such as `update_mask`: g′ = mask · value + (1 − mask) · g; no mask is 0 everywhere.
    Rows are NaN as long as a window is not full.

    In a window every step begins anew: `before` is then not the `hidden` of the step before, and
    `carried` is false.
    """

    index: int
    tensors: Mapping[str, NDArray[np.floating]]
    begin: int = 0
    carried: bool = True

    @property
    def steps(self) -> int:
        """T"""
        return len(next(iter(self.tensors.values())))

    @property
    def end(self) -> int:
        """The step after the last one."""
        return self.begin + self.steps

    def tensor(self, name: str) -> Float64:
        """A tensor in float64. Raises InvalidInput where the layer has no such tensor."""
        require(self, name)
        return self.tensors[name].astype(np.float64, copy=False)

    def mask(self, gate: str) -> Float64 | float:
        """How far a gate was set from outside, [T, U] from 0 to 1; 0 where nothing was."""
        name = f"{gate}_mask"
        return self.tensor(name) if name in self.tensors else 0.0

    def until(self, end: int) -> "Recorded":
        """The steps before `end`."""
        rows = slice(0, max(0, end - self.begin))
        cut = {name: values[rows] for name, values in self.tensors.items()}
        return Recorded(self.index, cut, self.begin, self.carried)


def require(recorded: Recorded, *names: str) -> None:
    """Raises InvalidInput that says which layer lacks which tensor."""
    missing = [name for name in names if name not in recorded.tensors]
    if missing:
        message = (
            f"layer {recorded.index} has no {' and no '.join(missing)}; "
            f"it has {', '.join(recorded.tensors)}"
        )
        raise InvalidInput.at(("layer",), message, "query")


def require_carried(recorded: Recorded) -> None:
    """Raises InvalidInput for a layer that hands nothing on from step to step."""
    if not recorded.carried:
        message = (
            f"layer {recorded.index} runs over its window anew at every step, so nothing is handed "
            "on from one step to the next; ask for another layer, or another view"
        )
        raise InvalidInput.at(("layer",), message, "query")
