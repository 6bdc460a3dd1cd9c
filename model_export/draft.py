"""What everything that makes a model hands to `publish`, and the only thing that it takes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.report.section import Section
from model_export.rewrite.facts import Source
from model_export.rewrite.graphs import Graphs
from model_export.rewrite.rules.rule import GruLayer
from model_export.rewrite.state import Segment as Piece
from model_export.verify.check import Check
from service.bundle.manifest import (
    INITIAL_FILE,
    INSPECT_FILE,
    SEQUENCE_FILE,
    STEP_FILE,
    Constant,
    Layer,
    Manifest,
    Segment,
    Tolerance,
)
from service.engine.engine import Engine

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Draft:
    """A version of a model that is not published yet.

    The `manifest` has the name; version, tolerance and files are filled in when it is published.
    `graphs` are serialised ONNX files by name, `golden` and `cells` the arrays of `golden.npz` and
    `cells.npz`. `compare` holds the engine that will serve against the original; `sections` are
    what the report says besides the model and its checks. Without a `tolerance` it is measured.
    `weights` are what training can go on from, `sample` real held-out inputs, [T, F] or [T].
    """

    manifest: Manifest
    graphs: Mapping[str, bytes]
    golden: Arrays
    cells: Arrays
    compare: Callable[[Engine], Iterable[Check]]
    sections: Callable[[Engine], Sequence[Section]]
    tolerance: Tolerance | None = None
    weights: bytes | None = None
    sample: NDArray[Any] | None = None


def graph_files(graphs: Graphs) -> dict[str, bytes]:
    """The files of all graphs that there are."""
    files = {
        STEP_FILE: graphs.step,
        SEQUENCE_FILE: graphs.sequence,
        INITIAL_FILE: graphs.initial,
        INSPECT_FILE: graphs.inspect,
    }
    return {name: content for name, content in files.items() if content is not None}


def described(graphs: Graphs) -> dict[str, Any]:
    """The fields of a manifest that follow from the graphs."""
    if graphs.step is None:
        is_last = len(graphs.output.axes) < 3
        return {
            "opset": graphs.opset,
            "sessions": False,
            "reason": graphs.why_whole,
            "answers": "last step" if is_last else "each step",
            "steps": graphs.roles.fixed.time,
            "sequence": "outputs",
        }
    return {
        "opset": graphs.opset,
        "answers": "last step" if graphs.output.source is Source.LAST else "each step",
        "ready_at": graphs.ready_at,
        "delay": graphs.looks_ahead,
        "window": graphs.window,
        "steps": graphs.window and graphs.roles.fixed.time,
        "sequence": graphs.sequence_gives,
        "constants": [_constant(graphs, name) for name in graphs.roles.constants],
        "state": [_segment(piece) for piece in graphs.segments],
        "layers": layers_of(graphs),
    }


def cells_of(graphs: Graphs) -> Arrays:
    """The weights of every layer that a session has: `N/W` [3, H, I], `N/U` [3, H, H], `N/b` [3, H]
    for reset, update, candidate, and `N/c` [H]; `N/keeps` is 1 where the rows of update are those
    of keep. What is applied to them is in `activations_of`."""
    cells: dict[str, NDArray[Any]] = {}
    if graphs.step is None:
        return cells
    layers = zip(graphs.roles.analysis.layers, layers_of(graphs), strict=True)
    for index, (source, layer) in enumerate(layers):
        weights = source.gru.weights
        cells[f"{index}/W"] = weights.input_weights
        cells[f"{index}/U"] = weights.hidden_weights
        cells[f"{index}/b"] = weights.biases
        cells[f"{index}/c"] = weights.candidate_bias
        cells[f"{index}/keeps"] = np.array(weights.keeps, np.int64)
        cells |= {f"{index}/{name}": array for name, array in activations_of(layer).items()}
    return cells


def activations_of(layer: Layer) -> Arrays:
    """As `cells.npz` has them: `activations` [2] by name, of the gates and of the candidate, with
    their `parameters` alpha and beta [2, 2], NaN where there is none; `clip`, infinite without one;
    `reset`, before or after."""
    both = (layer.gate_activation, layer.candidate_activation)
    numbers = [(one.alpha, one.beta) for one in both]
    return {
        "activations": np.array([one.name for one in both]),
        "parameters": np.array(numbers, np.float64),
        "clip": np.array(np.inf if layer.clip is None else layer.clip),
        "reset": np.array(layer.reset),
    }


def _constant(graphs: Graphs, name: str) -> Constant:
    piece = next(one for one in graphs.segments if one.name == name)
    if piece.integers is None:
        return Constant(name=name, shape=piece.shape)
    least, largest = piece.integers
    return Constant(name=name, shape=piece.shape, integers=True, least=least, largest=largest)


def _segment(piece: Piece) -> Segment:
    if piece.initial is None:
        initial: Any = "constants"
    elif not piece.initial.any():
        initial = "zeros"
    else:
        initial = tuple(map(float, piece.initial))
    return Segment(name=piece.name, kind=piece.kind, shape=piece.shape, initial=initial)


def layers_of(graphs: Graphs) -> list[Layer]:
    """As a manifest has them."""
    layers, offset = [], 0
    for layer in graphs.roles.analysis.layers:
        is_kept = any(piece.source is layer for piece in graphs.segments)
        layers.append(_layer(layer, offset, is_kept=is_kept))
        offset += layer.width
    return layers


def _layer(layer: GruLayer, offset: int, *, is_kept: bool) -> Layer:
    return Layer(
        name=layer.name,
        segment=layer.name if is_kept else None,
        offset=offset,
        hidden_size=layer.hidden_size,
        lanes=layer.lanes,
        reset=layer.gru.reset,
        gate_activation=layer.gru.gate_activation,
        candidate_activation=layer.gru.candidate_activation,
        clip=layer.gru.clip,
    )
