"""A step graph that shows more than its gates, and lets them be set from outside.

`inspect.onnx`, as docs/architecture.md has it. Shapes: B rows, each one time step of one session, S
state, O outputs, G units of all layers, L the numbers that a layer is given.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from service.bundle.bundle import Bundle
from service.bundle.manifest import HIDDEN
from service.engine.provider import Provider
from service.records import record

TERMS = ("reset_pre", "update_pre", "candidate_pre", "candidate_input", "candidate_history")
"""What the activations are applied to, and the two terms of the candidate's."""


@record
class SetGate:
    """mask and value [B, G]: the gate becomes mask · value + (1 − mask) · gate."""

    mask: NDArray[np.float32]
    value: NDArray[np.float32]


@record
class Looked:
    """What one time step of each of B rows did.

    output [B, O] and state [B, S] after it; `tensors` [B, G] by name: the gates, `hidden`,
    `before` (the hidden state that each unit began with) and TERMS. `layer_inputs` [B, L] has what
    each layer was given.
    """

    output: NDArray[np.float32]
    state: NDArray[np.float32]
    tensors: Mapping[str, NDArray[np.float32]]
    layer_inputs: tuple[NDArray[np.float32], ...]


class Inspection:
    """Runs the graph to inspect of one bundle. Any thread may; nothing is kept between calls."""

    def __init__(self, bundle: Bundle, provider: Provider) -> None:
        """Raises ProviderUnavailable; whatever ONNX Runtime raises for a graph that is none."""
        self._manifest = bundle.manifest
        self._session = _opened(bundle, provider)
        self._sizes = {one.name: one.shape[-1] for one in self._session.get_inputs()}
        self._outputs = [one.name for one in self._session.get_outputs()]

    def look(
        self,
        inputs: NDArray[Any],
        state: NDArray[np.float32],
        gates: Mapping[str, SetGate] | None = None,
    ) -> Looked:
        """One time step for each row: inputs [B, F] or [B], state [B, S] before it, and gates that
        are set from outside by name."""
        feed = {"input": inputs, "state": state}
        nothing = np.zeros((len(state), self._manifest.gate_size), np.float32)
        for name in self._manifest.gate_names:
            chosen = None if gates is None else gates.get(name)
            mask, value = (nothing, nothing) if chosen is None else (chosen.mask, chosen.value)
            feed |= {f"{name}_mask": mask, f"{name}_value": value}
        found = self._session.run(self._outputs, feed)
        return self._looked(dict(zip(self._outputs, found, strict=True)), state)

    def _looked(
        self, found: Mapping[str, NDArray[np.float32]], state: NDArray[np.float32]
    ) -> Looked:
        manifest = self._manifest
        names = [*manifest.gate_names, *(name for name in TERMS if name in found)]
        tensors = {name: found[name] for name in names}
        tensors[HIDDEN] = (
            found["next_state"][:, : manifest.gate_size]
            if manifest.hidden_in_state
            else found[HIDDEN]
        )
        tensors["before"] = self._before(found, state)
        layers = range(len(manifest.layers))
        given = tuple(found[f"layer_input_{index}"] for index in layers)
        return Looked(found["output"], found["next_state"], tensors, given)

    def _before(
        self, found: Mapping[str, NDArray[np.float32]], state: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """[B, G]: of the session's state, or what the model itself passes on."""
        if self._manifest.hidden_in_state:
            return state[:, : self._manifest.gate_size]
        parts = []
        for index, layer in enumerate(self._manifest.layers):
            if layer.segment is None:
                parts.append(found[f"layer_state_{index}"].reshape(len(state), -1))
            else:
                parts.append(state[:, self._manifest.spans[layer.segment]])
        return np.concatenate(parts, axis=1)


def _opened(bundle: Bundle, provider: Provider) -> onnxruntime.InferenceSession:
    return provider.open(bundle.inspect_graph.read_bytes())
