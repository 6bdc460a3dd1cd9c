"""The forecast task: windows, level shifts, scores in the user's units."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model_export.data.source import Source
from model_export.data.table import Table
from model_export.errors import DataError
from model_export.model.network import Network
from model_export.recipe import recipe_for
from model_export.tasks.forecast import Forecast

RECIPE = recipe_for(
    "forecast", "-", "tiny", hidden_size=4, layers=1, batch_size=3, time_steps=12, season=6
)
WAVE = np.sin(np.arange(120) * 2 * np.pi / 6) + np.random.default_rng(0).normal(0, 0.1, 120)
TWO = np.stack([WAVE + np.arange(120), 100 * WAVE], axis=1)


def table(values: NDArray[np.float64], observed: NDArray[np.bool_] | None = None) -> Table:
    names = tuple("abc"[: values.shape[1]])
    known = np.ones(values.shape, bool) if observed is None else observed
    return Table(names, values, known, Source("made up", "0"))


def persistent(task: Forecast) -> Network:
    """A network whose residual is zero."""
    network = Network(task.config)
    torch.nn.init.zeros_(network.head.weight)
    torch.nn.init.zeros_(network.head.bias)
    return network


def test_windows_lie_in_the_training_part_and_targets_are_scaled_steps() -> None:
    task = Forecast(table(TWO), replace(RECIPE, level_shift=0.0))
    step = np.diff(TWO[:84], axis=0).std(0)
    for batch in task.batches():
        assert batch.input.max() <= TWO[:84].max() + 1e-3
        inner = batch.input.diff(dim=1).numpy() / step
        np.testing.assert_allclose(inner, batch.target[:, :-1].numpy(), atol=1e-4)


def test_level_shifts_move_a_window_as_a_whole_and_not_its_target() -> None:
    torch.manual_seed(0)
    batch = next(Forecast(table(TWO), replace(RECIPE, level_shift=50.0)).batches())
    assert batch.input[..., 0].abs().max() > 2 * np.abs(TWO).max(0)[0]
    assert batch.target.abs().max() < 10


def test_shifts_follow_the_trend_unless_given() -> None:
    shift = Forecast(table(TWO), RECIPE)._shift
    assert shift[0] == pytest.approx(2 * 63, rel=0.05)
    assert shift[1] < 100


def test_a_network_that_adds_nothing_is_persistence() -> None:
    task = Forecast(table(TWO), replace(RECIPE, units=("kg", "m")))
    scores = task.test_scores(persistent(task))
    assert [(score.metric, score.unit) for score in scores] == [
        ("MAE of a", "kg"),
        ("RMSE of a", "kg"),
        ("MAE of b", "m"),
        ("RMSE of b", "m"),
    ]
    for score in scores:
        assert score.model == pytest.approx(score.baselines["persistence"], rel=1e-4)
    errors = np.diff(TWO[101:, 1])
    assert scores[2].model == pytest.approx(np.abs(errors).mean(), rel=1e-4)
    assert scores[3].model == pytest.approx(np.sqrt((errors**2).mean()), rel=1e-4)


def test_filled_in_values_are_not_scored() -> None:
    observed = np.ones((120, 1), bool)
    observed[110] = False
    values = WAVE[:, None].copy()
    values[110] = 1e6
    task = Forecast(table(values, observed), RECIPE)
    (mae, _) = task.test_scores(persistent(task))
    kept = np.abs(np.diff(values[101:, 0]))[np.arange(18) != 8]
    assert mae.baselines["persistence"] == pytest.approx(kept.mean(), rel=1e-4)
    assert mae.model == pytest.approx(kept.mean(), rel=1e-3)


def test_the_state_comes_through_all_data_before_the_test_part() -> None:
    task = Forecast(table(TWO), RECIPE)
    network = Network(task.config)
    (mae, *_) = task.test_scores(network)
    series = torch.tensor(TWO, dtype=torch.float32)
    with torch.no_grad():
        output, _ = network.eval()(series[None], network.initial_state(1))
    errors = np.abs(output[0, 101:-1, 0].numpy() - TWO[102:, 0])
    assert mae.model == pytest.approx(errors.mean(), rel=1e-4)


def test_the_validation_loss_of_persistence_is_the_mean_square_of_the_scaled_step() -> None:
    task = Forecast(table(TWO), RECIPE)
    step = np.diff(TWO[:84], axis=0).std(0)
    expected = ((np.diff(TWO[83:102], axis=0) / step) ** 2).mean()
    assert task.validation_loss(persistent(task)) == pytest.approx(expected, rel=1e-4)


def test_the_season_is_estimated_unless_given() -> None:
    assert Forecast(table(WAVE[:, None]), replace(RECIPE, season=None)).season == 6
    assert Forecast(table(WAVE[:, None]), replace(RECIPE, season=5)).season == 5


def test_a_column_that_never_changes_is_refused() -> None:
    values = TWO.copy()
    values[:84, 1] = 5
    with pytest.raises(DataError, match="column 'b' never changes"):
        Forecast(table(values), RECIPE)


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(DataError, match="84 rows to train on, too few for --time-steps 90"):
        Forecast(table(TWO), replace(RECIPE, time_steps=90))


def test_units_fit_the_columns() -> None:
    assert Forecast(table(TWO), replace(RECIPE, units=("V",))).input.units == ("V", "V")
    with pytest.raises(DataError, match="3 units for 2 columns"):
        Forecast(table(TWO), replace(RECIPE, units=("V", "A", "W")))
