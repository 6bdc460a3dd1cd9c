"""Ridge regression of every step ahead on the last rows of all columns.

The direct strategy (Ben Taieb et al. 2012): each target has a linear model of its own for each
step ahead. It sees the last L rows, and the columns that are known at the step's own row
(`Lagged`), and predicts the difference from the value observed last. The validation part chooses

- L and the penalty alpha, which is alpha times the variance of a weight's feature, as if every
  feature were standardised;
- whether the level of the last row is seen at all: without it the forecast moves with the
  series, as it must where a series drifts out of the range of training (NLinear of Zeng et al.
  2023);
- whether the models see all columns, with the same L and alpha, or each its own target and the
  known columns alone, with an L and alpha of its own: many columns are easily fitted too well.

The normal equations are set up once, for the longest window; a shorter one takes a part of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from model_export.baselines.lagged import Features, Lagged
from model_export.baselines.windows import (
    Origins,
    SeriesData,
    SplitSeries,
    Values,
    future,
    origins_of,
)

Positions = NDArray[np.int64]
_WINDOWS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 96, 192, 336)
_ALPHAS = tuple(10.0**power for power in range(-3, 6))
_MOST_FEATURES = 1500
_MOST_TRAINING = 20_000
_MOST_VALIDATION = 5_000
"""Of more origins a random part is drawn: the others would change little."""
_MOST_GROUPS = 4
"""Targets with gaps of their own have equations of their own; so many of them choose for all."""
_CHUNK = 2048


@dataclass(frozen=True, slots=True)
class _Moments:
    """Sums over origins of products of features: past × past [P, P], past × ahead [P, h, A],
    ahead × ahead [h, A, A]."""

    past: Values
    both: Values
    ahead: Values

    @classmethod
    def of(cls, features: Features) -> "_Moments":
        count, steps, width = features.ahead.shape
        ahead = features.ahead.reshape(count, steps * width)
        return cls(
            features.past.T @ features.past,
            (features.past.T @ ahead).reshape(features.past.shape[1], steps, width),
            np.einsum("nha,nhb->hab", features.ahead, features.ahead, optimize=True),
        )

    def minus(self, other: "_Moments") -> "_Moments":
        return _Moments(self.past - other.past, self.both - other.both, self.ahead - other.ahead)


@dataclass(frozen=True, slots=True)
class _Weights:
    """Of the models of g pairs (step, target): `past` [p, g] and `ahead` [g, A]."""

    past: Values
    ahead: Values

    @classmethod
    def zeros(cls, past: int, ahead: int, pairs: int) -> "_Weights":
        return cls(np.zeros((past, pairs)), np.zeros((pairs, ahead)))

    def predict(self, features: Features, steps: Positions) -> Values:
        """Changes [n, g] of pairs at these steps [g]; features of longer windows are not used."""
        found: Values = features.past[:, : len(self.past)] @ self.past
        if features.ahead.shape[2]:
            found += np.einsum("nga,ga->ng", features.ahead[:, steps], self.ahead, optimize=True)
        return found


@dataclass(frozen=True, slots=True)
class _Group:
    """Pairs [g] of a step and a target that count the same origins, and those origins' moments."""

    pairs: Positions
    moments: _Moments


@dataclass(frozen=True, slots=True)
class _Factorised:
    """The equations of the selected features of the past, by Cholesky's factorisation."""

    selected: Positions
    factor: tuple[Values, bool]
    alpha: float

    def solve(self, right: Values) -> Values:
        solution: Values = cho_solve(self.factor, right)
        return solution


