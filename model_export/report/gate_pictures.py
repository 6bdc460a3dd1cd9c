"""What every gate did on a real held-out sequence, one picture a layer.

Texts of the data, which may be in any script, are left to the browser: matplotlib has the signs of
one font, and what that lacks it draws as empty boxes.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from model_export.report.figures import INK, TRAINING, VALIDATION, as_data_address, plain
from model_export.report.section import Section
from service.bundle.manifest import Manifest
from service.bundle.signatures import InputSignature, Tokens, Values
from service.bundle.signatures.signature import with_units
from service.engine.engine import Engine, Gates

STEPS = 120
_MAPS = (
    ("reset", "cividis", 0.0, "near 0 the history is dropped when the candidate is formed"),
    ("update", "cividis", 0.0, "near 1 the candidate is written, near 0 the past is kept"),
    ("candidate", "RdBu_r", -1.0, "what would be written"),
    ("hidden", "RdBu_r", -1.0, "the state that came out"),
)
_MOST_SERIES = 12
_SERIES_HEIGHT, _TEXT_HEIGHT = 0.9, 0.25
"""Inches."""
_SPACES = {" ": "␣", "\n": "↵", "\t": "⇥"}
_CONTROL_PICTURES = 0x2400
_POINTS = 72
"""Of an inch: the unit of pictures, and of sizes of type."""


@dataclass(frozen=True, slots=True)
class Label:
    """A text on a picture; x is its left end or its middle, y its base line, from the top left."""

    text: str
    x: float
    y: float
    size: float
    anchor: Literal["start", "middle"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A layer's maps as the address of an image, the labels on it, and its size in points."""

    address: str
    width: float
    height: float
    labels: list[Label]
    units: int


def gates_section(engine: Engine, sample: NDArray[Any], data: str) -> Section:
    """Pictures of all layers on a sample, [T, F] or [T]."""
    pictures = list(gate_pictures(engine, sample))
    drawn = _drawn_columns(engine.manifest.input, sample[:STEPS])
    shown = {
        "gate_pictures": pictures,
        "ink": INK,
        "steps": min(STEPS, len(sample)),
        "data": data,
        "items": _items(engine.manifest.input, sample[:STEPS]),
        "drawn": len(drawn),
        "columns": engine.manifest.input.width,
    }
    return Section("gates.html", shown)


def gate_pictures(
    engine: Engine, sample: NDArray[Any], state: NDArray[np.float32] | None = None
) -> Iterator[Picture]:
    """Pictures of the first `STEPS` of a sample, from a session's beginning or a state [1, S]."""
    inputs = sample[:STEPS]
    state = engine.initial_states(1) if state is None else state
    outputs, states = engine.sequence(inputs[np.newaxis], state)
    gates = engine.gates_of(inputs, state[0], states[0])
    for index in range(len(engine.manifest.layers)):
        yield _picture(engine.manifest, index, inputs, outputs[0], gates)


def _picture(
    manifest: Manifest, index: int, inputs: NDArray[Any], outputs: NDArray[np.float32], gates: Gates
) -> Picture:
    layer = manifest.layers[index]
    map_height = min(2.6, max(1.3, layer.width / 50))
    drawn = _drawn_columns(manifest.input, inputs)
    above = [_SERIES_HEIGHT] * len(drawn) or [_TEXT_HEIGHT]
    heights = [*above, *[map_height] * len(_MAPS)]
    figure, rows = _stack(heights)
    strips, maps = rows[: -len(_MAPS)], rows[-len(_MAPS) :]
    if isinstance(manifest.input, Tokens):
        labels = _spelt(strips[0], manifest.input, inputs)
    else:
        labels = [
            _draw_series(axes, manifest, column, inputs, outputs)
            for column, axes in zip(drawn, strips, strict=True)
        ]
        legend = strips[0].legend(
            labelcolor=INK, frameon=False, fontsize=8, ncols=2, loc="lower right"
        )
        legend.set_bbox_to_anchor((0, 1, 1, 0), strips[0].transAxes)
    for axes, (name, colours, low, meaning) in zip(maps, _MAPS, strict=True):
        _draw_map(axes, gates[name][:, layer.span], colours, low)
        axes.set_title(f"{name}: {meaning}", fontsize=9, loc="left", color=INK)
    maps[-1].set_xlabel("time step", color=INK)
    width, height = figure.get_size_inches() * _POINTS
    return Picture(as_data_address(figure), float(width), float(height), labels, layer.width)


