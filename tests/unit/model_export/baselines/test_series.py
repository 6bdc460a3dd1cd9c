"""Forecasts without a network: by hand, against scikit-learn, and never from the future."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from model_export.baselines import ridge
from model_export.baselines.series import forecasters
from model_export.baselines.windows import (
    Origins,
    SeriesData,
    SplitSeries,
    Values,
    future,
    last_observed,
    origins_of,
)
from model_export.data.source import Split

NAN = np.nan


def data(
    *series: Values, targets: int = 1, known: int = 0, horizon: int = 1, season: int | None = None
) -> SeriesData:
    split = [
        Split(int(0.6 * len(values)), int(0.8 * len(values)), len(values)) for values in series
    ]
    parts = tuple(SplitSeries(*pair) for pair in zip(series, split, strict=True))
    return SeriesData(parts, targets, known, horizon, season)


@contextmanager
def few_choices() -> Iterator[None]:
    """Where it does not matter which ridge regression is chosen, but many are fitted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ridge, "_ALPHAS", (0.1, 10.0))
        patch.setattr(ridge, "_WINDOWS", (1, 3, 8))
        yield


def test_origins_are_those_whose_targets_lie_inside() -> None:
    np.testing.assert_array_equal(origins_of(5, 9, 2), [4, 5, 6])
    np.testing.assert_array_equal(origins_of(0, 3, 1), [0, 1])
    assert not len(origins_of(5, 9, 5))


def predict(of: SeriesData, name: str, origins: Origins, series: int = 0) -> Values:
    (found,) = [one for one in forecasters(of) if one.name == name]
    return found.predict(series, origins)


def test_future_rows_follow_each_origin_and_none_is_made_up() -> None:
    values = np.arange(12.0).reshape(6, 2)
    np.testing.assert_array_equal(future(values, np.array([0, 3]), 2)[:, :, 0], [[2, 4], [8, 10]])
    with pytest.raises(IndexError):
        future(values, np.array([4]), 2)


def test_persistence_is_the_value_observed_last_or_the_training_mean() -> None:
    values = np.array([[NAN, 1], [4, NAN], [NAN, NAN], [NAN, 7], [9, 9]])
    found = predict(data(values, targets=2, horizon=2), "persistence", np.arange(4))
    np.testing.assert_array_equal(found[:, 0], [[4, 1], [4, 1], [4, 1], [4, 7]])
    np.testing.assert_array_equal(found[:, 1], found[:, 0])


@settings(max_examples=25)
@given(season=st.integers(2, 9), horizon=st.integers(1, 25), seed=st.integers(0, 99))
def test_seasonal_naive_is_exact_on_a_periodic_series(season: int, horizon: int, seed: int) -> None:
    one = np.random.default_rng(seed).normal(size=(season, 2))
    values = np.tile(one, (80 // season, 1))
    of = data(values, targets=2, horizon=horizon, season=season)
    origins = origins_of(season, len(values), horizon)
    with few_choices():
        found = predict(of, "seasonal naive", origins)
    np.testing.assert_array_equal(found, future(values, origins, horizon))


def test_seasonal_naive_goes_back_to_the_latest_season_with_a_value() -> None:
    values = np.array([10.0, 20, 30, 11, NAN, 31, 12, NAN, NAN, 0, 0, 0])[:, None]
    found = predict(data(values, horizon=4, season=3), "seasonal naive", np.array([0, 8]))
    np.testing.assert_array_equal(found[..., 0], [[10, 10, 10, 10], [12, 20, 31, 12]])


def test_without_a_season_there_is_no_seasonal_naive() -> None:
    values = np.arange(40.0)[:, None]
    assert [one.name for one in forecasters(data(values))] == ["persistence", "ridge"]
    assert [one.description for one in forecasters(data(values[:3], season=7))] == [
        "persistence",
        "seasonal naive of 7 rows",
    ]


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), gaps=st.booleans(), horizon=st.integers(1, 4))
def test_no_forecast_depends_on_what_comes_later(seed: int, gaps: bool, horizon: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(60, 4)).cumsum(0)
    values[rng.random(values.shape) < 0.1 * gaps] = NAN
    origin = int(rng.integers(48, 60 - horizon))
    changed = values.copy()
    changed[origin + 1 :, [0, 1, 3]] = rng.normal(size=(59 - origin, 3))
    changed[origin + 1 + horizon :] = rng.normal(size=(59 - origin - horizon, 4))
    changed[origin + 1 + horizon :][rng.random((59 - origin - horizon, 4)) < 0.3] = NAN
    with few_choices():
        before, after = (
            forecasters(data(rows, targets=2, known=1, horizon=horizon, season=5))
            for rows in (values, changed)
        )
    assert [one.description for one in before] == [one.description for one in after]
    for one, other in zip(before, after, strict=True):
        origins = np.array([origin])
        np.testing.assert_array_equal(one.predict(0, origins), other.predict(0, origins))