class _Equations:
    """The normal equations of all pairs of a step and a target, [h · K] of them.

    Where a target is missing its origin does not count, so that pairs with gaps at different
    origins differ in their moments.
    """

    def __init__(self, features: Features, changes: Values) -> None:
        self.features = features
        self.steps = np.repeat(np.arange(changes.shape[1]), changes.shape[2])
        self._moments = _Moments.of(features)
        flat = changes.reshape(len(changes), -1)
        counted = np.nan_to_num(flat)
        self._past = features.past.T @ counted
        self._ahead = np.stack(
            [features.ahead[:, step].T @ counted[:, pair] for pair, step in enumerate(self.steps)]
        )
        self._missing, self._group_of = np.unique(np.isnan(flat), axis=1, return_inverse=True)
        self._past_variance = features.past.var(0)
        self._ahead_variance = features.ahead.var(0)

    def groups(self) -> list[Positions]:
        """Pairs that share their moments; those that are never observed are left out."""
        observed = np.flatnonzero(~self._missing.all(0))
        return [np.flatnonzero(self._group_of == group) for group in observed]

    def group(self, pairs: Positions) -> _Group:
        """With the moments of the origins that count for these pairs of `groups`."""
        missing = self._missing[:, self._group_of[pairs[0]]]
        if missing.mean() > 0.5:
            return _Group(pairs, self._moments_of(~missing))
        moments = self._moments
        return _Group(pairs, moments.minus(self._moments_of(missing)) if missing.any() else moments)

    def solve(self, group: _Group, selected: Positions, alpha: float) -> _Weights:
        """By blocks: the past is factorised once, whatever each step knows ahead."""
        penalty = alpha * _positive(self._past_variance[selected])
        penalty[0] = 0.0  # the intercept
        matrix = group.moments.past[np.ix_(selected, selected)] + np.diag(penalty)
        past = _Factorised(selected, cho_factor(matrix, overwrite_a=True), alpha)
        weights = self.no_weights(selected[-1] + 1, len(group.pairs))
        weights.past[selected] = past.solve(self._past[np.ix_(selected, group.pairs)])
        if weights.ahead.shape[1]:
            self._add_ahead(weights, group, past)
        return weights

    def no_weights(self, features: int, pairs: int) -> _Weights:
        """They forecast the value observed last."""
        return _Weights.zeros(features, self._ahead.shape[1], pairs)

    def _add_ahead(self, weights: _Weights, group: _Group, past: _Factorised) -> None:
        """The Schur complement of the past, for each step."""
        both, steps = group.moments.both[past.selected], self.steps[group.pairs]
        solved = past.solve(both.reshape(len(both), -1)).reshape(both.shape)
        left = group.moments.ahead - np.einsum("pha,phb->hab", both, solved, optimize=True)
        left += past.alpha * _positive(self._ahead_variance)[:, None] * np.eye(left.shape[1])
        explained = np.einsum("pga,pg->ga", both[:, steps], weights.past[past.selected])
        right = (self._ahead[group.pairs] - explained)[..., None]
        weights.ahead[:] = np.linalg.solve(left[steps], right)[..., 0]
        weights.past[past.selected] -= np.einsum("pga,ga->pg", solved[:, steps], weights.ahead)

    def _moments_of(self, origins: NDArray[np.bool_]) -> _Moments:
        return _Moments.of(Features(self.features.past[origins], self.features.ahead[origins]))


@dataclass(frozen=True, slots=True)
class _Choice:
    window: int
    level: bool
    alpha: float


@dataclass(frozen=True, slots=True)
class _Fit:
    """The models of all targets of some data, by one choice."""

    lagged: Lagged
    choice: _Choice
    weights: _Weights

    def forecast(self, series: int, origins: Origins) -> Values:
        data, lagged = self.lagged.data, self.lagged
        steps = np.repeat(np.arange(data.horizon), data.targets)
        found = np.empty((len(origins), data.horizon, data.targets))
        for start in range(0, len(origins), _CHUNK):
            part = origins[start : start + _CHUNK]
            features = lagged.features(series, part, self.choice.window)
            changes = self.weights.predict(features, steps).reshape(len(part), *found.shape[1:])
            found[start : start + _CHUNK] = changes + lagged.last(series, part)
        return found * lagged.scale[: data.targets] + lagged.mean[: data.targets]


class Ridge:
    """The fitted models; `chosen` says with which windows and penalties."""

    def __init__(self, fits: list[_Fit], alone: bool) -> None:
        self._fits = fits
        choices = [fit.choice for fit in fits]
        rows = _span([choice.window for choice in choices])
        each = " of each target alone" if alone else ""
        level = "" if any(choice.level for choice in choices) else " without the level"
        alpha = _span([choice.alpha for choice in choices])
        self.chosen = f"on {rows} row{'s' * (rows != '1')}{each}{level}, alpha {alpha}"

    def forecast(self, series: int, origins: Origins, /) -> Values:
        """[n, horizon, targets] in the targets' units, from origins [n]."""
        return np.concatenate([fit.forecast(series, origins) for fit in self._fits], axis=2)


def fit_ridge(data: SeriesData) -> Ridge | None:
    """Fitted to the training parts; None where they or the validation parts are too short."""
    together = _fit(data)
    if together is None:
        return None
    candidates = [Ridge([together], alone=False)]
    if data.series[0].values.shape[1] == 1:
        return candidates[0]
    alone = [_fit(_alone(data, target)) for target in range(data.targets)]
    if all(alone):
        candidates.append(Ridge([fit for fit in alone if fit], alone=True))
    return min(candidates, key=lambda ridge: _validation_error(ridge, data, together.lagged.scale))


def _alone(data: SeriesData, target: int) -> SeriesData:
    """One target and the known columns, without the other columns."""
    columns = [target, *range(data.targets, data.targets + data.known)]
    series = tuple(SplitSeries(one.values[:, columns], one.split) for one in data.series)
    return SeriesData(series, 1, data.known, data.horizon, data.season)


