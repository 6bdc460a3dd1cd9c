"""The forecast task: windows, level shifts, scores in the user's units."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_export.data.series import Table
from model_export.errors import DataError, RecipeError
from model_export.model.config import ValuesFront
from model_export.model.network import Network
from model_export.recipes.forecast import ForecastRecipe
from model_export.tasks.forecast import Forecast
from model_export.tasks.series_parts import divided
from model_export.tasks.task import Batch
from service.bundle.signatures import Quantiles, Values
from tests.unit.model_export.small_data import table_of

RECIPE = ForecastRecipe(
    data="-", name="tiny", hidden_size=4, layers=1, batch_size=3, time_steps=12, season=6
)
WAVE = np.sin(np.arange(120) * 2 * np.pi / 6) + np.random.default_rng(0).normal(0, 0.1, 120)
ONE = WAVE[:, None]
TWO = np.stack([WAVE + np.arange(120), 100 * WAVE], axis=1)
"""84 rows to train on, 18 to validate, 18 to test."""


def task_of(table: Table, **options: object) -> Forecast:
    return Forecast(table, RECIPE.model_copy(update=options))


def persistent(task: Forecast) -> Network:
    """A network whose residual is zero."""
    network = Network(task.config)
    torch.nn.init.zeros_(network.head.weight)
    torch.nn.init.zeros_(network.head.bias)
    return network


def test_windows_lie_in_the_training_part_and_targets_are_the_rows_behind() -> None:
    task = task_of(table_of(TWO), level_shift=0.0, horizon=4)
    training = torch.tensor(TWO[:84], dtype=torch.float32)
    for batch in task.batches():
        assert batch.ahead is not None
        assert (batch.input.shape[1], batch.ahead.shape[1]) == (12, 4)
        for rows, targets, ahead in zip(batch.input, batch.target, batch.ahead, strict=True):
            [start] = (training == rows[0]).all(1).nonzero()[0].tolist()
            assert torch.equal(rows, training[start : start + 12])
            assert torch.equal(targets, training[start + 1 : start + 13])
            assert torch.equal(ahead, training[start + 12 : start + 16])


def test_level_shifts_move_a_window_as_a_whole_and_targets_alone() -> None:
    torch.manual_seed(0)
    batch = next(task_of(table_of(TWO, known=1), level_shift=50.0).batches())
    training = torch.tensor(TWO[:84], dtype=torch.float32)
    assert batch.input[..., 0].abs().max() > 2 * np.abs(TWO).max(0)[0]
    assert batch.input[..., 1].abs().max() <= training[:, 1].abs().max()
    torch.testing.assert_close(batch.input[:, 1:], batch.target[:, :-1])


def test_shifts_follow_the_trend_unless_given() -> None:
    shift = task_of(table_of(TWO))._shift
    assert shift[0] == pytest.approx(2 * 63, rel=0.05)
    assert shift[1] < 100


def test_a_network_that_adds_nothing_is_persistence() -> None:
    task = task_of(table_of(TWO), units=("kg", "m"))
    scores = task.test_scores(persistent(task))
    assert [(score.metric, score.unit, score.headline) for score in scores] == [
        ("MAE", "standard deviations", True),
        ("MSE", "variances", True),
        ("MAE of a", "kg", False),
        ("RMSE of a", "kg", False),
        ("MAE of b", "m", False),
        ("RMSE of b", "m", False),
    ]
    for score in scores:
        assert score.model == pytest.approx(score.baselines["persistence"], rel=1e-4)
    errors = np.diff(TWO[101:], axis=0)
    deviations = TWO[:84].std(0)
    assert scores[0].model == pytest.approx(np.abs(errors / deviations).mean(), rel=1e-4)
    assert scores[1].model == pytest.approx(((errors / deviations) ** 2).mean(), rel=1e-4)
    assert scores[4].model == pytest.approx(np.abs(errors[:, 1]).mean(), rel=1e-4)
    assert scores[5].model == pytest.approx(np.sqrt((errors[:, 1] ** 2).mean()), rel=1e-4)


def test_one_column_one_step_ahead_has_two_scores_and_both_decide() -> None:
    task = task_of(table_of(ONE), units=("V",))
    found = [(one.metric, one.unit, one.headline) for one in task.test_scores(persistent(task))]
    assert found == [("MAE", "V", True), ("RMSE", "V", True)]


def test_scores_at_the_first_the_middle_and_the_last_step() -> None:
    task = task_of(table_of(ONE), horizon=6)
    scores = {score.metric: score for score in task.test_scores(persistent(task))}
    assert list(scores) == ["MAE, steps 1–6", "MSE, steps 1–6"] + [
        f"{metric}, step {step}" for step in (1, 3, 6) for metric in ("MAE", "RMSE")
    ]
    assert [one.headline for one in scores.values()] == [True, True] + [False] * 6
    origins = np.arange(101, 120 - 6)
    for step in (1, 3, 6):
        off = np.abs(WAVE[origins + step] - WAVE[origins])
        assert scores[f"MAE, step {step}"].model == pytest.approx(off.mean(), rel=1e-4)
    together = [np.abs(WAVE[origins + step] - WAVE[origins]).mean() for step in range(1, 7)]
    expected = np.mean(together) / WAVE[:84].std()
    assert scores["MAE, steps 1–6"].model == pytest.approx(expected, rel=1e-4)
    last = scores["MAE, step 6"]
    assert last.baselines["persistence"] == pytest.approx(last.model, rel=1e-6)


def test_many_targets_are_scored_together() -> None:
    task = task_of(table_of(np.random.default_rng(0).normal(size=(120, 4))))
    assert [one.metric for one in task.test_scores(persistent(task))] == ["MAE", "MSE"]


class Perfect:
    """Knows that a[t + 1] is a[t] + b[t]. Of three quantiles the median is right, others are not.

    Wherever a rollout fed back anything but the median, or another row of b, it would be off.
    """

    training = False

    def __init__(self, levels: int) -> None:
        self._around = torch.tensor({1: [0.0], 3: [-7.0, 0.0, 9.0]}[levels])

    def __call__(self, inputs: Tensor, state: Tensor, /) -> tuple[Tensor, Tensor]:
        output = inputs.sum(-1, keepdim=True) + self._around
        return output, state[:, None].expand(-1, inputs.shape[1], -1)

    def initial_state(self, batch: int) -> Tensor:
        return torch.zeros(batch, 1)

    def eval(self) -> object:
        return self

    def train(self, _: bool, /) -> object:
        return self


def known_steps(count: int = 120) -> NDArray[np.float64]:
    """a[t + 1] = a[t] + b[t], in whole numbers, which float32 has exactly."""
    steps = np.random.default_rng(1).integers(-9, 9, count).astype(float)
    return np.stack([np.concatenate([[0], steps.cumsum()[:-1]]), steps], axis=1)


@pytest.mark.parametrize("quantiles", [(), (0.1, 0.5, 0.9)])
@pytest.mark.parametrize("horizon", [1, 5])
def test_a_perfect_predictor_is_off_by_nothing(quantiles: tuple[float, ...], horizon: int) -> None:
    """Own medians are fed back, and rows that are known ahead come from the table."""
    table = table_of(known_steps(), known_steps(100), known=1)
    task = task_of(table, horizon=horizon, quantiles=quantiles, season=None)
    *scores, last = task.test_scores(Perfect(len(quantiles) or 1))
    assert [score.model for score in scores] == [0.0] * len(scores)
    assert all(score.baselines["persistence"] > 0.1 for score in scores)
    assert last.metric == (
        "pinball loss" if quantiles else scores[-1].metric.replace("MAE", "RMSE")
    )


def test_the_pinball_loss_of_quantiles_that_are_off() -> None:
    task = task_of(table_of(known_steps(), known=1), quantiles=(0.1, 0.5, 0.9), season=None)
    score = task.test_scores(Perfect(3))[-1]
    # 7 below at the level 0.1 and 9 above at 0.9.
    expected = 2 * (0.1 * 7 + 0.1 * 9) / 3 / known_steps()[:84, 0].std()
    assert score.model == pytest.approx(expected, rel=1e-6)
    assert (score.metric, score.unit) == ("pinball loss", "standard deviations")


@pytest.mark.parametrize("horizon", [1, 3])
def test_missing_truths_do_not_count(horizon: int) -> None:
    values = ONE.copy()
    values[110] = np.nan
    task = task_of(table_of(values), missing="last", horizon=horizon)
    scores = {score.metric: score for score in task.test_scores(persistent(task))}
    mae = scores["MAE" if horizon == 1 else "MAE, step 1"]
    # The forecast of row 111 is row 109, for 110 is taken for the last one.
    last = np.where(np.isnan(values), WAVE[109], values)[:, 0]
    origins = np.arange(101, 120 - horizon)
    off = np.abs(last[origins] - values[origins + 1, 0])
    assert np.isnan(off).sum() == 1
    assert mae.model == pytest.approx(np.nanmean(off), rel=1e-4)
    assert mae.baselines["persistence"] == pytest.approx(np.nanmean(off), rel=1e-4)


def test_missing_values_do_not_count_in_the_losses() -> None:
    """However far a network is off there."""
    values = np.stack([WAVE, np.full(120, np.nan)], axis=1)
    values[::5, 1] = 1e3 * WAVE[::5]
    values[1::5, 1] = 1e3 * WAVE[1::5]
    task = task_of(table_of(values), missing="last", level_shift=0.0)
    network = persistent(task)
    assert np.isfinite(task.validation_loss(network))
    torch.manual_seed(0)
    batch = next(task.batches())
    state = network.initial_state(3)
    loss, after = task.loss(network, batch, state)
    scored = network.scored(batch.input, state)
    off = (batch.target - scored.base)[:, 6:] / task._step
    torch.testing.assert_close(loss, off[~off.isnan()].square().mean())
    torch.testing.assert_close(after, scored.states[:, -1])


def test_a_column_that_is_measured_now_and_then_is_learnt() -> None:
    """Its step is that from one measurement to the next."""
    values = np.full((120, 2), np.nan)
    values[:, 0] = WAVE
    values[::4, 1] = np.arange(30) ** 2
    task = task_of(table_of(values), missing="last", horizon=3)
    assert task._step[1].item() == pytest.approx(np.diff(np.arange(21) ** 2).std())
    network = persistent(task)
    assert np.isfinite(task.validation_loss(network))
    loss, _ = task.loss(network, next(task.batches()), network.initial_state(3))
    assert torch.isfinite(loss)


def test_the_loss_of_own_outputs_fed_back() -> None:
    """Of persistence, which answers the same at every step ahead."""
    task = task_of(table_of(TWO, known=1), horizon=5, level_shift=0.0)
    network = persistent(task)
    batch = next(task.batches())
    assert batch.ahead is not None
    state = network.initial_state(3)
    torch.manual_seed(7)
    loss, _ = task.loss(network, batch, state)
    torch.manual_seed(7)
    origins = torch.randint(6, 12, (4,))
    rows = torch.cat([batch.input, batch.ahead], 1)[..., 0].numpy()
    single = np.diff(rows[:, 6:13], axis=1) / np.diff(TWO[:84, 0]).std()
    ahead = [
        (rows[:, origins + step] - rows[:, origins])
        / max((TWO[step:84, 0] - TWO[: 84 - step, 0]).std(), np.diff(TWO[:84, 0]).std())
        for step in range(1, 6)
    ]
    expected = (single**2).mean() + (np.array(ahead) ** 2).mean()
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_rollouts_of_training_know_the_rows_that_are_known_ahead() -> None:
    """A changed b[t + k] changes what is fed back with the forecast for t + k, up to the last one,
    which nothing is fed back after."""
    task = task_of(table_of(known_steps(), known=1), horizon=3, level_shift=0.0, season=None)
    network = Network(task.config)
    batch = next(task.batches())

    def loss(row: int, change: float) -> float:
        assert batch.ahead is not None
        ahead = batch.ahead.clone()
        ahead[:, row, 1] += change
        torch.manual_seed(2)
        assert 11 in torch.randint(6, 12, (4,)), "one begins at the last row of the window"
        torch.manual_seed(2)
        moved = Batch(batch.input, batch.target, ahead=ahead)
        return task.loss(network, moved, network.initial_state(3))[0].item()

    assert loss(0, 100) != loss(0, 0)
    assert loss(1, 100) != loss(1, 0)
    assert loss(2, 100) == loss(2, 0)


def test_the_state_comes_through_all_data_before_the_test_part() -> None:
    task = task_of(table_of(TWO))
    network = Network(task.config)
    scores = {score.metric: score.model for score in task.test_scores(network)}
    series = torch.tensor(TWO, dtype=torch.float32)
    with torch.no_grad():
        output, _ = network.eval()(series[None], network.initial_state(1))
    errors = np.abs(output[0, 101:-1, 0].numpy() - TWO[102:, 0])
    assert scores["MAE of a"] == pytest.approx(errors.mean(), rel=1e-4)


def test_the_validation_loss_of_persistence_is_the_mean_square_of_the_scaled_step() -> None:
    task = task_of(table_of(TWO))
    step = np.diff(TWO[:84], axis=0).std(0)
    expected = ((np.diff(TWO[83:102], axis=0) / step) ** 2).mean()
    assert task.validation_loss(persistent(task)) == pytest.approx(expected, rel=1e-4)


def test_moments_are_those_of_the_training_part() -> None:
    front = task_of(table_of(TWO, ONE[:60].repeat(2, axis=1))).config.front
    rows = np.concatenate([TWO[:84], ONE[:42].repeat(2, axis=1)])
    assert isinstance(front, ValuesFront)
    np.testing.assert_allclose(front.mean, rows.mean(0))
    np.testing.assert_allclose(front.scale, rows.std(0))


def test_series_with_times_are_cut_at_common_times() -> None:
    """So that nothing is learnt from one at a time when another is tested."""
    starts = ("2020-01-01", "2020-02-15", "2020-03-20")
    values = (TWO, TWO[:60], TWO[:40])
    table = table_of(*values, starts=starts)
    parts = divided(table, RECIPE.split)
    cuts = []
    for one, part in zip(table.series, parts, strict=True):
        assert one.times is not None
        ends = (part.split.train, part.split.validation)
        cuts.append([(one.times[end - 1], one.times[end]) for end in ends])
    for boundary in range(2):
        before, after = zip(*(cut[boundary] for cut in cuts), strict=True)
        assert max(before) < min(after)
    assert sum(part.split.total for part in parts) == 220


def test_series_without_times_are_cut_each_by_its_own_rows() -> None:
    parts = divided(table_of(TWO, TWO[:60]), RECIPE.split)
    assert [part.split.train for part in parts] == [84, 42]
    task = task_of(table_of(TWO, TWO[:60]))
    assert task.held_out == "the last 27 of 180 rows of 2 series"


def test_windows_come_from_all_series_that_are_long_enough() -> None:
    task = task_of(table_of(ONE, ONE[:60] + 1000, ONE[:15] - 1000), level_shift=0.0)
    torch.manual_seed(0)
    seen = {round(float(one) / 1000) for batch in task.batches() for one in batch.input[:, 0, 0]}
    assert seen == {0, 1}, "the third has 10 rows to train on, and a window needs 13"


def test_a_split_by_numbers_of_rows() -> None:
    task = task_of(table_of(TWO), split=(60.0, 20.0, 30.0))
    assert task.held_out == "the last 30 of 110 rows"


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ((0.9, 0.2, 0.1), "--split 0.9,0.2,0.1 adds up to more than 1"),
        ((0.9, 0.0, 0.1), "every part needs some of the data"),
        ((60.0, 0.5, 10.0), "shares below 1, or whole numbers of rows"),
        ((60.0, 50.0, 11.0), "asks for 121 rows, there are 120"),
    ],
)
def test_a_split_that_makes_no_sense_is_refused(
    split: tuple[float, float, float], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        task_of(table_of(TWO), split=split)


def test_the_season_is_estimated_unless_given() -> None:
    assert task_of(table_of(ONE), season=None)._data.season == 6
    assert task_of(table_of(ONE), season=5)._data.season == 5


@pytest.mark.parametrize(
    ("column", "fault"),
    [
        (np.where(np.arange(120) < 84, 5, WAVE), "is constant in the training part (5)"),
        (np.where(np.arange(120) < 84, np.nan, WAVE), "has no value in the training part"),
        (np.arange(120), "changes by the same amount in every row of the training part"),
    ],
)
def test_a_column_with_nothing_to_learn_from_is_refused(
    column: NDArray[np.float64], fault: str
) -> None:
    table = table_of(np.stack([WAVE, column], axis=1))
    alone = table_of(column[:, None].astype(float))
    for one, name, way_out in (
        (table, "b", "name the others alone: --targets a"),
        (replace(table, targets=("a",), known=("b",)), "b", "name the others alone: --targets a"),
        (alone, "a", "a longer training part, by --split, may have more of it"),
    ):
        with pytest.raises(DataError) as refused:
            task_of(one, missing="last")
        assert str(refused.value) == f"made up: column {name!r} {fault}; {way_out}"


def test_a_column_that_is_still_within_each_series_is_refused() -> None:
    still = [np.stack([WAVE, np.full(120, level)], axis=1) for level in (1, 2)]
    with pytest.raises(DataError, match="'b' never changes within a series of the training part"):
        task_of(table_of(*still))


def test_too_few_rows_are_refused() -> None:
    message = "84 rows to train on, too few for windows of --time-steps 90 and --horizon 1"
    with pytest.raises(DataError, match=message):
        task_of(table_of(TWO), time_steps=90)


def test_units_fit_the_columns() -> None:
    task = task_of(table_of(TWO, known=1), units=("V",))
    assert isinstance(task.input, Values)
    assert (task.input.units, task.input.known_ahead) == (("V", "V"), ("b",))
    assert task_of(table_of(TWO), units=()).output.units == ("", "")
    with pytest.raises(RecipeError, match="3 units for 2 columns"):
        task_of(table_of(TWO), units=("V", "A", "W"))


def test_what_comes_out_has_the_names_and_units_of_the_targets() -> None:
    task = task_of(table_of(TWO, inputs=1), units=("V", "A"), quantiles=(0.1, 0.5))
    assert task.output == Quantiles(names=("a",), units=("V",), levels=(0.1, 0.5))
    assert task.config.head.width == 2


@pytest.mark.parametrize("horizon", [1, 4])
@pytest.mark.parametrize("starts", ["2020-04-02", "2020-04-22"], ids=["validation", "test"])
def test_a_series_that_begins_after_the_training_part_is_scored_from_its_second_row_on(
    starts: str, horizon: int
) -> None:
    """Nobody expects its first row; and no row is compared with another one's forecast."""
    table = table_of(TWO, 10 * TWO[:10], starts=("2020-01-01", starts))
    task = task_of(table, horizon=horizon)
    network = persistent(task)
    parts = divided(table, RECIPE.split)
    step = np.diff(parts[0].values[: parts[0].split.train], axis=0).std(0)
    assert parts[1].split.train == 0
    errors = [
        np.diff(part.values[max(part.split.train - 1, 0) : part.split.validation], axis=0)
        for part in parts
    ]
    loss = np.concatenate([one for one in errors if len(one)])
    if horizon == 1:
        expected = ((loss / step) ** 2).mean()
        assert task.validation_loss(network) == pytest.approx(expected, rel=1e-3)
    assert all(np.isfinite(score.model) for score in task.test_scores(network))


