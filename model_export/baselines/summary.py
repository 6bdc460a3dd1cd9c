"""The class of a whole sequence without a network: majority, and logistic regression of summaries.

A sequence is [T, F] float64, NaN where missing; T differs from one to the next.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from model_export.baselines.baseline import Baseline, best_of

Sequences = Sequence[NDArray[np.float64]]
Classes = NDArray[np.int64]
Probabilities = NDArray[np.float64]
SequenceModel = Callable[[Sequences], Probabilities]
"""Probabilities [n, classes] of n sequences."""

_INVERSE_PENALTIES = tuple(10.0**power for power in range(-3, 3))
_LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class Labelled:
    """Sequences [T, F] and the class of each, [n] int64."""

    sequences: Sequences
    targets: Classes


def sequence_models(
    training: Labelled, validation: Labelled, classes: int
) -> tuple[Baseline[SequenceModel], ...]:
    """Majority class, and logistic regression of summary features, from the training sequences.

    The validation sequences choose the penalty by the log loss. Logistic regression is left out
    where training has a single class.
    """
    found: list[Baseline[SequenceModel]] = [Baseline("majority", _Majority(training, classes))]
    if len(np.unique(training.targets)) > 1:
        found.append(_regression(training, validation, classes))
    return tuple(found)


def log_loss(probabilities: Probabilities, targets: Classes) -> float:
    """Mean nats of the targets [n] under probabilities [n, classes]; NaN of none."""
    if not len(targets):
        return float("nan")
    own = probabilities[np.arange(len(targets)), targets]
    return float(-np.log(own.clip(min=_LEAST)).mean())


def accuracy(probabilities: Probabilities, targets: Classes) -> float:
    """Share of the targets [n] that are the most probable class; NaN of none.

    Of equally probable classes the first one is taken.
    """
    if not len(targets):
        return float("nan")
    return float((probabilities.argmax(1) == targets).mean())


def summary(sequence: NDArray[np.float64]) -> NDArray[np.float64]:
    """Features [8 F + 1] of a sequence [T, F]; NaN where nothing is observed to tell.

    For each input the mean, standard deviation, minimum, maximum, first and last of the observed
    values, their slope per step (least squares), and the share of steps that miss one; then the
    number of steps.
    """
    columns = [_column_summary(column) for column in sequence.T]
    return np.concatenate([*columns, [len(sequence)]])


def _column_summary(column: NDArray[np.float64]) -> NDArray[np.float64]:
    steps = np.flatnonzero(~np.isnan(column))
    seen = column[steps]
    missing = 1 - len(seen) / max(len(column), 1)
    if not len(seen):
        return np.array([np.nan] * 7 + [missing])
    centred = steps - steps.mean()
    slope = (centred @ seen) / max(float(centred @ centred), 1.0)
    return np.array(
        [seen.mean(), seen.std(), seen.min(), seen.max(), seen[0], seen[-1], slope, missing]
    )


class _Majority:
    """The classes' frequencies; add-one smoothing for a class that training lacks."""

    def __init__(self, training: Labelled, classes: int) -> None:
        counts = np.bincount(training.targets, minlength=classes) + 1.0
        self.share = counts / counts.sum()

    def __call__(self, sequences: Sequences, /) -> Probabilities:
        return np.tile(self.share, (len(sequences), 1))


class _Standardised:
    """Summaries in standard units of the training part, 0 where there is none to tell."""

    def __init__(self, training: Sequences) -> None:
        features = _features(training)
        seen = ~np.isnan(features)
        count = np.maximum(seen.sum(0), 1)
        self._mean = np.where(seen, features, 0).sum(0) / count
        deviation = np.sqrt((np.where(seen, features - self._mean, 0) ** 2).sum(0) / count)
        self._scale = np.where(deviation > 1e-12 * np.abs(self._mean), deviation, 1.0)

    def __call__(self, sequences: Sequences, /) -> NDArray[np.float64]:
        scaled: NDArray[np.float64] = (_features(sequences) - self._mean) / self._scale
        return np.nan_to_num(scaled)


class _Regression:
    """Mixed with the classes' frequencies as by one sequence, so that no class is impossible."""

    def __init__(
        self,
        features: _Standardised,
        model: LogisticRegression,
        majority: _Majority,
        count: int,
    ) -> None:
        self._features = features
        self._model = model
        self._majority = majority
        self._mixed = 1 / (count + 1)

    def __call__(self, sequences: Sequences, /) -> Probabilities:
        mixed = self._mixed * self._majority(sequences)
        if len(sequences):
            found = self._model.predict_proba(self._features(sequences))
            mixed[:, self._model.classes_] += (1 - self._mixed) * found
        return mixed


def _regression(training: Labelled, validation: Labelled, classes: int) -> Baseline[SequenceModel]:
    features, majority = _Standardised(training.sequences), _Majority(training, classes)
    rows, count = features(training.sequences), len(training.targets)

    def fitted(inverse_penalty: float) -> _Regression:
        model = LogisticRegression(C=inverse_penalty, max_iter=5000)
        return _Regression(features, model.fit(rows, training.targets), majority, count)

    def loss(model: SequenceModel) -> float:
        return log_loss(model(validation.sequences), validation.targets)

    candidates: dict[str, SequenceModel] = {
        f"of summaries, C {penalty:g}": fitted(penalty) for penalty in _INVERSE_PENALTIES
    }
    return best_of("logistic regression", candidates, loss)


def _features(sequences: Sequences) -> NDArray[np.float64]:
    return np.stack([summary(sequence) for sequence in sequences])
