"""The next values of some columns of a table."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_export.baselines.season import estimated_season
from model_export.baselines.windows import SeriesData, future, origins_of
from model_export.data.precision import step_spread
from model_export.data.series import SeriesRoles, Table, load_series, report_table
from model_export.data.source import Source
from model_export.errors import DataError
from model_export.evaluate import Predictor
from model_export.model.config import NetworkConfig, QuantilesHead, ResidualHead, ValuesFront
from model_export.model.head import QuantilesModule, ResidualModule
from model_export.model.network import Network
from model_export.recipes.forecast import ForecastRecipe
from model_export.tasks.reading import fill_of, read_options, repairs, units_of
from model_export.tasks.roll import Feedback, roll
from model_export.tasks.series_parts import divided, splits_of
from model_export.tasks.series_scores import SeriesScores
from model_export.tasks.task import Batch, Ranges, mean_of, ranges_of
from service.bundle.manifest import Score
from service.bundle.signatures import Quantiles, Values

_SAMPLE = 2048
_WARM_UP = 8
"""Steps of a window that are not scored: from a zero state nobody can know the trend."""
_MIN_BATCHES = 20
_MOST_NAMED = 8
"""Columns that a message lists."""
_ORIGINS = 4
"""Steps of a window from which own outputs are fed back while training."""


class Forecast:
    """Windows at random places of the training parts, moved by random levels.

    A series that drifts leaves the range seen in training. The head predicts the step, not the
    level, and moving every window up or down teaches the layers that the level means little.
    """

    def __init__(self, table: Table, recipe: ForecastRecipe) -> None:
        self.source: Source = table.source
        self._table = table
        self._recipe = recipe
        self._parts = divided(table, recipe.split)
        self._targets, self._known = len(table.targets), len(table.known)
        self._longest = recipe.time_steps + recipe.horizon
        self._check_length()
        self._check_origins()
        training = [one.values[: one.split.train] for one in self._parts]
        self._moments = _Moments.of(training, table)
        self._series = [torch.from_numpy(one.values.astype(np.float32)) for one in self._parts]
        step = self._moments.step[: self._targets]
        self._step = torch.tensor(step, dtype=torch.float32)
        self._ahead = torch.tensor(
            _scale_ahead(training, self._targets, recipe.horizon, step), dtype=torch.float32
        )
        shift = _level_shift(training, self._moments.scale, recipe.level_shift)
        shift[self._targets :] = 0
        self._shift = torch.from_numpy(shift)
        longest = max(training, key=len)[:, : self._targets]
        season = recipe.season or estimated_season(longest)
        self._data = SeriesData(self._parts, self._targets, self._known, recipe.horizon, season)
        units = units_of(recipe.units, self._moments.mean.shape[0])
        self.input = Values(
            names=(*table.targets, *table.known, *table.inputs),
            units=units,
            missing=recipe.missing != "refuse",
            known_ahead=table.known,
        )
        self.output = self._signature(table.targets, units[: self._targets])
        self.config = self._network()
        self._feedback = self._fed_back()
        self._scores = SeriesScores(self._data, self.output, self._moments.scale, self._feedback)

    @classmethod
    def load(cls, recipe: ForecastRecipe) -> "Forecast":
        """Raises DataError where the table cannot be read or learnt from."""
        return cls(read_table(recipe), recipe)

    @property
    def loss_name(self) -> str:
        what = "pinball loss" if self._recipe.quantiles else "squared error"
        ahead = f" and of {self._recipe.horizon} ahead" if self._recipe.horizon > 1 else ""
        return f"{what} of the step{ahead}, in units of the step's spread"

    @property
    def held_out(self) -> str:
        counts = [one.split.total - one.split.validation for one in self._parts]
        series = f" of {len(counts)} series" if len(counts) > 1 else ""
        total = sum(one.split.total for one in self._parts)
        return f"the last {sum(counts)} of {total} rows{series}"

    @property
    def read(self) -> tuple[str, ...]:
        return (*report_table(self._table).splitlines(), *self._too_short())

    def _too_short(self) -> Iterator[str]:
        for series, part in zip(self._table.series, self._parts, strict=True):
            if part.split.train <= self._longest:
                yield (
                    f"- series {series.name!r} has {part.split.train} rows to train on, fewer than "
                    f"a window of {self._longest + 1}: it is scored, not trained on"
                )

    @property
    def baselines(self) -> tuple[str, ...]:
        return self._scores.baselines

    @property
    def samples(self) -> Mapping[str, NDArray[Any]]:
        held_out = {
            series.name: part.values[part.split.validation :][:_SAMPLE].astype(np.float32)
            for series, part in zip(self._table.series, self._parts, strict=True)
        }
        return dict(sorted(held_out.items(), key=lambda item: -len(item[1])))

    @property
    def input_ranges(self) -> Ranges:
        return self._moments.ranges

    @property
    def epoch_length(self) -> int:
        batch = self._recipe.batch_size * self._recipe.time_steps
        return max(_MIN_BATCHES, sum(one.split.train for one in self._parts) // batch)

    def batches(self) -> Iterator[Batch]:
        rows, time = self._recipe.batch_size, self._recipe.time_steps
        places = torch.tensor([max(0, one.split.train - self._longest) for one in self._parts])
        ends = places.cumsum(0)
        for _ in range(self.epoch_length):
            drawn = torch.randint(int(ends[-1]), (rows,))
            which = torch.searchsorted(ends, drawn, right=True)
            starts = drawn - (ends - places)[which]
            window = torch.stack(
                [
                    self._series[one][start : start + self._longest]
                    for one, start in zip(which.tolist(), starts.tolist(), strict=True)
                ]
            )
            level = (2 * torch.rand(rows, 1, len(self._shift)) - 1) * self._shift
            window = window + level
            yield Batch(window[:, :time], window[:, 1 : time + 1], ahead=window[:, time:])

    def loss(self, network: Network, batch: Batch, state: Tensor) -> tuple[Tensor, Tensor]:
        scored = network.scored(batch.input, state)
        targets = self._targets
        assert isinstance(network.head, ResidualModule | QuantilesModule)
        step = network.head.scale
        wanted = (batch.target[..., :targets] - scored.base[..., :targets]) / step
        warm_up = min(_WARM_UP, batch.input.shape[1] // 2)
        loss = self._mean(scored.scores[:, warm_up:], wanted[:, warm_up:])
        if self._recipe.horizon > 1:
            assert batch.ahead is not None
            outputs = network.head.outputs(scored.scores, scored.base)
            loss = loss + self._loss_ahead(network, batch, outputs, scored.states)
        return loss, scored.states[:, -1]

    def _loss_ahead(
        self, network: Network, batch: Batch, outputs: Tensor, states: Tensor
    ) -> Tensor:
        """Own outputs fed back from some steps of every window on."""
        assert batch.ahead is not None
        rows = torch.cat([batch.input, batch.ahead], dim=1)
        horizon, targets = self._recipe.horizon, self._targets
        origins = torch.randint(batch.input.shape[1] // 2, batch.input.shape[1], (_ORIGINS,))
        after = origins[:, None] + torch.arange(1, horizon + 1)
        future = rows[:, after].flatten(0, 1)
        forecast = roll(
            network,
            self._feedback,
            outputs[:, origins].flatten(0, 1),
            states[:, origins].flatten(0, 1),
            future[:, :-1, targets:],
        )
        base = future[..., :targets]
        scale = self._ahead.to(base.device)
        levels = len(self._recipe.quantiles) or 1
        truth, scales = (one.repeat_interleave(levels, dim=-1) for one in (base, scale))
        off = torch.where(truth.isnan(), 0, forecast - truth) / scales
        return self._mean(off, torch.where(base.isnan(), torch.nan, 0.0))

    def _mean(self, scores: Tensor, wanted: Tensor) -> Tensor:
        """Of the error of scores [B, T, O] where what is wanted [B, T, K] was observed."""
        observed = ~wanted.isnan()
        wanted = wanted.nan_to_num()
        if not self._recipe.quantiles:
            return mean_of((scores - wanted).square(), observed)
        levels = torch.tensor(self._recipe.quantiles, device=scores.device)
        off = wanted.unsqueeze(-1) - scores.reshape(*scores.shape[:-1], -1, len(levels))
        pinball = torch.maximum(levels * off, (levels - 1) * off).mean(-1)
        return 2 * mean_of(pinball, observed)

    def validation_loss(self, network: Network) -> float:
        """The state comes from the rows before; missing values do not count."""
        errors, ahead = self._scores.validation_errors(network)
        return self._mean_error(errors, self._step) + self._mean_error(ahead, self._ahead)

    def _mean_error(self, errors: Tensor, scale: Tensor) -> float:
        """Of forecast − truth [N, O] or [N, h, O]; 0 where there is none."""
        if not errors.numel():
            return 0.0
        levels = len(self._recipe.quantiles) or 1
        off = errors / scale.repeat_interleave(levels, dim=-1)
        flat = off.reshape(1, -1, off.shape[-1])
        wanted = torch.where(flat[..., ::levels].isnan(), torch.nan, 0.0)
        return float(self._mean(flat.nan_to_num(), wanted))

    def test_scores(self, network: Predictor) -> tuple[Score, ...]:
        """Errors of each target in its unit, and of all targets in units of their spread."""
        return self._scores.of(network)

    def _signature(self, targets: tuple[str, ...], units: tuple[str, ...]) -> Values | Quantiles:
        if self._recipe.quantiles:
            return Quantiles(names=targets, units=units, levels=self._recipe.quantiles)
        return Values(names=targets, units=units)

    def _network(self) -> NetworkConfig:
        recipe, step = self._recipe, tuple(self._step.tolist())
        return NetworkConfig(
            front=ValuesFront(
                tuple(self._moments.mean.tolist()),
                tuple(self._moments.scale.tolist()),
                fill=fill_of(recipe.missing),
            ),
            head=QuantilesHead(step, recipe.quantiles) if recipe.quantiles else ResidualHead(step),
            hidden_sizes=recipe.hidden_sizes,
            reset=recipe.reset,
            dropout=recipe.dropout,
        )

    def _fed_back(self) -> Feedback:
        levels = self._recipe.quantiles or (0.5,)
        middle, count = levels.index(0.5), len(levels)
        return Feedback(tuple(range(middle, count * self._targets, count)))

    def _check_origins(self) -> None:
        """There must be something to score in the validation and in the test part."""
        horizon, targets = self._recipe.horizon, len(self._table.targets)
        for name in ("validation", "test"):
            spans = [
                (one.split.train, one.split.validation)
                if name == "validation"
                else (one.split.validation, one.split.total)
                for one in self._parts
            ]
            if not any(
                (
                    ~np.isnan(
                        future(one.values, origins_of(*span, horizon), horizon)[..., :targets]
                    )
                ).any()
                for one, span in zip(self._parts, spans, strict=True)
            ):
                raise DataError(
                    f"{self.source.description}: the {name} part has no {horizon} rows in a row "
                    "with a value to score; lower --horizon, or give it more by --split"
                )

    def _check_length(self) -> None:
        trained = max(one.split.train for one in self._parts)
        if trained <= self._longest:
            raise DataError(
                f"{self.source.description}: {trained} rows to train on, too few for windows of "
                f"--time-steps {self._recipe.time_steps} and --horizon {self._recipe.horizon} "
                f"(needs {self._longest + 1})"
            )


def read_table(recipe: ForecastRecipe) -> Table:
    """The recipe's data with its roles, read and repaired. Raises DataError, RecipeError."""
    roles = SeriesRoles(recipe.time, recipe.series, recipe.targets, recipe.inputs, recipe.known)
    return load_series(
        recipe.data,
        read_options(recipe),
        roles,
        repairs(recipe),
        lambda series: [one.train for one in splits_of(series, recipe.split)],
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """Of every column in the training parts: mean, standard deviation, that of its steps, and the
    least and the largest value."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    step: NDArray[np.float64]
    ranges: Ranges

    @classmethod
    def of(cls, training: list[NDArray[np.float64]], table: Table) -> "_Moments":
        """Raises DataError for a column that has nothing to learn from."""
        rows = np.concatenate(training)
        for column, name in enumerate(table.names):
            if fault := _fault_of(training, column):
                raise DataError(
                    f"{table.source.description}: column {name!r} {fault}; {_without(table, name)}"
                )
        steps = np.array([step_spread(training, column) for column in range(rows.shape[1])])
        return cls(np.nanmean(rows, axis=0), np.nanstd(rows, axis=0), steps, ranges_of(rows))


def _fault_of(training: list[NDArray[np.float64]], column: int) -> str | None:
    """Why nothing can be learnt from the training parts of a column."""
    measured = [one[~np.isnan(one[:, column]), column] for one in training]
    values = np.concatenate(measured)
    if not len(values):
        return "has no value in the training part"
    if values.min() == values.max():
        return f"is constant in the training part ({values[0]:g})"
    if not step_spread(training, column) > 0:
        still = all(len(np.unique(one)) <= 1 for one in measured)
        how = (
            "never changes within a series" if still else "changes by the same amount in every row"
        )
        return f"{how} of the training part"
    return None


def _without(table: Table, name: str) -> str:
    """Options that leave a column out."""
    groups = {"--targets": table.targets, "--known": table.known, "--inputs": table.inputs}
    rest = {option: [one for one in names if one != name] for option, names in groups.items()}
    if not rest["--targets"]:
        return "a longer training part, by --split, may have more of it"
    if len(table.names) > _MOST_NAMED:
        [option] = (option for option, names in groups.items() if name in names)
        also = "" if option == "--targets" else f" and not naming it in {option}"
        return f"leave it out by naming the targets to keep in --targets{also}"
    options = (
        f"{option} {shlex.quote(','.join(names))}" for option, names in rest.items() if names
    )
    return f"name the others alone: {' '.join(options)}"


def _scale_ahead(
    training: list[NDArray[np.float64]], targets: int, horizon: int, step: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How far each target is, [horizon, K], from what it was 1, 2, … steps before."""
    scales = []
    for ahead in range(1, horizon + 1):
        changes = np.concatenate(
            [one[ahead:, :targets] - one[:-ahead, :targets] for one in training]
        )
        # Of a column that is measured rarely there may be no two values so far apart.
        seen = ~np.isnan(changes).all(axis=0)
        scale = step[:targets].copy()
        scale[seen] = np.maximum(np.nanstd(changes[:, seen], axis=0), scale[seen])
        scales.append(scale)
    return np.array(scales)


def _level_shift(
    training: list[NDArray[np.float64]], scale: NDArray[np.float64], given: float | None
) -> NDArray[np.float32]:
    """Largest shift per column, in its unit.

    Unless `given` (in standard deviations), twice the way from the first quarter's mean to the
    last quarter's: much for a series with a trend, little for one that stays where it is.
    """
    if given is not None:
        return (given * scale).astype(np.float32)
    drifts = []
    for one in training:
        quarter = max(1, len(one) // 4)
        with np.errstate(invalid="ignore"):
            drifts.append(np.abs(_mean(one[-quarter:]) - _mean(one[:quarter])))
    shift: NDArray[np.float32] = (2 * np.max(np.nan_to_num(drifts), axis=0)).astype(np.float32)
    return shift


def _mean(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    seen = ~np.isnan(rows)
    mean: NDArray[np.float64] = np.where(seen, rows, 0).sum(0) / np.maximum(seen.sum(0), 1)
    return mean
