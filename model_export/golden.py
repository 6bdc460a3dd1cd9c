"""Golden vectors: real inputs, and what the written-out graphs make of them in float64."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.float64.graph import Float64Graph
from model_export.rewrite.graphs import Graphs
from service.bundle.manifest import constant_input

_NOT_SHOWN = ("output", "next_state")

Arrays = dict[str, NDArray[Any]]


def golden_vectors(graphs: Graphs, rows: NDArray[Any], state: NDArray[np.float64]) -> Arrays:
    """As `Bundle.golden` has them, for rows [B, T, F] or [B, T] from the state [B, S] on."""
    if graphs.step is None:
        assert graphs.sequence is not None
        return {
            "input": rows,
            "output": Float64Graph(graphs.sequence).run({"input": rows})["output"],
        }
    graph = Float64Graph(graphs.step)
    history: dict[str, list[NDArray[Any]]] = {name: [] for name in graph.names}
    before = state
    for t in range(rows.shape[1]):
        found = graph.run({"input": rows[:, t], "state": before})
        before = found["next_state"]
        for name, values in found.items():
            history[name].append(values)
    stacked = {name: np.stack(values, axis=1) for name, values in history.items()}
    return {
        "input": rows,
        "state": state,
        "output": stacked["output"],
        "states": stacked["next_state"],
        **{name: stacked[name] for name in stacked if name not in _NOT_SHOWN},
    }


def initial_states(graphs: Graphs, batch: int, constants: Arrays) -> NDArray[np.float64]:
    """The state [B, S] of sessions that have seen nothing, in float64."""
    if graphs.initial is not None:
        feed = {constant_input(name): one for name, one in constants.items()}
        return np.asarray(Float64Graph(graphs.initial).run(feed)["state"], np.float64)
    pieces = [
        np.zeros(piece.size) if piece.initial is None else piece.initial
        for piece in graphs.segments
    ]
    row = np.concatenate([np.zeros(0), *(np.asarray(piece, np.float64) for piece in pieces)])
    return np.tile(row, (batch, 1))