def test_ridge_recovers_an_autoregression_of_order_two() -> None:
    noise = np.random.default_rng(1).normal(size=4000)
    values = noise.copy()
    for t in range(2, len(values)):
        values[t] += 1.5 * values[t - 1] - 0.8 * values[t - 2]
    of = data(values[:, None], horizon=2)
    origins = origins_of(3200, 4000, 2)
    found = predict(of, "ridge", origins)[..., 0]
    next_one = 1.5 * values[origins] - 0.8 * values[origins - 1]
    after_that = 1.5 * next_one - 0.8 * values[origins]
    np.testing.assert_allclose(found, np.stack([next_one, after_that], 1), atol=0.25)
    assert np.abs(found[:, 0] - next_one).mean() < 0.05


def test_ridge_uses_the_known_columns_at_the_row_that_it_forecasts() -> None:
    rng = np.random.default_rng(2)
    known = rng.normal(size=(500, 1))
    values = np.hstack([3 * known + 5 + 0.01 * rng.normal(size=(500, 1)), known])
    of = data(values, known=1, horizon=3)
    origins = origins_of(400, 500, 3)
    errors = predict(of, "ridge", origins) - future(values, origins, 3)[..., :1]
    assert np.abs(errors).mean() < 0.05


def test_ridge_follows_a_series_out_of_the_range_of_training() -> None:
    time = np.arange(600, dtype=np.float64)
    values: Values = (0.05 * time + np.sin(2 * np.pi * time / 12))[:, None]
    of = data(values, horizon=6, season=12)
    origins = origins_of(480, 600, 6)
    errors = predict(of, "ridge", origins) - future(values, origins, 6)
    assert np.abs(errors).max() < 0.01


def by_scikit_learn(of: SeriesData, chosen: str, origin: int) -> Values:
    """The same regression of the first step's and target's equations written out row by row."""
    found = re.fullmatch(r"on (\d+) rows?( of each .+?)?( without the .+?)?, alpha (.+)", chosen)
    assert found is not None
    window, level, alpha = int(found[1]), found[3] is None, float(found[4])
    columns = [0, 1] if found[2] else [0, 1, 2]
    (one,) = of.series
    train = one.values[: one.split.train]
    scaled = (one.values - np.nanmean(train, 0)) / np.nanstd(train, 0)
    values = last_observed(scaled, np.zeros(()))
    gaps = np.isnan(scaled) * 1.0

    def features(t: int) -> Values:
        rows = [values[t - k, columns] - values[t, columns] for k in range(1, window)]
        known = [values[t + 1, [1]], gaps[t + 1, [1]]]
        masks = [gaps[t - k, columns] for k in range(window)]
        return np.concatenate([*rows, *[values[t, columns]] * level, *masks, *known])

    longest = max(ridge._windows(of, 5))
    origins = origins_of(longest, one.split.train, of.horizon)
    x = np.array([features(t) for t in origins])
    y = np.array([scaled[t + 1, 0] - values[t, 0] for t in origins])
    deviation = np.where(x.std(0) > 1e-6, x.std(0), 1)
    model = Ridge(alpha).fit((x / deviation)[~np.isnan(y)], y[~np.isnan(y)])
    change = model.predict(features(origin)[None] / deviation)
    whole: Values = (change + values[origin, 0]) * np.nanstd(train[:, 0]) + np.nanmean(train[:, 0])
    return whole


