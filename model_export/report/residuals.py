"""How far forecasts were off, step after step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from operator import itemgetter
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from model_export.report.figures import INK, TRAINING, VALIDATION, as_data_address, plain
from model_export.report.section import Section
from service.bundle.signatures.signature import with_units
from service.engine.engine import Engine

_MOST = 12
"""Pictures that are drawn."""


@dataclass(frozen=True, slots=True)
class Residuals:
    """Of one target, ready for the page."""

    title: str
    picture: str
    mean: str
    deviation: str
    correlation: str | None


def residual_sections(engine: Engine, samples: Mapping[str, NDArray[Any]]) -> Sequence[Section]:
    """For samples [T, F], by the names of their series, of a model that forecasts some of its
    inputs; none for any other."""
    manifest = engine.manifest
    names = [name for name, _ in manifest.input.columns]
    fed = [one for one in manifest.output.fed_columns if one.unit is not None and one.name in names]
    long_enough = {name: rows for name, rows in samples.items() if len(rows) > 2}
    if not fed or not long_enough:
        return ()
    drawn = list(product(long_enough, fed))[:_MOST]
    found = []
    for series, columns in groupby(drawn, key=itemgetter(0)):
        rows = samples[series]
        outputs, _ = engine.sequence(rows[np.newaxis], engine.initial_states(1))
        for _, one in columns:
            title = f"{series}: {one.name}" if series else one.name
            truth, forecast = rows[1:, names.index(one.name)], outputs[0, :-1, one.column]
            found.append(_residuals(with_units([title], [one.unit or ""]), truth, forecast))
    content = {
        "residuals": found,
        "steps": max(map(len, long_enough.values())),
        "left_out": len(samples) * len(fed) - len(drawn),
    }
    return (Section("residuals.html", content),)


def _residuals(title: str, truth: NDArray[np.float32], forecast: NDArray[np.float32]) -> Residuals:
    off = (truth - forecast).astype(np.float64)
    seen = off[~np.isnan(off)]
    pairs = np.stack([off[:-1], off[1:]])
    pairs = pairs[:, ~np.isnan(pairs).any(axis=0)]
    varies = pairs.shape[1] > 2 and min(pairs.std(axis=1)) > 0
    return Residuals(
        title=title,
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
