"""The table as a picture: how far each figure is beyond its target, or short of it."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

from benchmarks.tools.row import Row
from benchmarks.tools.table import with_unit

_LONGEST = 100.0
"""Where bars end: nothing at all of what should be little is infinitely good."""

_MET, _MISSED = "#2a7f62", "#b3412e"


def draw(rows: Sequence[Row], file: Path) -> None:
    """An SVG with a bar for each measured row on a logarithmic scale; 1 is the target."""
    measured = [row for row in reversed(rows) if row.value is not None]
    # The same rows give the same file, whenever it is drawn.
    mpl.rcParams["svg.hashsalt"] = "gatewise"
    mpl.rcParams["svg.fonttype"] = "none"
    figure, axes = plt.subplots(figsize=(11, 0.7 + 0.3 * len(measured)), layout="constrained")
    reached = [min(row.reached or 0.0, _LONGEST) for row in measured]
    axes.barh(
        [row.what for row in measured],
        [share - 1 for share in reached],
        left=1,
        color=[_MET if row.met else _MISSED for row in measured],
    )
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=1)
    for place, (row, share) in enumerate(zip(measured, reached, strict=True)):
        axes.annotate(
            with_unit(row.value or 0.0, row.unit),
            (share, place),
            xytext=(4 if share >= 1 else -4, 0),
            textcoords="offset points",
            horizontalalignment="left" if share >= 1 else "right",
            verticalalignment="center",
            fontsize=8,
        )
    axes.margins(x=0.15)
    axes.set_xlabel("times better than the target")
    axes.spines[["top", "right"]].set_visible(False)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
