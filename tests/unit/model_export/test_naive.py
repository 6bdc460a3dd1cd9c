"""Persistence, seasonal naive, and finding the season."""

import numpy as np
import pytest

from model_export.tasks.naive import estimated_season, naive_forecasts

RNG = np.random.default_rng(0)


def test_forecasts_are_the_last_value_and_the_value_a_season_ago() -> None:
    values = np.arange(10.0)[:, None]
    forecasts = naive_forecasts(values, 7, season=3)
    np.testing.assert_array_equal(forecasts["persistence"], [[6], [7], [8]])
    np.testing.assert_array_equal(forecasts["seasonal naive"], [[4], [5], [6]])


def test_without_a_season_there_is_persistence_alone() -> None:
    assert set(naive_forecasts(np.arange(10.0)[:, None], 7, season=None)) == {"persistence"}


@pytest.mark.parametrize("season", [7, 12, 24, 52])
@pytest.mark.parametrize("trend", [0.0, 0.05])
def test_a_season_is_found_under_noise_and_trend(season: int, trend: float) -> None:
    time = np.arange(600)
    wave = np.sin(2 * np.pi * time / season) + trend * time + 0.3 * RNG.normal(size=600)
    assert estimated_season(wave[:, None]) == pytest.approx(season, abs=1)


def test_an_overtone_is_not_taken_for_the_season() -> None:
    year = 2 * np.pi * np.arange(1612) / 52
    wave = np.sin(year) + 1.3 * np.sin(2 * year) + 0.1 * RNG.normal(size=1612)
    assert estimated_season(wave[:, None]) == pytest.approx(52, abs=1)


def test_noise_and_random_walks_have_no_season() -> None:
    noise = RNG.normal(size=(500, 2))
    assert estimated_season(noise.cumsum(0)) is None
    assert estimated_season(np.arange(5.0)[:, None] ** 2) is None