def test_the_quantiles_of_a_simple_model_come_from_the_validation_part() -> None:
    """Those of its errors on the test part would know what is asked."""
    changed = TWO.copy()
    changed[102:] += np.random.default_rng(1).normal(0, 50, (18, 2))
    found = []
    for values in (TWO, changed):
        scores = task_of(table_of(values), quantiles=(0.1, 0.5, 0.9))._scores
        persistence = scores._simple[0]
        found.append(scores._residuals(persistence))
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": (0.95, 0.001, 0.049)}, "the validation part of 120 rows has none"),
        ({"horizon": 19}, "the validation part has no 19 rows in a row with a value to score"),
    ],
)
def test_a_part_with_nothing_to_score_is_refused_before_training(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises((DataError, RecipeError), match=message):
        task_of(table_of(TWO), **options)


def test_series_that_are_too_short_for_a_window_are_named() -> None:
    told = task_of(table_of(ONE, ONE[:15])).read
    assert [line for line in told if "fewer than a window of 14" in line]
    assert not [line for line in task_of(table_of(ONE)).read if "fewer than" in line]


def test_the_ranges_are_those_of_the_training_part() -> None:
    rows = TWO.copy()
    rows[3, 1], rows[100] = np.nan, 1e6
    ranges = task_of(table_of(rows), missing="last").input_ranges
    training = rows[:84]
    expected = zip(np.nanmin(training, axis=0), np.nanmax(training, axis=0), strict=True)
    assert ranges == tuple(expected)
