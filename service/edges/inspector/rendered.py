"""What analysis found, as answers have it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.analysis.moments import Summary
from service.analysis.unit_statistics import UnitStatistics

MOST_PAIRS = 200


def statistics(layer: int, found: UnitStatistics) -> dict[str, Any]:
    """The fields of a StatisticsAnswer."""
    tensors = {name: _summary(one) for name, one in found.summaries.items()}
    for name, saturated in found.saturation.items():
        tensors[name] |= {"near_0": saturated.below, "near_1": saturated.above}
    triage = found.triage
    pairs = zip(triage.pairs.tolist(), triage.correlations.tolist(), strict=True)
    redundant = [[*pair, correlation] for pair, correlation in pairs]
    return {
        "layer": layer,
        "steps": found.steps,
        "tensors": tensors,
        "memory": {
            "length": _finite(found.memory.tau),
            "half_life": _finite(found.memory.half_life),
            "outlasts": found.memory.outlasts,
        },
        "reset": {"history_share": found.reset_use.share, "impact": found.reset_use.impact},
        "triage": {
            "copiers": np.flatnonzero(triage.copiers),
            "frozen": np.flatnonzero(triage.frozen),
            "memoryless": np.flatnonzero(triage.memoryless),
            "redundant": redundant[:MOST_PAIRS],
        },
    }


def _summary(one: Summary) -> dict[str, Any]:
    return {"mean": one.mean, "std": one.std, "min": one.min, "max": one.max, "peak": one.peak}


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """JSON has no infinity: null."""
    return np.where(np.isfinite(values), values, np.nan)
