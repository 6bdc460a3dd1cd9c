"""The curves as one picture, a panel for each axis."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

from benchmarks.growth.curve import Curve


def draw(curves: Sequence[Curve], file: Path) -> None:
    """An SVG, all scales logarithmic."""
    mpl.rcParams["svg.hashsalt"] = "gatewise"
    mpl.rcParams["svg.fonttype"] = "none"
    axes_names = list(dict.fromkeys(curve.axis for curve in curves))
    figure, panels = plt.subplots(
        len(axes_names), figsize=(8, 4.2 * len(axes_names)), layout="constrained", squeeze=False
    )
    for panel, axis in zip(panels[:, 0], axes_names, strict=True):
        for curve in curves:
            if curve.axis == axis:
                along, figures = zip(*curve.points, strict=True)
                panel.plot(along, figures, marker="o", markersize=3, label=curve.figure)
        panel.set(xscale="log", yscale="log", xlabel=axis)
        panel.grid(visible=True, alpha=0.3)
        panel.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
