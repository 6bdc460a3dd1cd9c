"""Holding `inspect.onnx` and the gates against the equations."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.verify.check import Check
from model_export.verify.reference import one_step
from service.bundle.manifest import CELLS_FILE, HIDDEN, INSPECT_FILE, Layer
from service.engine.engine import Engine
from service.engine.golden import Scales, deviation
from service.engine.provider import Provider

Arrays = dict[str, NDArray[Any]]


class Inspected:
    """The step graph that shows more, and the weights that it was written from."""

    def __init__(self, engine: Engine, provider: Provider) -> None:
        folder = engine.bundle.folder
        self._engine = engine
        self._layers = engine.manifest.layers
        self._session = provider.open((folder / INSPECT_FILE).read_bytes())
        with np.load(folder / CELLS_FILE) as arrays:
            self._cells: Arrays = dict(arrays)

    def checks(
        self, rows: NDArray[Any], states: NDArray[np.float32], scales: Scales
    ) -> Iterator[Check]:
        """For rows [B, F] or [B] and the states [B, S] before them."""
        allowed = self._engine.manifest.tolerance.step
        steps = self._engine.step(rows, states, gates=True)
        assert steps.gates is not None
        plain = self._run(rows, states, {})
        same = {"output": (steps.output, scales.output), "next_state": (steps.state, scales.state)}
        for name in self._engine.manifest.gate_names:
            same[name] = steps.gates[name], scales.gate(steps.gates[name])
        for name, (value, scale) in same.items():
            what = f"{name} of the graph to inspect against the step graph"
            yield Check(what, deviation(plain[name], value.astype(np.float64), scale), allowed)
        yield from self._against_equations(plain, states, steps.gates[HIDDEN], allowed)
        yield from self._interferes(rows, states, allowed)

    def _against_equations(
        self,
        found: Arrays,
        states: NDArray[np.float32],
        hidden: NDArray[np.float32],
        allowed: float,
    ) -> Iterator[Check]:
        for index, layer in enumerate(self._layers):
            if not self._engine.manifest.hidden_in_state:
                return
            x = _lanes(found[f"layer_input_{index}"], layer)
            h = _lanes(states[:, layer.span], layer)
            expected = one_step(layer, self._cells, index, x, h)
            for name, value in expected.items():
                have = _lanes((hidden if name == HIDDEN else found[name])[:, layer.span], layer)
                scale = np.full(layer.hidden_size, max(1.0, float(np.abs(value).max())))
                what = f"{name} of layer {index} against the equations"
                yield Check(what, deviation(have, value, scale), allowed)

    def _interferes(
        self, rows: NDArray[Any], states: NDArray[np.float32], allowed: float
    ) -> Iterator[Check]:
        """A gate that is set from outside is what it was set to."""
        for gate in self._engine.manifest.gate_names:
            shape = (len(rows), self._engine.manifest.gate_size)
            value = np.full(shape, 0.25, np.float32)
            given = {f"{gate}_mask": np.ones_like(value), f"{gate}_value": value}
            found = self._run(rows, states, given)[gate]
            yield Check(f"{gate} that is set from outside", deviation(found, value), allowed)

    def _run(self, rows: NDArray[Any], states: NDArray[np.float32], interference: Arrays) -> Arrays:
        nothing = np.zeros((len(rows), self._engine.manifest.gate_size), np.float32)
        feed: Arrays = {"input": rows, "state": states}
        for one in self._session.get_inputs():
            feed.setdefault(one.name, interference.get(one.name, nothing))
        names = [output.name for output in self._session.get_outputs()]
        return dict(zip(names, self._session.run(names, feed), strict=True))


def _lanes(values: NDArray[np.float32], layer: Layer) -> NDArray[np.float64]:
    """[B, lanes · n] as [B · lanes, n]."""
    return values.astype(np.float64).reshape(len(values) * layer.lanes, -1)
