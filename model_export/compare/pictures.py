"""The results as pictures."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from model_export.compare.cells import LABELS, CellName
from model_export.compare.outcomes import errors_by_step, outcome_of, relative_gradients
from model_export.compare.problem import ProblemName
from model_export.compare.problems import problem_of
from model_export.compare.study import SIZINGS, Contestant, Study
from model_export.compare.tables import SIZED, TITLES
from model_export.report.figures import INK, plain

COLOURS: dict[CellName, str] = {
    "rnn": "#d1495b",
    "lstm": "#e0a13f",
    "gru_before": "#2f7fd0",
    "gru_after": "#4bb1a0",
}


def save(figure: Figure, path: Path) -> None:
    """An SVG whose text stays text, the same bytes for the same figures."""
    with mpl.rc_context({"svg.hashsalt": "gatewise", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})


def gradient_picture(study: Study, name: ProblemName) -> Figure:
    """Gradient norm against lag, at the start and when trained, at the ends of the lengths."""
    lengths = sorted({min(study.plan.lengths[name]), max(study.plan.lengths[name])})
    figure, panels = _panels(len(lengths), 2)
    for row, length in zip(panels, lengths, strict=True):
        for axes, trained in zip(row, (False, True), strict=True):
            for contestant in study.contestants(name, length, "hidden"):
                if runs := study.finished(contestant):
                    relative = relative_gradients(runs, trained=trained)
                    lags = _shown_lags(relative.shape[1])
                    _band(axes, contestant.cell, lags, relative[:, lags])
            axes.set_yscale("log")
            axes.yaxis.set_minor_formatter(NullFormatter())
            axes.set_xlabel("lag: steps before the last one")
            axes.set_title(f"length {length}, {'trained' if trained else 'at start'}", fontsize=9)
        row[1].sharey(row[0])
        row[0].set_ylabel("gradient norm, relative to lag 0")
    return _finished(figure, panels, f"{TITLES[name]}: how far a gradient reaches")


def error_picture(study: Study, name: ProblemName) -> Figure:
    """Validation error against training step, a panel for each length."""
    lengths = study.plan.lengths[name]
    figure, panels = _panels(len(SIZINGS), len(lengths))
    for row, sizing in zip(panels, SIZINGS, strict=True):
        for axes, length in zip(row, lengths, strict=True):
            for contestant in study.contestants(name, length, sizing):
                if runs := study.finished(contestant):
                    _band(axes, contestant.cell, *errors_by_step(runs))
            _baselines(axes, name, length)
            axes.set_title(f"length {length}, {SIZED[sizing]}", fontsize=9)
            axes.set_xlabel("training step")
        row[0].set_ylabel(problem_of(name, lengths[0]).traits.error_name)
    return _finished(figure, panels, f"{TITLES[name]}: error on held-out sequences")


def solved_picture(study: Study, names: Sequence[ProblemName]) -> Figure:
    """The share of seeds that solved each problem, against length."""
    figure, panels = _panels(len(names), len(SIZINGS))
    for row, name in zip(panels, names, strict=True):
        for axes, sizing in zip(row, SIZINGS, strict=True):
            contestants = [
                contestant
                for length in study.plan.lengths[name]
                for contestant in study.contestants(name, length, sizing)
            ]
            for offset, cell in enumerate(COLOURS):
                same_cell = [each for each in contestants if each.cell == cell]
                _solved_line(axes, study, same_cell, offset)
            axes.set(ylim=(-0.05, 1.12), xlabel="length")
            axes.set_title(f"{TITLES[name]}, {SIZED[sizing]}", fontsize=9)
        row[0].set_ylabel("share of seeds that solved")
    return _finished(figure, panels, "")


def _shown_lags(steps: int) -> NDArray[np.int64]:
    """About a hundred, both ends among them: more only make a file bigger."""
    return np.unique(np.linspace(0, steps - 1, min(steps, 100)).astype(np.int64))


def _solved_line(axes: Axes, study: Study, contestants: Sequence[Contestant], offset: int) -> None:
    found = [outcome for each in contestants if (outcome := outcome_of(study, each))]
    lengths = [outcome.contestant.length for outcome in found]
    # A little above one another, so that equal shares do not hide one another.
    shares = [outcome.solved / outcome.seeds + 0.02 * offset for outcome in found]
    cell = contestants[0].cell
    axes.plot(lengths, shares, "o-", color=COLOURS[cell], markersize=4, label=LABELS[cell])


def _band(
    axes: Axes, cell: CellName, along: NDArray[np.int64], values: NDArray[np.float64]
) -> None:
    """The median of values [seeds, N], and from the lowest to the highest."""
    axes.fill_between(
        along, values.min(0), values.max(0), color=COLOURS[cell], alpha=0.2, linewidth=0
    )
    axes.plot(along, np.median(values, 0), color=COLOURS[cell], label=LABELS[cell], linewidth=1.4)


def _baselines(axes: Axes, name: ProblemName, length: int) -> None:
    for error in problem_of(name, length).traits.baselines.values():
        axes.axhline(error, color=INK, linewidth=0.8, linestyle=":")


def _panels(rows: int, columns: int) -> tuple[Figure, list[list[Axes]]]:
    """Panels of a fixed size: matplotlib's own layout engines draw everything several times."""
    wide, high, left, right, top, bottom, gap = 2.9, 2.0, 0.75, 0.15, 0.65, 0.85, 0.65
    width = left + columns * wide + (columns - 1) * gap + right
    height = top + rows * high + (rows - 1) * gap + bottom
    figure = Figure(figsize=(width, height))
    panels = figure.subplots(
        rows,
        columns,
        squeeze=False,
        gridspec_kw={
            "left": left / width,
            "right": 1 - right / width,
            "top": 1 - top / height,
            "bottom": bottom / height,
            "wspace": gap / wide,
            "hspace": gap / high,
        },
    )
    return figure, panels.tolist()


def _finished(figure: Figure, panels: Sequence[Sequence[Axes]], title: str) -> Figure:
    for axes in (axes for row in panels for axes in row):
        plain(axes)
        axes.grid(alpha=0.2)
        axes.title.set_color(INK)
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="lower center", ncols=4, frameon=False, fontsize=8, labelcolor=INK
    )
    if title:
        figure.suptitle(title, fontsize=10, color=INK)
    return figure
