"""Units that do nothing, or nothing of their own."""

import numpy as np
from numpy.typing import NDArray

from service.analysis.activations import Float64
from service.analysis.covariance import Covariances
from service.analysis.moments import Mean, Summary
from service.records import record


@record
class Thresholds:
    """From when on a unit is called something.

    A copier keeps more than `copier_keep` at more than `copier_share` of all steps; the hidden
    state of a frozen one has a standard deviation below `frozen_std`; a memoryless one keeps less
    than `memoryless_keep` at more than `memoryless_share` of all steps; two are redundant whose
    hidden states correlate by more than `redundant`, by size.
    """

    copier_keep: float = 0.99
    copier_share: float = 0.99
    frozen_std: float = 1e-3
    memoryless_keep: float = 0.1
    memoryless_share: float = 0.9
    redundant: float = 0.99


@record
class Triaged:
    """[U] each, and the redundant `pairs` [P, 2], the smaller number first, with their
    `correlations` [P]; the strongest come first. There may be U · (U − 1) / 2 of them."""

    copiers: NDArray[np.bool_]
    frozen: NDArray[np.bool_]
    memoryless: NDArray[np.bool_]
    pairs: NDArray[np.int64]
    correlations: Float64


class KeepShares:
    """How often each of U units keeps nearly everything, and nearly nothing."""

    def __init__(self, units: int, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self._much, self._little = Mean(units), Mean(units)

    def add(self, keep: Float64) -> None:
        """k [T, U]; 1 − update in float32 is exact enough for such thresholds."""
        unknown = np.isnan(keep)
        self._much.add(np.where(unknown, np.nan, keep > self._thresholds.copier_keep))
        self._little.add(np.where(unknown, np.nan, keep < self._thresholds.memoryless_keep))

    def result(self) -> tuple[Float64, Float64]:
        """P(k > copier_keep) and P(k < memoryless_keep), [U] each."""
        return self._much.result(), self._little.result()


def triage(
    shares: tuple[Float64, Float64],
    hidden: Summary,
    covariances: Covariances,
    thresholds: Thresholds,
) -> Triaged:
    """From what `KeepShares`, and `Moments` and `Covariance` of the hidden state, have found."""
    much, little = shares
    correlations = covariances.correlations()
    pairs = redundant_pairs(correlations, thresholds.redundant)
    return Triaged(
        copiers=much > thresholds.copier_share,
        frozen=hidden.std < thresholds.frozen_std,
        memoryless=little > thresholds.memoryless_share,
        pairs=pairs,
        correlations=correlations[pairs[:, 0], pairs[:, 1]],
    )


def redundant_pairs(correlations: Float64, threshold: float) -> NDArray[np.int64]:
    """[P, 2], the strongest correlations [U, U] first, then by number."""
    size = np.triu(np.abs(correlations), k=1)
    pairs = np.argwhere(size > threshold)
    strongest = np.argsort(-size[pairs[:, 0], pairs[:, 1]], kind="stable")
    return pairs[strongest]
