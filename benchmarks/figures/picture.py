"""The figures as pictures: learning curves, and the alarms of a series."""

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from benchmarks.figures.machine_temperature import Alarms

_COLUMNS = 2


def draw_curves(files: Sequence[Path], picture: Path) -> None:
    """A panel for each file of curves: training dashed, validation drawn through."""
    columns = min(len(files), _COLUMNS)
    rows = -(-len(files) // columns)
    figure, panels = plt.subplots(
        rows, columns, figsize=(5 * columns, 3 * rows), layout="constrained", squeeze=False
    )
    for panel, file in zip(panels.flat, files, strict=False):
        _curves(panel, file)
    for panel in panels.flat[len(files) :]:
        panel.set_axis_off()
    figure.savefig(picture, dpi=100, metadata={"Software": None})
    plt.close(figure)


def _curves(panel: Axes, file: Path) -> None:
    losses: dict[tuple[str, str], list[float]] = defaultdict(list)
    with file.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            for part in ("training", "validation"):
                losses[part, row["seed"]].append(float(row[part]))
    first = min(seed for _, seed in losses)
    for (part, seed), values in losses.items():
        style = {"training": ("--", "C0"), "validation": ("-", "C1")}[part]
        panel.plot(
            range(1, len(values) + 1),
            values,
            linestyle=style[0],
            color=style[1],
            label=part if seed == first else None,
        )
    panel.set(title=file.stem, xlabel="epoch", ylabel="loss")
    panel.grid(visible=True, alpha=0.3)
    panel.legend(frameon=False)


def draw_alarms(alarms: Alarms, picture: Path) -> None:
    """The series, then each detector's score, over the labelled windows."""
    figure, panels = plt.subplots(
        1 + len(alarms.scores), figsize=(10, 7), layout="constrained", sharex=True
    )
    panels[0].plot(alarms.times, alarms.values, linewidth=0.6, color="C0")
    panels[0].set_ylabel("temperature")
    for panel, (name, scores) in zip(panels[1:], alarms.scores.items(), strict=True):
        panel.plot(alarms.times, scores, linewidth=0.6, color="C1")
        panel.set_ylabel(f"score, {name}")
    for panel in panels:
        panel.grid(visible=True, alpha=0.3)
        panel.axvline(alarms.times[alarms.trained], color="black", linestyle=":")
        for first, last in alarms.windows:
            panel.axvspan(alarms.times[first], alarms.times[last], color="C3", alpha=0.2)
    figure.savefig(picture, dpi=100, metadata={"Software": None})
    plt.close(figure)
