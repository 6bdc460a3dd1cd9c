"""A figure along an axis, and the steps in it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

JUMP = 2.0
"""The factor beyond the trend from which on a change is called a step."""


@dataclass(frozen=True, slots=True)
class Curve:
    """`figure` (with its unit) at points of `axis`, both above zero."""

    axis: str
    figure: str
    points: Sequence[tuple[float, float]]

    def steps(self) -> list[str]:
        """Where the curve jumps: a sentence each.

        Between two points it may stay as it is, or change as much as between the two before or
        the two behind, per factor of the axis; and by JUMP beyond that.
        """
        # Slopes are of the logarithms: growth in proportion has 1, no growth 0.
        return [
            f"{self.figure}: {_shown(left)} -> {_shown(right)} along {self.axis} is "
            f"{factor:.1f} times off the trend"
            for place, (left, right) in enumerate(zip(self.points, self.points[1:], strict=False))
            if (factor := self._off_trend(place)) > JUMP
        ]

    def _off_trend(self, place: int) -> float:
        """By which factor the change behind a point differs from what its neighbours let expect."""
        pairs = list(zip(self.points, self.points[1:], strict=False))
        here = pairs[place]
        others = [pairs[other] for other in (place - 1, place + 1) if 0 <= other < len(pairs)]
        if not others:
            return 1.0
        expected = [0.0, *(_slope(*pair) for pair in others)]
        slope = _slope(*here)
        excess = slope - min(max(slope, min(expected)), max(expected))
        return float((here[1][0] / here[0][0]) ** abs(excess))

    def described(self) -> dict[str, Any]:
        return {
            "axis": self.axis,
            "figure": self.figure,
            "points": [list(point) for point in self.points],
            "steps": self.steps(),
        }


def _slope(left: tuple[float, float], right: tuple[float, float]) -> float:
    return float(math.log(right[1] / left[1]) / math.log(right[0] / left[0]))


def _shown(point: tuple[float, float]) -> str:
    return f"{point[1]:.4g} at {point[0]:g}"
