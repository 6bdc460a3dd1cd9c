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
from model_export.tasks.task import score_of
from service.bundle.manifest import Score
from service.bundle.signatures import Quantiles, Values

Array = NDArray[np.float64]
Span = tuple[int, int]

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
    """Of one series: outputs [n, O] for some `rows`, and what follows from some `origins` [m]:
    `ahead` [m, h, O]."""

    rows: slice
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
    def _validation(self) -> list[Span]:
        return [(one.split.train, one.split.validation) for one in self._data.series]

    @property
    def _test(self) -> list[Span]:
        return [(one.split.validation, one.split.total) for one in self._data.series]

    @property
    def baselines(self) -> tuple[str, ...]:
        return tuple(one.description for one in self._simple)

    def validation_errors(self, network: Predictor) -> tuple[Tensor, Tensor]:
        """Forecast − truth: one step ahead [n, O], and of some origins up to the horizon
        [m, h, O], without any for a horizon of 1. NaN where the truth is missing."""
        horizon, width = self._data.horizon, self._output.width
        errors, ahead = [], [np.zeros((0, horizon, width))]
        for index, run in self._runs(network, self._validation, _BEFORE, _VALIDATION_ORIGINS):
            values = self._data.series[index].values
            errors.append(run.outputs - self._repeated(values[run.rows]))
            if horizon > 1:
                ahead.append(run.ahead - self._repeated(future(values, run.origins, horizon)))
        return torch.from_numpy(np.concatenate(errors)), torch.from_numpy(np.concatenate(ahead))

    def of(self, network: Predictor) -> tuple[Score, ...]:
        """Beside persistence, seasonal naive and ridge regression, at the same origins."""
        truths: list[Array] = []
        found: dict[str, list[Array]] = {}
        for index, run in self._runs(network, self._test, None, _TEST_ORIGINS):
            truths.append(self._truth(index, run.origins))
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
            yield score_of(metric + steps, unit, figures)

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
            yield score_of(metric + of + at, unit, figures, headline=headline)

    def _pinball(self, truth: Array, model: Array, off: Mapping[str, Array]) -> Score:
        """Twice the pinball loss over all levels, in standard deviations: at the median alone it is
        the absolute error. A baseline's quantiles are its value plus those of its own errors on
        the validation part."""
        assert isinstance(self._output, Quantiles)
        levels = np.array(self._output.levels)
        figures = {"model": self._pinball_of(truth, model.reshape(*truth.shape, -1), levels)}
        for one in self._simple:
            around = np.moveaxis(np.nanquantile(self._residuals(one), levels, axis=0), 0, -1)
            forecast = (off[one.name] + truth)[..., None] + around
            figures[one.name] = self._pinball_of(truth, forecast, levels)
        return score_of("pinball loss", "standard deviations", figures)

    def _residuals(self, simple: Baseline[Forecast]) -> Array:
        """Truth − forecast of a simple model from the validation part's origins, [m, h, K]."""
        horizon, parts = self._data.horizon, []
        for index, (start, end) in enumerate(self._validation):
            origins = origins_of(start, end, horizon)
            if len(origins):
                parts.append(self._truth(index, origins) - simple.predict(index, origins))
        return np.concatenate(parts)

    def _truth(self, index: int, origins: Origins) -> Array:
        """The targets [m, h, K] behind some origins of a series."""
        values = self._data.series[index].values
        return future(values, origins, self._data.horizon)[..., : self._targets]

    def _pinball_of(self, truth: Array, forecast: Array, levels: Array) -> float:
        """For truth [n, h, K] and forecasts [n, h, K, Q]."""
        off = (truth[..., None] - forecast) / self._scale[:, None]
        return 2 * _mean(np.maximum(levels * off, (levels - 1) * off))

    def _runs(
        self,
        network: Predictor,
        spans: list[Span],
        before: int | None,
        most: int,
    ) -> Iterator[tuple[int, _Run]]:
        """Outputs for the rows [start, end) of each series that has some, and forecasts from at
        most so many origins of all series together."""
        # What is expected at a row comes with the row before it, so that nobody expects the first.
        rows = {index: slice(max(start, 1), end) for index, (start, end) in enumerate(spans)}
        rows = {index: one for index, one in rows.items() if one.start < one.stop}
        values = [self._data.series[index].values for index in rows]
        asked = [(one.start - 1, one.stop - 1) for one in rows.values()]
        part = Part.of(values, asked, max(end for _, end in spans) if before is None else before)
        origins = [origins_of(one.start, one.stop, self._data.horizon) for one in rows.values()]
        apart = max(1, -(-sum(map(len, origins)) // most)) if self._data.horizon > 1 else 1
        origins = [one[::apart] for one in origins]
        outputs, states = _collected(network, part, origins)
        for at, (index, one) in enumerate(rows.items()):
            begun = part.first[at]
            shown = outputs[at, one.start - 1 - begun : one.stop - 1 - begun]
            first = outputs[at, torch.from_numpy(origins[at] - begun)]
            ahead = self._rolled(network, index, origins[at], first, states[at])
            yield index, _Run(one, shown.double().numpy(), origins[at], ahead)

    def _rolled(
        self,
        network: Predictor,
        index: int,
        origins: Origins,
        first: Tensor,
        states: Tensor,
    ) -> Array:
        """Outputs [m, h, O] of a series, of which `first` [m, O] are those at the origins."""
        values, horizon = self._data.series[index].values, self._data.horizon
        if horizon == 1 or not len(origins):
            return first.unsqueeze(1).expand(-1, horizon, -1).double().numpy()
        known = future(values, origins, horizon)[:, :-1, self._targets :]
        device = network.initial_state(1).device
        given = (first, states, torch.from_numpy(known.astype(np.float32)))
        pieces = (torch.split(one.to(device), _AT_ONCE) for one in given)
        with evaluating(network):
            made = [
                roll(network, self._feedback, *piece).cpu() for piece in zip(*pieces, strict=True)
            ]
        return torch.cat(made).double().numpy()

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