def _stack(heights: list[float]) -> tuple[Figure, list[Axes]]:
    """Axes of the given heights, in inches, one under the other.

    The margins are fixed: matplotlib's own layout engines draw everything several times.
    """
    width, left, right, top, bottom, gap = 12.0, 0.65, 0.5, 0.35, 0.5, 0.32
    height = sum(heights) + gap * (len(heights) - 1) + top + bottom
    figure = Figure(figsize=(width, height))
    rows = figure.subplots(
        len(heights),
        sharex=True,
        gridspec_kw={
            "height_ratios": heights,
            "hspace": gap / float(np.mean(heights)),
            "left": left / width,
            "right": 1 - right / width,
            "top": 1 - top / height,
            "bottom": bottom / height,
        },
    )
    return figure, list(rows)


def _drawn_columns(signature: InputSignature, inputs: NDArray[Any]) -> list[int]:
    """What stands above the maps: of many columns, the first that move. None for tokens."""
    if isinstance(signature, Tokens):
        return []
    columns = list(range(signature.width))
    if len(columns) > _MOST_SERIES:
        moving = (inputs[1:] != inputs[:-1]).any(axis=0)
        columns = [column for column in columns if moving[column]] or columns
    return columns[:_MOST_SERIES]


def _draw_map(axes: Axes, gate: NDArray[np.float32], colours: str, low: float) -> None:
    """[T, U] with units downwards and time steps to the right."""
    picture = axes.imshow(
        gate.T, cmap=colours, vmin=low, vmax=1.0, aspect="auto", interpolation="nearest"
    )
    axes.set_ylabel("unit", fontsize=8)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    figure = axes.get_figure()
    assert figure is not None
    beside = axes.inset_axes((1.008, 0, 0.009, 1))
    bar = figure.colorbar(picture, cax=beside, ticks=sorted({low, 0.0, 1.0}))
    bar.ax.tick_params(colors=INK, labelsize=7)
    plain(axes)


def _draw_series(
    axes: Axes,
    manifest: Manifest,
    column: int,
    inputs: NDArray[Any],
    outputs: NDArray[np.float32],
) -> Label:
    """One input feature; beside it what was predicted for each step by the step before.

    Returns its title.
    """
    assert isinstance(manifest.input, Values)
    steps = np.arange(len(inputs))
    axes.plot(steps, inputs[:, column], color=TRAINING, linewidth=1.3, label="input")
    fed = {one.name: one.column for one in manifest.output.fed_columns if one.unit is not None}
    if manifest.input.names[column] in fed:
        predicted = outputs[:-1, fed[manifest.input.names[column]]]
        label = "predicted one step before"
        axes.plot(steps[1:], predicted, color=VALIDATION, linewidth=1.0, label=label)
    plain(axes)
    name, unit = manifest.input.names[column], manifest.input.units[column]
    left, _, top, _ = _edges(axes)
    return Label(with_units([name], [unit]), left, top - 6, 9, "start")


def _items(signature: InputSignature, tokens: NDArray[Any]) -> list[str]:
    """Names of items, which are too long to stand above their columns."""
    if not isinstance(signature, Tokens) or signature.token != "item":
        return []
    words = signature.vocabulary or tuple(str(token) for token in range(signature.size))
    return [words[token] for token in tokens]


def _spelt(axes: Axes, signature: Tokens, tokens: NDArray[Any]) -> list[Label]:
    """The text above the first map, each character over its column."""
    axes.set_axis_off()
    if signature.token == "item":
        return []
    words = signature.vocabulary or tuple(str(token) for token in range(signature.size))
    texts = ["".join(map(_visible, words[token])) for token in tokens]
    left, right, _, bottom = _edges(axes)
    column = (right - left) / len(texts)
    size = min(11.0, column / (1.0 if any(map(_is_wide, "".join(texts))) else 0.8))
    return [
        Label(text, left + (step + 0.5) * column, bottom, size, "middle")
        for step, text in enumerate(texts)
    ]


def _visible(sign: str) -> str:
    if sign in _SPACES:
        return _SPACES[sign]
    return chr(_CONTROL_PICTURES + ord(sign)) if ord(sign) < 0x20 else sign


def _is_wide(sign: str) -> bool:
    """Whether a sign is as wide as it is high, as those of Chinese, Japanese and Korean are."""
    return unicodedata.east_asian_width(sign) in ("W", "F")


def _edges(axes: Axes) -> tuple[float, float, float, float]:
    """Left, right, top and bottom on the picture."""
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    width, height = figure.get_size_inches() * _POINTS
    box = axes.get_position()
    edges = (box.x0 * width, box.x1 * width, (1 - box.y1) * height, (1 - box.y0) * height)
    left, right, top, bottom = map(float, edges)
    return left, right, top, bottom