def _validation_error(ridge: Ridge, data: SeriesData, scale: Values) -> float:
    """Mean squared error on the validation parts, in standard units."""
    squares = []
    for number, origins in enumerate(_validation_origins(data)):
        values = data.series[number].values[:, : data.targets]
        errors = ridge.forecast(number, origins) - future(values, origins, data.horizon)
        squares.append(((errors / scale[: data.targets]) ** 2).ravel())
    return float(np.nanmean(np.concatenate(squares)))


def _fit(data: SeriesData) -> _Fit | None:
    lagged = Lagged(data)
    windows = _windows(data, lagged.row_width)
    training = [origins_of(windows[-1], one.split.train, data.horizon) for one in data.series]
    features, changes = _gathered(lagged, _drawn(training, _MOST_TRAINING), windows[-1])
    unseen = _gathered(lagged, _validation_origins(data), windows[-1])
    if np.isnan(changes).all() or np.isnan(unseen[1]).all():
        return None
    equations = _Equations(features, changes)
    choice = _choose(equations, lagged, windows, unseen)
    return _Fit(lagged, choice, _fitted(equations, lagged, choice))


def _validation_origins(data: SeriesData) -> list[Origins]:
    splits = [one.split for one in data.series]
    origins = [origins_of(split.train, split.validation, data.horizon) for split in splits]
    return _drawn(origins, _MOST_VALIDATION)


def _windows(data: SeriesData, row_width: int) -> list[int]:
    """At most a quarter of the median training part, so that most origins have whole windows."""
    quarter = int(np.median([one.split.train for one in data.series])) // 4
    most = max(1, min(quarter, _MOST_FEATURES // row_width))
    seasons = () if data.season is None else (data.season, 2 * data.season)
    return sorted({window for window in (*_WINDOWS, *seasons) if window <= most})


def _drawn(origins: list[Origins], most: int) -> list[Origins]:
    """The same origins of each series, or a random part where they are too many.

    At random, not every nth one: those might all lie at the same position of the season.
    """
    counts = [len(of_one) for of_one in origins]
    if sum(counts) <= most:
        return origins
    drawn = np.random.default_rng(0).permutation(sum(counts))[:most]
    kept = np.zeros(sum(counts), bool)
    kept[drawn] = True
    parts = np.split(kept, np.cumsum(counts)[:-1])
    return [of_one[part] for of_one, part in zip(origins, parts, strict=True)]


def _gathered(lagged: Lagged, origins: list[Origins], window: int) -> tuple[Features, Values]:
    features = [lagged.features(n, of_one, window) for n, of_one in enumerate(origins)]
    changes = [lagged.changes(n, of_one) for n, of_one in enumerate(origins)]
    past, ahead = ([getattr(one, part) for one in features] for part in ("past", "ahead"))
    return Features(np.concatenate(past), np.concatenate(ahead)), np.concatenate(changes)


def _choose(
    equations: _Equations, lagged: Lagged, windows: list[int], unseen: tuple[Features, Values]
) -> _Choice:
    """The smallest squared error on the validation part, in standard units."""
    groups = equations.groups()
    few = np.unique(np.linspace(0, len(groups) - 1, _MOST_GROUPS).round().astype(int))
    grid = [_Choice(*choice) for choice in product(windows, (False, True), _ALPHAS)]
    losses = np.zeros((len(grid), 2))
    for group in few:
        losses += _losses(equations, lagged, grid, groups[group], unseen)
    return grid[int((losses[:, 0] / np.maximum(losses[:, 1], 1)).argmin())]


def _losses(
    equations: _Equations,
    lagged: Lagged,
    grid: list[_Choice],
    pairs: Positions,
    unseen: tuple[Features, Values],
) -> Values:
    """Sum of squared errors and their number for each choice, [choices, 2]."""
    features, changes = unseen
    wanted = changes.reshape(len(changes), -1)[:, pairs]
    group = equations.group(pairs)
    losses = []
    for choice in grid:
        selected = lagged.selected(choice.window, choice.level)
        weights = equations.solve(group, selected, choice.alpha)
        errors = weights.predict(features, equations.steps[pairs]) - wanted
        losses.append((np.nansum(errors**2), (~np.isnan(errors)).sum()))
    return np.array(losses, np.float64)


def _fitted(equations: _Equations, lagged: Lagged, choice: _Choice) -> _Weights:
    """All pairs' weights; a pair never observed in training keeps its last value."""
    selected = lagged.selected(choice.window, choice.level)
    weights = equations.no_weights(selected[-1] + 1, len(equations.steps))
    for pairs in equations.groups():
        found = equations.solve(equations.group(pairs), selected, choice.alpha)
        weights.past[:, pairs], weights.ahead[pairs] = found.past, found.ahead
    return weights


def _positive(variance: Values) -> Values:
    """A constant feature gets a penalty too: the equations need one answer."""
    return np.where(variance > 1e-12, variance, 1.0)


def _span(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
