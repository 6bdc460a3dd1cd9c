"""Pictures of the report, as PNG in `data:` addresses.

Figures are made without pyplot, which would keep them in a global list, and on a transparent
ground, so that one picture suits a light page and a dark one.
"""

import base64
import io
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from model_export.trained import Curve

INK = "#7c8798"
TRAINING, VALIDATION = "#4c8fd6", "#e0843f"
_DPI = 120


def as_data_address(figure: Figure) -> str:
    """The figure as the `src` of an image."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, transparent=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def plain(axes: Axes) -> None:
    """One quiet colour for everything that is not data."""
    axes.tick_params(colors=INK, labelsize=8)
    for side, spine in axes.spines.items():
        spine.set_color(INK)
        spine.set_visible(side in ("left", "bottom"))
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(INK)
        label.set_parse_math(False)


def learning_curve(curve: Curve) -> Figure:
    """Loss by epoch on the training and the validation part, the best epoch marked."""
    figure = Figure(figsize=(8, 3.2))
    axes = figure.add_axes((0.09, 0.16, 0.89, 0.8))
    _line(axes, curve.training, "training", TRAINING)
    _line(axes, curve.validation, "validation", VALIDATION)
    if curve.validation:
        best = curve.best_epoch
        axes.axvline(best, color=INK, linewidth=0.8, linestyle=":")
        axes.plot([best], [curve.validation[best - 1]], "o", color=VALIDATION, label="best")
    axes.set_xlabel("epoch", fontsize=8)
    axes.set_ylabel(curve.loss_name, fontsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color=INK, alpha=0.25, linewidth=0.6)
    plain(axes)
    axes.legend(labelcolor=INK, frameon=False, fontsize=8)
    return figure


def _line(axes: Axes, losses: tuple[float, ...], label: str, colour: str) -> None:
    style: dict[str, Any] = {"marker": "."} if len(losses) <= 40 else {}
    axes.plot(range(1, len(losses) + 1), losses, label=label, color=colour, linewidth=1.5, **style)
