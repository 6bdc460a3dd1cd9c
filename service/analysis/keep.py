"""How much of the past each step keeps: k = 1 − update, exactly also where it is nearly 0 or 1.

A sigmoid in float32 reaches exactly 1 near 16.7, and a memory of a billion steps begins there. So
k comes from the pre-activation. Only where the update was set from outside is it 1 − update.
"""

import numpy as np

from service.analysis.activations import Float64, activate, softplus
from service.analysis.cell import Cell
from service.analysis.recorded import Recorded

_SIGMOID = "Sigmoid"


def keep(recorded: Recorded, cell: Cell) -> Float64:
    """k [T, U]. Raises InvalidInput where the layer has no update."""
    return _set(recorded, 1 - recorded.tensor("update"), _gate(recorded, cell, not cell.keeps))


def write(recorded: Recorded, cell: Cell) -> Float64:
    """w = 1 − k, the update, [T, U]. Raises InvalidInput where the layer has none."""
    return _set(recorded, recorded.tensor("update"), _gate(recorded, cell, cell.keeps))


def log_keep(recorded: Recorded, cell: Cell) -> Float64:
    """ln |k| [T, U], −∞ where nothing is kept. Raises InvalidInput where the layer has no update.

    With a sigmoid it is −softplus(a). Other activations may give a negative k, which also hands on
    |k| of the state.
    """
    if cell.gate_activation.name != _SIGMOID:
        return _log(keep(recorded, cell))
    pre = recorded.tensor("update_pre")
    found = -softplus(-pre if cell.keeps else pre)
    return _set(recorded, _log(1 - recorded.tensor("update")), found)


def _gate(recorded: Recorded, cell: Cell, is_complement: bool) -> Float64:
    """f(a), or 1 − f(a)."""
    pre = recorded.tensor("update_pre")
    if not is_complement:
        return activate(cell.gate_activation, pre)
    if cell.gate_activation.name == _SIGMOID:
        return activate(cell.gate_activation, -pre)
    return 1 - activate(cell.gate_activation, pre)


def _set(recorded: Recorded, shown: Float64, computed: Float64) -> Float64:
    """What is shown, where the update was set from outside; what was computed elsewhere."""
    mask = recorded.mask("update")
    return computed if isinstance(mask, float) else np.where(mask != 0, shown, computed)


def _log(values: Float64) -> Float64:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.abs(values)))
