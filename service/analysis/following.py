"""Which units follow a marking: found on one half of the steps, confirmed on the other."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from service.analysis.activations import Float64
from service.analysis.correlations import Correlations
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


@record
class Ranked(Following):
    """Also on all steps."""

    overall: float


class Search:
    """For units that follow markings, in a run of `steps` steps that comes slice by slice."""

    def __init__(self, steps: int, units: Mapping[str, int], markings: Sequence[str]) -> None:
        """The number of `units` of each tensor, and the names of the markings."""
        self._middle, self._at = steps // 2, 0
        self._markings = tuple(markings)
        self._halves = [
            {name: Correlations(size, len(markings)) for name, size in units.items()}
            for _ in range(2)
        ]

    def add(
        self, tensors: Mapping[str, NDArray[np.floating]], markings: Mapping[str, Marking]
    ) -> None:
        """The next T steps: every tensor [T, U] and every marking [T], NaN where unknown."""
        steps = len(next(iter(tensors.values())))
        columns = [markings[name] for name in self._markings]
        wanted = np.stack(columns, axis=1) if columns else np.zeros((steps, 0))
        cut = min(max(self._middle - self._at, 0), steps)
        for half, rows in zip(self._halves, (slice(cut), slice(cut, None)), strict=True):
            for name, correlations in half.items():
                correlations.add(tensors[name][rows], wanted[rows])
        self._at += steps

    def following(self, least: float = LEAST) -> list[Following]:
        """For each marking the unit that follows it best.

        The unit is the one with the largest correlation, by size, on the first half of the steps.
        Markings are left out which it follows by less than `least` on either half, or with another
        sign. The best confirmed come first.
        """
        found, confirmed = ({name: one.result() for name, one in h.items()} for h in self._halves)
        following = []
        for row, marking in enumerate(self._markings):
            best = max(
                (_best(marking, name, found[name][row], confirmed[name][row]) for name in found),
                key=lambda one: abs(one.found),
            )
            same_sign = best.found * best.confirmed > 0
            if same_sign and min(abs(best.found), abs(best.confirmed)) >= least:
                following.append(best)
        return sorted(following, key=lambda one: -abs(one.confirmed))

    def ranked(self, marking: str, count: int) -> list[Ranked]:
        """Of every tensor the `count` units with the largest correlation with a marking, by size,
        on all steps; the largest of all first."""
        row = self._markings.index(marking)
        ranked = []
        for name, first in self._halves[0].items():
            second = self._halves[1][name]
            found, confirmed, overall = (
                one.result()[row] for one in (first, second, first.merged(second))
            )
            for unit in np.argsort(-np.abs(overall), kind="stable")[:count].tolist():
                figures = (float(one[unit]) for one in (found, confirmed, overall))
                ranked.append(Ranked(marking, name, unit, *figures))
        return sorted(ranked, key=lambda one: -abs(one.overall))


def correlations(values: NDArray[np.floating], marking: Marking) -> Float64:
    """Pearson's correlation of every unit of values [T, U] with a marking [T], [U].

    Steps at which either is NaN are left out. 0 where either does not vary, and where a layer has
    no such gate.
    """
    found = Correlations(values.shape[1], 1)
    found.add(values, marking[:, np.newaxis])
    return np.asarray(found.result()[0])


def units_that_follow(
    tensors: Mapping[str, NDArray[np.floating]],
    markings: Mapping[str, Marking],
    least: float = LEAST,
) -> list[Following]:
    """`Search.following`, of tensors [T, U] by their names, all steps at once."""
    steps = len(next(iter(tensors.values())))
    search = Search(steps, {name: one.shape[1] for name, one in tensors.items()}, list(markings))
    search.add(tensors, markings)
    return search.following(least)


def _best(marking: str, tensor: str, found: Float64, confirmed: Float64) -> Following:
    unit = int(np.abs(found).argmax())
    return Following(marking, tensor, unit, float(found[unit]), float(confirmed[unit]))
