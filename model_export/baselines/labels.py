"""The next labels of a roll without a network: frequencies, repetition, logistic regression.

A roll is [T, L] with 1 where a label is on at a step, as a note is in a piano roll. Every row
but the first is predicted from the rows before it.
"""

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from model_export.baselines.baseline import Baseline, best_of

Roll = NDArray[np.floating]
Rolls = Sequence[Roll]
Probabilities = NDArray[np.float64]
LabelModel = Callable[[Roll], Probabilities]
"""Probabilities [T − 1, L] that each label is on in rows 1 … T − 1 of a roll [T, L]."""

_WINDOWS = (1, 2, 4)
_INVERSE_PENALTIES = (0.1, 0.3, 1.0)
_PRIORS = (0.1, 1.0, 10.0, 100.0)
_MOST_STEPS = 30_000
"""Of more, logistic regression sees a random part: it would change the weights little."""
_LEAST = 1e-12


def label_models(training: Rolls, validation: Rolls) -> tuple[Baseline[LabelModel], ...]:
    """Marginal frequencies, repetition and logistic regression, from the training rolls.

    The validation rolls choose by the negative log-likelihood.
    """
    previous = np.concatenate([_before(roll, 1) for roll in training])
    labels = np.concatenate([roll[1:] for roll in training])
    repetitions = {
        f"with a prior of {prior:g} steps": _Repetition(previous, labels, prior)
        for prior in _PRIORS
    }
    regressions = {
        f"on {window} row{'s' * (window > 1)}, C {penalty:g}": _Logistic(training, window, penalty)
        for window, penalty in product(_WINDOWS, _INVERSE_PENALTIES)
    }

    def loss(model: LabelModel) -> float:
        return nats_per_step(model, validation)

    return (
        Baseline("marginal", _Marginal(labels)),
        best_of("repetition", repetitions, loss),
        best_of("logistic regression", regressions, loss),
    )


def nats_per_step(model: LabelModel, rolls: Rolls) -> float:
    """Negative log-likelihood in nats, summed over labels, mean over all predicted steps.

    As Boulanger-Lewandowski et al. 2012 report it, with the steps of Bai et al. 2018 (§4: all
    but each roll's first). NaN where there is no such step.
    """
    steps = [negative_log_likelihood(model(roll), roll[1:]) for roll in rolls if len(roll) > 1]
    return float(np.concatenate(steps).mean()) if steps else float("nan")


def negative_log_likelihood(probabilities: Probabilities, labels: Roll) -> Probabilities:
    """Nats [N] of rows of labels [N, L], given that each is on with a probability [N, L]."""
    on = probabilities.clip(_LEAST, 1 - _LEAST)
    nats: Probabilities = -np.where(labels > 0, np.log(on), np.log1p(-on)).sum(1)
    return nats


class _Marginal:
    """How often each label is on, whatever came before."""

    def __init__(self, labels: Roll) -> None:
        self._share = _smoothed(labels.sum(0), len(labels), prior=1.0)

    def __call__(self, roll: Roll, /) -> Probabilities:
        return np.tile(self._share, (max(len(roll) - 1, 0), 1))


class _Repetition:
    """How often each label is on after a step at which it was on, and after one at which not."""

    def __init__(self, before: Roll, labels: Roll, prior: float) -> None:
        self._after_on = _smoothed((before * labels).sum(0), before.sum(0), prior)
        off = 1 - before
        self._after_off = _smoothed((off * labels).sum(0), off.sum(0), prior)

    def __call__(self, roll: Roll, /) -> Probabilities:
        return np.where(roll[:-1] > 0, self._after_on, self._after_off)


class _Logistic:
    """A logistic regression of each label on the last rows of all; before the first all is off.

    A label that is always on or always off in training keeps its frequency.
    """

    def __init__(self, training: Rolls, window: int, inverse_penalty: float) -> None:
        rows = np.concatenate([_before(roll, window) for roll in training])
        labels = np.concatenate([roll[1:] for roll in training])
        if len(rows) > _MOST_STEPS:
            drawn = np.random.default_rng(0).permutation(len(rows))[:_MOST_STEPS]
            rows, labels = rows[drawn], labels[drawn]
        self._window = window
        self._weights = np.zeros((rows.shape[1], labels.shape[1]))
        share = _smoothed(labels.sum(0), len(labels), prior=1.0)
        self._intercepts = np.log(share / (1 - share))
        # Few labels are on at a time: sparse rows are faster by far.
        sparse = csr_array(rows, dtype=np.float64)
        for label in np.flatnonzero(np.ptp(labels, axis=0) > 0):
            model = LogisticRegression(C=inverse_penalty, max_iter=1000)
            model.fit(sparse, labels[:, label] > 0)
            self._weights[:, label] = model.coef_[0]
            self._intercepts[label] = model.intercept_[0]

    def __call__(self, roll: Roll, /) -> Probabilities:
        logits = _before(roll, self._window) @ self._weights + self._intercepts
        probabilities: Probabilities = expit(logits)
        return probabilities


def _before(roll: Roll, window: int) -> Roll:
    """The rows before rows 1 … T − 1, the nearest first, [T − 1, window · L]."""
    count = max(len(roll) - 1, 0)
    padded = np.concatenate([np.zeros((window - 1, roll.shape[1]), roll.dtype), roll])
    return np.hstack([padded[window - 1 - back :][:count] for back in range(window)])


def _smoothed(on: Roll, steps: Roll | int, prior: float) -> Probabilities:
    """Shares [L] of steps, drawn towards that of all labels as by `prior` steps more."""
    total = np.sum(np.broadcast_to(steps, on.shape))
    pooled = (on.sum() + 1) / (total + 2)
    share: Probabilities = (on + prior * pooled) / (steps + prior)
    return share
