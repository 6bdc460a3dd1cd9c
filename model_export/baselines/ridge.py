"""Ridge regression of every step ahead on the last rows of all columns.

The direct strategy (Ben Taieb et al. 2012): each target has a linear model of its own for each
step ahead. It sees the last L rows and the columns that are known at the step's own row
(`Lagged`), and predicts the difference from the value observed last. The validation part chooses
L and the penalty alpha; whether a target sees the past of all columns or of its own alone (many
columns are easily fitted too well); and whether the level of the last row is seen at all: without
it the forecast moves with the series, as it must where a series drifts out of the range of
training (NLinear of Zeng et al. 2023). The penalty of a weight is alpha times its feature's
variance, as if every feature were standardised.

The normal equations are set up once, for the longest window; a shorter one takes a part of them.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from model_export.baselines.lagged import Features, Lagged
from model_export.baselines.windows import Origins, SeriesData, Values, origins_of

Positions = NDArray[np.int64]
_WINDOWS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 96, 192, 336)
_ALPHAS = tuple(10.0**power for power in range(-3, 6))
_MOST_FEATURES = 1500
_MOST_ORIGINS = 20_000
"""More are drawn at random: they would change the few weights little."""
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
        self.steps, self.targets = np.indices(changes.shape[1:]).reshape(2, -1)
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
    """Whether a target sees its own past alone, how many rows of it, with the level or without."""

    own: bool
    window: int
    level: bool
    alpha: float

    def __str__(self) -> str:
        rows = "1 row" if self.window == 1 else f"{self.window} rows"
        own = " of its own column" if self.own else ""
        level = "" if self.level else " without the level"
        return f"on {rows}{own}{level}, alpha {self.alpha:g}"


class Ridge:
    """The fitted models; `chosen` says with which window and penalty."""

    def __init__(self, lagged: Lagged, choice: _Choice, weights: _Weights) -> None:
        self._lagged = lagged
        self._window = choice.window
        self._weights = weights
        self.chosen = str(choice)

    def forecast(self, series: int, origins: Origins, /) -> Values:
        """[n, horizon, targets] in the targets' units, from origins [n]."""
        data, lagged = self._lagged.data, self._lagged
        steps = np.repeat(np.arange(data.horizon), data.targets)
        found = np.empty((len(origins), data.horizon, data.targets))
        for start in range(0, len(origins), _CHUNK):
            part = origins[start : start + _CHUNK]
            features = lagged.features(series, part, self._window)
            changes = self._weights.predict(features, steps).reshape(len(part), *found.shape[1:])
            found[start : start + _CHUNK] = changes + lagged.last(series, part)
        return found * lagged.scale[: data.targets] + lagged.mean[: data.targets]


def fit_ridge(data: SeriesData) -> Ridge | None:
    """Fitted to the training parts; None where they or the validation parts are too short."""
    lagged = Lagged(data)
    windows = _windows(data, lagged.row_width)
    splits = [one.split for one in data.series]
    training = [origins_of(windows[-1], split.train, data.horizon) for split in splits]
    validation = [origins_of(split.train, split.validation, data.horizon) for split in splits]
    features, changes = _gathered(lagged, _drawn(training), windows[-1])
    unseen = _gathered(lagged, _drawn(validation), windows[-1])
    if np.isnan(changes).all() or np.isnan(unseen[1]).all():
        return None
    equations = _Equations(features, changes)
    choice = _choose(equations, lagged, windows, unseen)
    return Ridge(lagged, choice, _fitted(equations, lagged, choice))


def _windows(data: SeriesData, row_width: int) -> list[int]:
    """At most a quarter of the median training part, so that most origins have whole windows."""
    half = int(np.median([one.split.train for one in data.series])) // 4
    most = max(1, min(half, _MOST_FEATURES // row_width))
    seasons = () if data.season is None else (data.season, 2 * data.season)
    return sorted({window for window in (*_WINDOWS, *seasons) if window <= most})


def _drawn(origins: list[Origins]) -> list[Origins]:
    """The same origins of each series, or a random part where they are too many.

    At random, not every nth one: those might all lie at the same position of the season.
    """
    counts = [len(of_one) for of_one in origins]
    if sum(counts) <= _MOST_ORIGINS:
        return origins
    drawn = np.random.default_rng(0).permutation(sum(counts))[:_MOST_ORIGINS]
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
    own = (True, False) if len(lagged.mean) > 1 else (False,)
    grid = [_Choice(*choice) for choice in product(own, windows, (False, True), _ALPHAS)]
    losses = np.zeros((len(grid), 2))
    for group in few:
        losses += _losses(equations, lagged, grid, groups[group], unseen)
    return grid[int((losses[:, 0] / losses[:, 1]).argmin())]


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
        weights = _solved(equations, lagged, group, choice)
        errors = weights.predict(features, equations.steps[pairs]) - wanted
        losses.append((np.nansum(errors**2), (~np.isnan(errors)).sum()))
    return np.array(losses, np.float64)


def _solved(equations: _Equations, lagged: Lagged, group: _Group, choice: _Choice) -> _Weights:
    """The weights of a group's pairs for one choice."""
    if not choice.own:
        selected = lagged.selected(choice.window, choice.level)
        return equations.solve(group, selected, choice.alpha)
    weights = equations.no_weights(1 + choice.window * lagged.row_width, len(group.pairs))
    targets = equations.targets[group.pairs]
    for target in np.unique(targets):
        at = np.flatnonzero(targets == target)
        selected = lagged.selected(choice.window, choice.level, int(target))
        found = equations.solve(_Group(group.pairs[at], group.moments), selected, choice.alpha)
        weights.past[: len(found.past), at], weights.ahead[at] = found.past, found.ahead
    return weights


def _fitted(equations: _Equations, lagged: Lagged, choice: _Choice) -> _Weights:
    """All pairs' weights; a pair never observed in training keeps its last value."""
    features = 1 + choice.window * lagged.row_width
    weights = equations.no_weights(features, len(equations.steps))
    for pairs in equations.groups():
        found = _solved(equations, lagged, equations.group(pairs), choice)
        weights.past[: len(found.past), pairs], weights.ahead[pairs] = found.past, found.ahead
    return weights


def _positive(variance: Values) -> Values:
    """A constant feature gets a penalty too: the equations need one answer."""
    return np.where(variance > 1e-12, variance, 1.0)