@pytest.mark.parametrize("missing", [0.02, 0.7])
@pytest.mark.parametrize("coupling", [0.0, 5.0])
def test_ridge_agrees_with_scikit_learn_on_the_rows_whose_target_is_observed(
    missing: float, coupling: float
) -> None:
    rng = np.random.default_rng(int(coupling))
    values = rng.normal(size=(300, 3)).cumsum(0) * 0.3 + rng.normal(size=(300, 3))
    values[rng.random(300) < missing, 0] = NAN
    values[rng.random(300) < 0.1, 1] = NAN
    values[1:, 0] += coupling * np.nan_to_num(values[:-1, 2])
    values[0] = 0.5
    of = data(values, known=1, horizon=2)
    found = next(one for one in forecasters(of) if one.name == "ridge")
    if missing < 0.5:
        assert ("target alone" in found.chosen) == (coupling == 0)
    for origin in (250, 280, 297):
        expected = by_scikit_learn(of, found.chosen, origin)
        np.testing.assert_allclose(found.predict(0, np.array([origin]))[0, 0], expected, rtol=1e-6)


def test_each_target_alone_has_a_window_of_its_own() -> None:
    noise = np.random.default_rng(7).normal(size=(900, 2))
    values = noise.copy()
    for t in range(24, 900):
        values[t] += 0.9 * np.array([values[t - 1, 0], values[t - 24, 1]])
    found = next(one for one in forecasters(data(values, targets=2)) if one.name == "ridge")
    origins = origins_of(720, 900, 1)
    expected = 0.9 * np.stack([values[origins, 0], values[origins - 23, 1]], axis=1)
    assert re.match(r"on \d to (24|32|48) rows of each target alone", found.chosen)
    assert np.abs(found.predict(0, origins)[:, 0] - expected).mean() < 0.3


def test_several_series_share_one_ridge_regression() -> None:
    rng = np.random.default_rng(3)
    series = [np.sin(np.arange(n) / 3 + rng.random())[:, None] + n for n in (60, 90, 40)]
    of = data(*series, horizon=3)
    for number, values in enumerate(series):
        origins = np.arange(10, len(values) - 3)
        errors = predict(of, "ridge", origins, number) - future(values, origins, 3)
        assert np.abs(errors).max() < 0.02


def test_a_target_that_training_never_observed_keeps_its_value() -> None:
    values = np.random.default_rng(4).normal(size=(100, 2))
    values[:60, 1] = NAN
    found = predict(data(values, targets=2), "ridge", np.array([80, 90]))
    np.testing.assert_allclose(found[:, 0, 1], values[[80, 90], 1])


def test_of_too_many_origins_a_random_part_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.sin(np.arange(400) / 5)[:, None]
    everything = predict(data(values), "ridge", np.arange(300, 399))
    monkeypatch.setattr(ridge, "_MOST_TRAINING", 50)
    drawn = ridge._drawn([np.arange(70), np.arange(30)], 50)
    assert [len(part) for part in drawn] != [50, 0]
    assert sum(len(part) for part in drawn) == 50
    part = predict(data(values), "ridge", np.arange(300, 399))
    np.testing.assert_array_equal(part, predict(data(values), "ridge", np.arange(300, 399)))
    np.testing.assert_allclose(part, everything, atol=0.01)


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(ValueError, match="one step ahead"):
        data(np.zeros((9, 1)), horizon=0)
    with pytest.raises(ValueError, match="fewer columns"):
        data(np.zeros((9, 1)), known=1)
    with pytest.raises(ValueError, match="same columns"):
        data(np.zeros((9, 1)), np.zeros((9, 2)))
    with pytest.raises(ValueError, match="another length"):
        SeriesData((SplitSeries(np.zeros((9, 1)), Split(3, 5, 8)),), 1, 0, 1)
