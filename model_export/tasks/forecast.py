"""The next value of every column of a table."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from model_export.data.source import Source, Split
from model_export.data.table import Table, load_table
from model_export.errors import DataError
from model_export.evaluate import Predictor, stream
from model_export.model.network import Network, NetworkConfig, ResidualHead, ValuesFront
from model_export.recipe import Recipe
from model_export.tasks.naive import estimated_season, naive_forecasts
from model_export.tasks.task import Batch
from service.bundle.manifest import Score
from service.bundle.signatures import Values

_SAMPLE = 2048
_WARM_UP = 8
"""Steps of a window that are not scored: from a zero state nobody can know the trend."""
_MIN_BATCHES = 20
_MIN_ROWS = 16


class Forecast:
    """Windows at random places of the training part, moved by random levels.

    A series that drifts leaves the range seen in training. The head predicts the step, not the
    level, and moving every window up or down teaches the layers that the level means little.
    """

    loss_name = "squared error of the step, over the variance of steps"

    def __init__(self, table: Table, recipe: Recipe) -> None:
        self.source: Source = table.source
        self.split = Split.of(len(table.values), train=0.7, validation=0.15)
        self._recipe = recipe
        self._table = table
        self._check_length()
        training = table.values[: self.split.train]
        mean, scale, step = _moments(training, table.names)
        self._series = torch.from_numpy(table.values.astype(np.float32))
        self._step = torch.tensor(step, dtype=torch.float32)
        self._shift = torch.tensor(_level_shift(training, scale, recipe.level_shift))
        self.season = recipe.season or estimated_season(training)
        self.input = Values(names=table.names, units=_units(recipe.units, len(table.names)))
        self.output = self.input
        self.config = NetworkConfig(
            front=ValuesFront(tuple(mean), tuple(scale)),
            head=ResidualHead(tuple(step)),
            hidden_sizes=recipe.hidden_sizes,
            reset=recipe.reset,
            dropout=recipe.dropout,
        )

    @classmethod
    def load(cls, recipe: Recipe) -> "Forecast":
        """Raises DataError where the table cannot be read or learnt from."""
        return cls(load_table(recipe.data, recipe.columns, recipe.fill), recipe)

    @property
    def held_out(self) -> str:
        count = self.split.total - self.split.validation
        return f"the last {count} of {self.split.total} rows"

    @property
    def sample(self) -> NDArray[Any]:
        values: NDArray[Any] = self._series[self.split.validation :][:_SAMPLE].numpy()
        return values

    @property
    def epoch_length(self) -> int:
        batch = self._recipe.batch_size * self._recipe.time_steps
        return max(_MIN_BATCHES, self.split.train // batch)

    def batches(self) -> Iterator[Batch]:
        rows, time = self._recipe.batch_size, self._recipe.time_steps
        for _ in range(self.epoch_length):
            starts = torch.randint(self.split.train - time, (rows, 1))
            window = self._series[starts + torch.arange(time + 1)]
            level = (2 * torch.rand(rows, 1, len(self._shift)) - 1) * self._shift
            target = window.diff(dim=1) / self._step
            yield Batch(window[:, :-1] + level, target, warm_up=min(_WARM_UP, time // 2))

    def loss(self, scores: Tensor, target: Tensor) -> Tensor:
        return functional.mse_loss(scores, target)

    def validation_loss(self, network: Network) -> float:
        """The state is carried through the training part; filled-in values do not count."""
        errors = self._errors(network, self.split.train, self.split.validation)
        return float(np.nanmean((errors / self._step.numpy()) ** 2))

    def test_scores(self, network: Predictor) -> tuple[Score, ...]:
        """MAE and RMSE of each column in its unit; filled-in values do not count."""
        start = self.split.validation
        errors = {"model": self._errors(network, start, self.split.total)}
        for name, forecast in naive_forecasts(self._table.values, start, self.season).items():
            errors[name] = self._observed(forecast - self._table.values[start:], start)
        return tuple(
            score
            for column in range(self.input.width)
            for score in self._column_scores({k: e[:, column] for k, e in errors.items()}, column)
        )

    def _column_scores(self, errors: dict[str, NDArray[Any]], column: int) -> Iterator[Score]:
        of = f" of {self.input.names[column]}" if self.input.width > 1 else ""
        for metric, power in (("MAE", 1), ("RMSE", 2)):
            figures = {
                name: float(np.nanmean(np.abs(error) ** power) ** (1 / power))
                for name, error in errors.items()
            }
            model = figures.pop("model")
            unit = self.input.units[column]
            yield Score(metric=metric + of, unit=unit, model=model, baselines=figures)

    def _errors(self, network: Predictor, start: int, end: int) -> NDArray[np.float64]:
        """Forecast − truth of rows [start, end), NaN where the truth was filled in."""
        outputs = torch.cat(list(stream(network, self._series[None, : end - 1])), dim=1)[0]
        errors = outputs[start - 1 :].double().numpy() - self._table.values[start:end]
        return self._observed(errors, start)

    def _observed(self, errors: NDArray[np.float64], start: int) -> NDArray[np.float64]:
        return np.where(self._table.observed[start : start + len(errors)], errors, np.nan)

    def _check_length(self) -> None:
        needed = max(self._recipe.time_steps, self._recipe.season or 0, _MIN_ROWS) + 1
        if self.split.train < needed:
            raise DataError(
                f"{self.source.description}: {self.split.train} rows to train on, too few for "
                f"--time-steps {self._recipe.time_steps} or the season (needs {needed})"
            )


def _moments(training: NDArray[np.float64], names: tuple[str, ...]) -> tuple[list[float], ...]:
    """Mean, standard deviation, and standard deviation of the step, per column."""
    mean, scale = training.mean(0), training.std(0)
    step = np.diff(training, axis=0).std(0)
    for name, deviation in zip(names, np.minimum(scale, step), strict=True):
        if not deviation > 0:
            raise DataError(f"column {name!r} never changes, or always alike, in the training part")
    return mean.tolist(), scale.tolist(), step.tolist()


def _level_shift(
    training: NDArray[np.float64], scale: list[float], given: float | None
) -> NDArray[np.float32]:
    """Largest shift per column, in its unit.

    Unless `given` (in standard deviations), twice the way from the first quarter's mean to the
    last quarter's: much for a series with a trend, little for one that stays where it is.
    """
    quarter = len(training) // 4
    drift = np.abs(training[-quarter:].mean(0) - training[:quarter].mean(0))
    shift = 2 * drift if given is None else given * np.array(scale)
    return shift.astype(np.float32)


def _units(units: tuple[str, ...], width: int) -> tuple[str, ...]:
    if len(units) == 1:
        return units * width
    if len(units) != width:
        raise DataError(f"{len(units)} units for {width} columns; give one for all or one each")
    return units
