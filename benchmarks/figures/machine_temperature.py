"""The alarms of a forecast model on NAB's machine temperature, beside those of persistence."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures.anomalies import (
    APART,
    Array,
    Detection,
    Window,
    all_flagged,
    anomaly_scores,
    detection,
)
from benchmarks.figures.figure import MACHINE_TEMPERATURE
from model_export.recipes.forecast import ForecastRecipe
from model_export.recipes.recipe import read_recipe_file
from model_export.tasks.forecast import read_table
from model_export.tasks.series_parts import divided
from service.bundle.folders import read_version
from service.engine.engine import Engine
from service.engine.provider import Provider

WINDOWS = "combined_windows.json"
_KEY = "realKnownCause/machine_temperature_system_failure.csv"
THRESHOLDS = (2.0, 3.0, 4.0, 6.0, 8.0)


@dataclass(frozen=True, slots=True)
class Alarms:
    """Scores [N] by detector, of a series [N] of which the first `trained` rows were learnt from.

    `windows` are those of the whole series.
    """

    times: NDArray[np.datetime64]
    values: Array
    trained: int
    windows: tuple[Window, ...]
    scores: dict[str, Array]

    def described(self) -> dict[str, Any]:
        """For each detector, on the rows that were not learnt from: what is flagged at some
        thresholds, and at the highest one that flags all windows there."""
        held_out = [one for one in self.windows if one[0] >= self.trained]
        weeks = float((self.times[-1] - self.times[self.trained]) / np.timedelta64(1, "W"))
        return {
            "held_out_from": str(self.times[self.trained]),
            "weeks": round(weeks, 2),
            "alarm_apart_steps": APART,
            "windows": [[str(self.times[step]) for step in one] for one in held_out],
            "detectors": {name: self._detections(one, held_out) for name, one in self._late()},
        }

    def _late(self) -> list[tuple[str, Array]]:
        """Scores without those of the rows that were learnt from."""
        late = np.arange(len(self.values)) >= self.trained
        return [(name, np.where(late, one, -np.inf)) for name, one in self.scores.items()]

    def _detections(self, scores: Array, windows: list[Window]) -> list[dict[str, Any]]:
        found = [detection(scores, windows, threshold) for threshold in THRESHOLDS]
        return [_plain(one) for one in (*found, all_flagged(scores, windows))]


def alarms_of(folder: Path, data: Path) -> Alarms:
    """Of the version in a folder, on the files in `data`."""
    file = str(data / MACHINE_TEMPERATURE.data)
    recipe = ForecastRecipe.of(read_recipe_file(MACHINE_TEMPERATURE.file) | {"data": file})
    table = read_table(recipe)
    (series,) = table.series
    (part,) = divided(table, recipe.split)
    assert series.times is not None
    measured = series.values[:, 0]
    return Alarms(
        times=series.times,
        values=measured,
        trained=part.split.validation,
        windows=_windows(series.times, data / WINDOWS),
        scores={
            "model": anomaly_scores(_errors(measured, _expected(folder, series.values))),
            "persistence": anomaly_scores(_errors(measured, measured[:-1])),
        },
    )


def _expected(folder: Path, rows: Array) -> Array:
    """What the model says before each row but the first, [N − 1], from all rows before it."""
    engine = Engine(read_version(folder), Provider())
    outputs, _ = engine.sequence(rows[None].astype(np.float32), engine.initial_states(1))
    expected: Array = outputs[0, :-1, 0].astype(np.float64)
    return expected


def _errors(measured: Array, expected: Array) -> Array:
    return np.concatenate([[0.0], np.abs(measured[1:] - expected)])


def _windows(times: NDArray[np.datetime64], file: Path) -> tuple[Window, ...]:
    found = []
    for first, last in json.loads(file.read_text("utf-8"))[_KEY]:
        steps = np.searchsorted(times, [np.datetime64(first), np.datetime64(last)])
        found.append((int(steps[0]), int(steps[1])))
    return tuple(found)


def _plain(one: Detection) -> dict[str, Any]:
    rounded = round(float(one.threshold), 3)
    return asdict(one) | {"threshold": rounded, "flagged_after": [*one.flagged_after]}
