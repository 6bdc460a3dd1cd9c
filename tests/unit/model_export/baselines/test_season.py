"""Finding the season."""

import numpy as np
import pytest

from model_export.baselines.season import estimated_season


@pytest.mark.parametrize("season", [7, 12, 24, 52])
@pytest.mark.parametrize("trend", [0.0, 0.05])
def test_a_season_is_found_under_noise_and_trend(
    season: int, trend: float, rng: np.random.Generator
) -> None:
    time = np.arange(600)
    wave = np.sin(2 * np.pi * time / season) + trend * time + 0.3 * rng.normal(size=600)
    assert estimated_season(wave[:, None]) == pytest.approx(season, abs=1)


def test_an_overtone_is_not_taken_for_the_season(rng: np.random.Generator) -> None:
    year = 2 * np.pi * np.arange(1612) / 52
    wave = np.sin(year) + 1.3 * np.sin(2 * year) + 0.1 * rng.normal(size=1612)
    assert estimated_season(wave[:, None]) == pytest.approx(52, abs=1)


def test_noise_and_random_walks_have_no_season(rng: np.random.Generator) -> None:
    noise = rng.normal(size=(500, 2))
    assert estimated_season(noise.cumsum(0)) is None
    assert estimated_season(np.arange(5.0)[:, None] ** 2) is None


def test_gaps_and_columns_that_never_change_do_not_hide_a_season(rng: np.random.Generator) -> None:
    wave = np.sin(2 * np.pi * np.arange(600) / 24) + 0.3 * rng.normal(size=600)
    wave[rng.random(600) < 0.1] = np.nan
    columns = np.column_stack([np.full(600, 3.7), wave, np.full(600, np.nan), np.arange(600) / 7])
    assert estimated_season(columns) == pytest.approx(24, abs=1)
    assert estimated_season(columns[:, [0, 2, 3]]) is None
    assert estimated_season(columns[:1]) is None
    assert estimated_season(columns[:0]) is None
