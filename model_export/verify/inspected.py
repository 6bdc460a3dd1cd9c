"""Holding `inspect.onnx` and the gates against the equations."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.draft import activations_of
from model_export.errors import ModelRefused
from model_export.float64.graph import Float64Graph
from model_export.rewrite.inspected_cell import INTERFERENCE
from model_export.verify.check import Check
from model_export.verify.reference import Float64, one_step
from service.bundle.manifest import CELLS_FILE, HIDDEN, INSPECT_FILE, Layer
from service.engine.engine import Engine
from service.engine.golden import TOLERANCE, Scales, deviation
from service.engine.provider import Provider

Arrays = dict[str, NDArray[Any]]
Run = Callable[[Arrays], Arrays]
"""Every output of the graph to inspect by name, for all its inputs."""


class Inspected:
    """The step graph that shows more, and the weights that it was written from.

    Where weights have 8 bits, ONNX Runtime rounds what they are multiplied with too. The graph is
    then also run in float64 without that rounding, and has to meet the equations as closely as any.
    """

    def __init__(self, engine: Engine, provider: Provider) -> None:
        """Raises ModelRefused where weights and manifest do not fit together."""
        folder = engine.bundle.folder
        self._engine = engine
        self._layers = engine.manifest.layers
        graph = (folder / INSPECT_FILE).read_bytes()
        self._session = provider.open(graph)
        self._sizes = {one.name: one.shape[-1] for one in self._session.get_inputs()}
        is_rounded = engine.manifest.quantization is not None
        self._exact = Float64Graph(graph) if is_rounded else None
        with np.load(folder / CELLS_FILE) as arrays:
            self._cells: Arrays = dict(arrays)
        self._say_the_same()

    def checks(
        self, rows: NDArray[Any], states: NDArray[np.float32], scales: Scales
    ) -> Iterator[Check]:
        """For rows [B, F] or [B] and the states [B, S] before them."""
        allowed = self._engine.manifest.tolerance.step
        given = {"input": rows, "state": states}
        yield from self._like_the_step_graph(given, scales, allowed)
        yield from self._meets_the_equations(self._run, given, allowed)
        if self._exact is not None:
            for check in self._meets_the_equations(self._exact.run, given, TOLERANCE):
                yield Check(f"{check.name}, in float64", check.deviation, check.allowed)

    def _say_the_same(self) -> None:
        """The activations beside the weights are those of the manifest; they may be left out."""
        for index, layer in enumerate(self._layers):
            for name, said in activations_of(layer).items():
                found = self._cells.get(f"{index}/{name}", said)
                if not np.array_equal(found, said, equal_nan=said.dtype.kind == "f"):
                    raise ModelRefused(
                        f"{CELLS_FILE} has the {name} {found.tolist()} of layer {index}, the "
                        f"manifest {said.tolist()}"
                    )

    def _like_the_step_graph(
        self, given: Arrays, scales: Scales, allowed: float
    ) -> Iterator[Check]:
        """What the service answers, and shows."""
        found = self._run(self._fed(given))
        steps = self._engine.step(given["input"], given["state"], gates=True)
        assert steps.gates is not None
        same = {"output": (steps.output, scales.output), "next_state": (steps.state, scales.state)}
        for name in self._engine.manifest.shown_names:
            same[name] = steps.gates[name], scales.gate(steps.gates[name])
        found[HIDDEN] = self._hidden(found)
        for name, (value, scale) in same.items():
            what = f"{name} of the graph to inspect against the step graph"
            yield Check(what, deviation(found[name], value.astype(np.float64), scale), allowed)

    def _meets_the_equations(self, run: Run, given: Arrays, allowed: float) -> Iterator[Check]:
        """Every layer and everything that is shown of it, also where a gate is interfered with."""
        plain = run(self._fed(given))
        for index in range(len(self._layers)):
            for name, off in self._deviations(plain, given, index).items():
                yield Check(f"{name} of layer {index} against the equations", off, allowed)
        for gate in self._engine.manifest.gate_names:
            interfering = given | self._interference(gate, len(given["state"]))
            found = run(self._fed(interfering))
            for index in range(len(self._layers)):
                worst = max(self._deviations(found, interfering, index).values())
                what = f"layer {index} with {gate} set from outside against the equations"
                yield Check(what, worst, allowed)

    def _deviations(self, found: Arrays, given: Arrays, index: int) -> dict[str, float]:
        """Of one layer, by the name of what was shown."""
        layer = self._layers[index]

        def touch(gate: str, value: Float64) -> Float64:
            if f"{gate}_mask" not in given:
                return value
            mask, instead = (
                _lanes(given[f"{gate}_{what}"][:, layer.span], layer) for what in INTERFERENCE
            )
            return mask * instead + (1 - mask) * value

        x = _lanes(_shown(found, f"layer_input_{index}"), layer)
        h = _lanes(self._state_of(found, given, index), layer)
        expected = one_step(layer, self._cells, index, x, h, touch=touch)
        shown = found | {HIDDEN: self._hidden(found)}
        return {
            name: deviation(_lanes(shown[name][:, layer.span], layer), value, _scale(value))
            for name, value in expected.items()
        }

    def _state_of(self, found: Arrays, given: Arrays, index: int) -> NDArray[Any]:
        """The hidden state [B, lanes · H] that a layer begins with: that of the session, or a part
        of what the model itself passes on."""
        segment = self._layers[index].segment
        if segment is None:
            return _shown(found, f"layer_state_{index}")
        return given["state"][:, self._engine.manifest.spans[segment]]

    def _hidden(self, found: Arrays) -> NDArray[Any]:
        """[B, G] after the step."""
        if not self._engine.manifest.hidden_in_state:
            return _shown(found, HIDDEN)
        return found["next_state"][:, : self._engine.manifest.gate_size]

    def _interference(self, gate: str, batch: int) -> Arrays:
        """Something for every unit, which is to replace its gate more or less."""
        random = np.random.default_rng(0)
        shape = (batch, self._engine.manifest.gate_size)
        mask, value = random.uniform(0, 1, shape), random.uniform(-1, 1, shape)
        return {f"{gate}_mask": mask.astype(np.float32), f"{gate}_value": value.astype(np.float32)}

    def _fed(self, given: Arrays) -> Arrays:
        """With zeros for masks and values of gates that are left alone."""
        batch = len(given["state"])
        return {
            name: given[name] if name in given else np.zeros((batch, size), np.float32)
            for name, size in self._sizes.items()
        }

    def _run(self, feed: Arrays) -> Arrays:
        names = [output.name for output in self._session.get_outputs()]
        return dict(zip(names, self._session.run(names, feed), strict=True))


def _shown(found: Arrays, name: str) -> NDArray[Any]:
    if name not in found:
        raise ModelRefused(f"{INSPECT_FILE} lacks the output {name}; publish the version again")
    return found[name]


def _scale(value: Float64) -> Float64:
    """Of the units of a layer, as for golden vectors: a common one, of one at least."""
    return np.full(value.shape[-1], max(1.0, float(np.abs(value).max())))


def _lanes(values: NDArray[Any], layer: Layer) -> Float64:
    """[B, lanes · n] as [B · lanes, n]."""
    return values.astype(np.float64).reshape(len(values) * layer.lanes, -1)
