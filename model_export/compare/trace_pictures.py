"""What the gates of a trained GRU do, as pictures."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model_export.compare.pictures import COLOURS
from model_export.compare.traces import AddingTrace, Array, ResetTrace
from model_export.report.figures import INK, TRAINING, VALIDATION, plain

_SHOWN_WEEKS = 208


def adding_trace_picture(trace: AddingTrace) -> Figure:
    """One test sequence: numbers and markers, the sum and who follows it, gates."""
    figure, (inputs, hidden, gates, every) = _stack(4)
    steps = np.arange(len(trace.inputs))
    marked = np.flatnonzero(trace.inputs[:, 1])
    inputs.bar(steps, trace.inputs[:, 0], color=INK, alpha=0.4, width=0.8)
    inputs.bar(marked, trace.inputs[marked, 0], color=VALIDATION, width=0.8)
    _entitled(inputs, "numbers; the marked ones in colour")
    following, opening = trace.following_unit, trace.opening_unit
    hidden.plot(trace.running_sum, color=VALIDATION, linestyle="--", label="running sum")
    hidden.plot(trace.decoded, color=TRAINING, label="linear reading of all units")
    hidden.plot(trace.gates.hidden[:, 0, following], color=INK, label=f"unit {following}")
    _entitled(hidden, f"the sum so far, and unit {following}, which follows it best")
    gates.plot(trace.gates.update[:, 0, opening], color=TRAINING, label="update")
    gates.plot(trace.gates.reset[:, 0, opening], color=VALIDATION, label="reset", linewidth=1)
    gates.set_ylim(-0.05, 1.05)
    _entitled(gates, f"gates of unit {opening}: update near 1 writes, near 0 keeps")
    _map(every, trace.gates.update[:, 0])
    _entitled(every, "update gate of every unit (dark 0, bright 1)")
    every.set_xlabel("time step")
    return _finished(figure)


def reset_trace_picture(trace: ResetTrace) -> Figure:
    """The first four years of the test part: changes, and both units' reset gates."""
    figure, (changes, season, big) = _stack(3)
    weeks = np.arange(min(_SHOWN_WEEKS, len(trace.changes)))
    changes.bar(weeks, trace.changes[weeks], color=INK, width=0.9)
    _entitled(changes, "weekly change of CO₂, ppm")
    for axes, unit, best in (
        (season, trace.season_unit, "season"),
        (big, trace.step_unit, "size of changes"),
    ):
        axes.plot(weeks, trace.gates.reset[weeks, 0, unit], color=COLOURS["gru_before"])
        _entitled(axes, f"reset gate of unit {unit}, which follows the {best} best")
    big.set_xlabel("week of the test part")
    return _finished(figure)


def _stack(rows: int) -> tuple[Figure, list[Axes]]:
    """Axes under one another, with fixed margins."""
    height = 0.8 + 1.5 * rows
    figure = Figure(figsize=(9, height))
    margins = {"left": 0.07, "right": 0.98, "top": 1 - 0.3 / height, "bottom": 0.5 / height}
    panels = figure.subplots(rows, 1, sharex=True, gridspec_kw={**margins, "hspace": 0.35})
    return figure, list(panels)


def _map(axes: Axes, gate: Array) -> None:
    """[T, U] with units downwards and time steps to the right."""
    axes.imshow(gate.T, cmap="cividis", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    axes.set_ylabel("unit", fontsize=8)


def _entitled(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=9, loc="left", color=INK)


def _finished(figure: Figure) -> Figure:
    for axes in figure.axes:
        plain(axes)
        if axes.get_legend_handles_labels()[1]:
            legend = axes.legend(
                frameon=False, fontsize=8, labelcolor=INK, ncols=3, loc="lower right"
            )
            legend.set_bbox_to_anchor((0, 1, 1, 0), axes.transAxes)
    return figure
