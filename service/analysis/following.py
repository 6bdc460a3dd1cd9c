"""Which units follow a marking: found on one half of the steps, confirmed on the other."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from service.analysis.markings import Marking
from service.records import record

LEAST = 0.5
"""Of a correlation, for a unit to follow a marking."""


@record
class Following:
    """A unit, counted through all layers, with Pearson's correlation of a gate of it, or of its
    hidden state, with a marking: on the first half of the steps and on the second."""

    marking: str
    tensor: str
    unit: int
    found: float
    confirmed: float


def correlations(values: NDArray[np.floating], marking: Marking) -> NDArray[np.float64]:
    """Pearson's correlation of every unit of values [T, U] with a marking [T], [U].

    Steps without a marking are left out. 0 where either does not vary, and where a layer has no
    such gate.
    """
    seen = ~np.isnan(marking)
    units, wanted = values[seen].astype(np.float64), marking[seen]
    if not len(wanted):
        return np.zeros(values.shape[1])
    units, wanted = units - units.mean(axis=0), wanted - wanted.mean()
    scale = np.sqrt((units**2).sum(axis=0) * (wanted**2).sum())
    found: NDArray[np.float64] = np.zeros_like(scale)
    np.divide(wanted @ units, scale, out=found, where=scale > 0)
    return found


def units_that_follow(
    tensors: Mapping[str, NDArray[np.floating]],
    markings: Mapping[str, Marking],
    least: float = LEAST,
) -> list[Following]:
    """For each marking the unit that follows it best, of tensors [T, U] by their names.

    The unit is the one with the largest correlation, by size, on the first half of the steps.
    Markings are left out which it follows by less than `least` on either half, or with another
    sign. The best confirmed come first.
    """
    following = []
    for name, marking in markings.items():
        best = _best(tensors, name, marking)
        same_sign = best.found * best.confirmed > 0
        if same_sign and min(abs(best.found), abs(best.confirmed)) >= least:
            following.append(best)
    return sorted(following, key=lambda one: -abs(one.confirmed))


def _best(tensors: Mapping[str, NDArray[np.floating]], name: str, marking: Marking) -> Following:
    middle = len(marking) // 2
    candidates = []
    for tensor, values in tensors.items():
        found = correlations(values[:middle], marking[:middle])
        unit = int(np.abs(found).argmax())
        confirmed = correlations(values[middle:, [unit]], marking[middle:])
        candidates.append(Following(name, tensor, unit, float(found[unit]), float(confirmed[0])))
    return max(candidates, key=lambda one: abs(one.found))
