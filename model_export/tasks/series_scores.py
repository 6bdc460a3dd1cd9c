"""How far forecasts are off, of a network and of the simple models beside it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_export.baselines.baseline import Baseline
from model_export.baselines.series import Forecast, forecasters
from model_export.baselines.windows import Origins, SeriesData, future, origins_of
from model_export.evaluate import Predictor, evaluating, walk
from model_export.tasks.roll import Feedback, roll
from model_export.tasks.series_parts import Part
from service.bundle.manifest import Score
from service.bundle.signatures import Quantiles, Values

Array = NDArray[np.float64]

_BEFORE = 1000
"""Rows ahead of the validation part that a network gets its state from, at every epoch."""
_VALIDATION_ORIGINS = 256
_TEST_ORIGINS = 5000
_AT_ONCE = 1024
"""Origins that are rolled together."""
_MOST_NAMED = 3
"""More targets than these are scored together, not one by one."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Of one series: outputs [n, O] for its rows, and what follows from some `origins` [m]:
    `ahead` [m, h, O]."""

    outputs: Array
    origins: Origins
    ahead: Array


class SeriesScores:
    """Forecasts of the validation and the test part, one step and up to a horizon ahead."""

    def __init__(
        self, data: SeriesData, output: Values | Quantiles, scale: Array, feedback: Feedback
    ) -> None:
        self._data = data
        self._targets = data.targets
        self._output = output
        self._scale = scale[: data.targets]
        self._feedback = feedback

    @cached_property
    def _simple(self) -> tuple[Baseline[Forecast], ...]:
        return forecasters(self._data)

    @property
    def baselines(self) -> tuple[str, ...]:
        return tuple(one.description for one in self._simple)

    def validation_errors(self, network: Predictor) -> tuple[Tensor, Tensor]:
        """Forecast − truth: one step ahead [n, O], and of some origins up to the horizon
        [m, h, O], without any for a horizon of 1. NaN where the truth is missing."""
        spans = [(one.split.train, one.split.validation) for one in self._data.series]
        errors, ahead = [], []
        for index, run in self._runs(network, spans, _BEFORE, _VALIDATION_ORIGINS):
            values, (start, end) = self._data.series[index].values, spans[index]
            errors.append(run.outputs - self._repeated(values[start:end]))
            truth = future(values, run.origins, self._data.horizon)
            ahead.append(run.ahead - self._repeated(truth))
        if self._data.horizon == 1:
            ahead = [one[:0] for one in ahead]
        return torch.from_numpy(np.concatenate(errors)), torch.from_numpy(np.concatenate(ahead))

    def of(self, network: Predictor) -> tuple[Score, ...]:
        """Beside persistence, seasonal naive and ridge regression, at the same origins."""
        spans = [(one.split.validation, one.split.total) for one in self._data.series]
        truths: list[Array] = []
        found: dict[str, list[Array]] = {}
        for index, run in self._runs(network, spans, None, _TEST_ORIGINS):
            series = self._data.series[index]
            truths.append(
                future(series.values, run.origins, self._data.horizon)[..., : self._targets]
            )
            found.setdefault("model", []).append(run.ahead)
            for one in self._simple:
                found.setdefault(one.name, []).append(one.predict(index, run.origins))
        truth = np.concatenate(truths)
        forecasts = {name: np.concatenate(parts) for name, parts in found.items()}
        return tuple(self._scored(truth, forecasts))

    def _scored(self, truth: Array, forecasts: Mapping[str, Array]) -> Iterator[Score]:
        model = forecasts["model"]
        off = {
            name: (self._medians(one) if name == "model" else one) - truth
            for name, one in forecasts.items()
        }
        horizon, is_single = self._data.horizon, self._targets == 1
        if horizon > 1 or not is_single:
            yield from self._together(off)
        if self._targets <= _MOST_NAMED:
            for step in sorted({1, max(1, horizon // 2), horizon}):
                for target in range(self._targets):
                    yield from self._named(off, step, target, headline=horizon == 1 and is_single)
        if isinstance(self._output, Quantiles):
            yield self._pinball(truth, model, off)

    def _together(self, off: Mapping[str, Array]) -> Iterator[Score]:
        """Over all steps and targets, each in units of its standard deviation in training."""
        horizon = self._data.horizon
        steps = f", steps 1–{horizon}" if horizon > 1 else ""
        scaled = {name: one / self._scale for name, one in off.items()}
        for metric, power in (("MAE", 1), ("MSE", 2)):
            figures = {name: _mean(np.abs(one) ** power) for name, one in scaled.items()}
            unit = "standard deviations" if power == 1 else "variances"
            yield _score(metric + steps, unit, figures, headline=True)

    def _named(
        self, off: Mapping[str, Array], step: int, target: int, *, headline: bool
    ) -> Iterator[Score]:
        of = f" of {self._output.names[target]}" if self._targets > 1 else ""
        at = f", step {step}" if self._data.horizon > 1 else ""
        for metric, power in (("MAE", 1), ("RMSE", 2)):
            figures = {
                name: _mean(np.abs(one[:, step - 1, target]) ** power) ** (1 / power)
                for name, one in off.items()
            }
            unit = self._output.units[target]
            yield _score(metric + of + at, unit, figures, headline=headline)

    def _pinball(self, truth: Array, model: Array, off: Mapping[str, Array]) -> Score:
        """Twice the pinball loss over all levels, in standard deviations: at the median alone it is
        the absolute error. A baseline's quantiles are its value plus those of its own errors."""
        assert isinstance(self._output, Quantiles)
        levels = np.array(self._output.levels)
        figures = {"model": self._pinball_of(truth, model.reshape(*truth.shape, -1), levels)}
        for name, errors in off.items():
            if name != "model":
                around = np.moveaxis(np.nanquantile(-errors, levels, axis=0), 0, -1)
                forecast = (errors + truth)[..., None] + around
                figures[name] = self._pinball_of(truth, forecast, levels)
        return _score("pinball loss", "standard deviations", figures, headline=True)

    def _pinball_of(self, truth: Array, forecast: Array, levels: Array) -> float:
        """For truth [n, h, K] and forecasts [n, h, K, Q]."""
        off = (truth[..., None] - forecast) / self._scale[:, None]
        return 2 * _mean(np.maximum(levels * off, (levels - 1) * off))

    def _runs(
        self,
        network: Predictor,
        spans: list[tuple[int, int]],
        before: int | None,
        most: int,
    ) -> Iterator[tuple[int, _Run]]:
        """Each series' outputs for its rows [start, end), and forecasts from at most so many
        origins of all series together."""
        values = [one.values for one in self._data.series]
        # What is expected at a row comes with the row before it.
        asked = [(max(start - 1, 0), end - 1) for start, end in spans]
        part = Part.of(values, asked, max(end for _, end in spans) if before is None else before)
        origins = [origins_of(start, end, self._data.horizon) for start, end in spans]
        apart = max(1, -(-sum(map(len, origins)) // most)) if self._data.horizon > 1 else 1
        origins = [one[::apart] for one in origins]
        outputs, states = _collected(network, part, origins)
        for index, (start, _) in enumerate(part.starts_and_ends):
            begun = start - part.first[index]
            shown = outputs[index, begun : part.ends[index] - part.first[index]]
            first = outputs[index, torch.from_numpy(origins[index] - part.first[index])]
            ahead = self._rolled(network, index, origins[index], first, states[index])
            yield index, _Run(shown.double().numpy(), origins[index], ahead)

    def _rolled(
        self,
        network: Predictor,
        index: int,
        origins: Origins,
        first: Tensor,
        states: Tensor,
    ) -> Array:
        """Outputs [m, h, O] of a series, of which `first` [m, O] are those at the origins."""
        values = self._data.series[index].values
        if self._data.horizon == 1:
            return first.unsqueeze(1).double().numpy()
        known = future(values, origins, self._data.horizon)[:, :-1, self._targets :]
        rows = torch.from_numpy(known.astype(np.float32))
        made = []
        with evaluating(network):
            for piece in torch.split(torch.arange(len(origins)), _AT_ONCE):
                state = states[piece]
                made.append(roll(network, self._feedback, first[piece], state, rows[piece]))
        return torch.cat(made).double().numpy() if made else np.zeros((0, self._data.horizon, 1))

    def _medians(self, outputs: Array) -> Array:
        return outputs[..., list(self._feedback.columns)]

    def _repeated(self, values: Array) -> Array:
        """The targets among values [..., C], one for each level, [..., O]."""
        return np.repeat(values[..., : self._targets], self._output.width // self._targets, axis=-1)


def _collected(
    network: Predictor, part: Part, origins: list[Origins]
) -> tuple[Tensor, list[Tensor]]:
    """All outputs [B, T, O], and of each series the states [m, S] behind its origins."""
    outputs, position = [], 0
    states: list[list[Tensor]] = [[] for _ in origins]
    for output, chunk in walk(network, part.inputs):
        outputs.append(output)
        for index, one in enumerate(origins):
            at = one - part.first[index] - position
            at = at[(at >= 0) & (at < chunk.shape[1])]
            states[index].append(chunk[index, torch.from_numpy(at)])
        position += output.shape[1]
    return torch.cat(outputs, dim=1), [torch.cat(one) for one in states]


def _mean(errors: Array) -> float:
    return float(np.nanmean(errors))


def _score(metric: str, unit: str, figures: dict[str, float], *, headline: bool) -> Score:
    rest = {name: value for name, value in figures.items() if name != "model"}
    return Score(
        metric=metric, unit=unit, model=figures["model"], baselines=rest, headline=headline
    )
