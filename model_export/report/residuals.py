"""How far forecasts were off, step after step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from model_export.report.figures import INK, TRAINING, VALIDATION, as_data_address, plain
from model_export.report.section import Section
from service.engine.engine import Engine

_MOST = 12
"""Targets that are drawn."""


@dataclass(frozen=True, slots=True)
class Residuals:
    """Of one target, ready for the page."""

    title: str
    picture: str
    mean: str
    deviation: str
    correlation: str | None


def residual_sections(engine: Engine, sample: NDArray[Any]) -> Sequence[Section]:
    """For a sample [T, F] of a model that forecasts some of its inputs; none for any other."""
    manifest = engine.manifest
    names = [name for name, _ in manifest.input.columns]
    fed = [one for one in manifest.output.fed_columns if one.unit is not None and one.name in names]
    if not fed or sample.ndim != 2 or len(sample) < 3:
        return ()
    outputs, _ = engine.sequence(sample[np.newaxis], engine.initial_states(1))
    found = [
        _residuals(
            one.name, one.unit or "", sample[1:, names.index(one.name)], outputs[0, :-1, one.column]
        )
        for one in fed[:_MOST]
    ]
    content = {"residuals": found, "steps": len(sample), "left_out": max(0, len(fed) - _MOST)}
    return (Section("residuals.html", content),)


def _residuals(
    name: str, unit: str, truth: NDArray[np.float32], forecast: NDArray[np.float32]
) -> Residuals:
    off = (truth - forecast).astype(np.float64)
    seen = off[~np.isnan(off)]
    pairs = np.stack([off[:-1], off[1:]])
    pairs = pairs[:, ~np.isnan(pairs).any(axis=0)]
    varies = pairs.shape[1] > 2 and min(pairs.std(axis=1)) > 0
    return Residuals(
        title=f"{name} [{unit}]" if unit else name,
        picture=as_data_address(_picture(truth, forecast, off)),
        mean=f"{seen.mean():.3g}" if len(seen) else "unknown",
        deviation=f"{seen.std():.3g}" if len(seen) else "unknown",
        correlation=f"{_correlation(pairs):.2f}" if varies else None,
    )


def _correlation(pairs: NDArray[np.float64]) -> float:
    """Of two rows."""
    first, second = pairs - pairs.mean(axis=1, keepdims=True)
    return float(first @ second / np.sqrt((first @ first) * (second @ second)))


def _picture(
    truth: NDArray[np.float32], forecast: NDArray[np.float32], off: NDArray[np.float64]
) -> Figure:
    figure = Figure(figsize=(9, 3.4))
    above, below = figure.subplots(2, sharex=True, gridspec_kw={"height_ratios": (2, 1)})
    figure.subplots_adjust(left=0.08, right=0.99, top=0.97, bottom=0.13, hspace=0.12)
    steps = np.arange(1, len(truth) + 1)
    above.plot(steps, truth, color=TRAINING, linewidth=1.1, label="measured")
    above.plot(steps, forecast, color=VALIDATION, linewidth=0.8, label="expected")
    below.plot(steps, off, color=INK, linewidth=0.7)
    below.axhline(0, color=INK, linewidth=0.6)
    below.set_xlabel("time step", fontsize=8)
    above.legend(labelcolor=INK, frameon=False, fontsize=8, ncols=2, loc="upper right")
    for axes in (above, below):
        plain(axes)
    return figure
