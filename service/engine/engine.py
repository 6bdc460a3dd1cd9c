"""One bundle, ready to run.

Shapes: B batch, T time steps, F input features, O outputs, S state size, G units of all layers.
Inputs are float32, or int64 tokens without the last axis.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
import onnxruntime.capi.onnxruntime_pybind11_state as _ort
from numpy.typing import NDArray

from service.bundle.bundle import Bundle
from service.bundle.manifest import CELLS_FILE, HIDDEN, INSPECT_FILE, Manifest, constant_input
from service.engine.inspection import Inspection
from service.engine.provider import Provider
from service.errors import BundleCorrupt
from service.records import record


@record
class Gates:
    """What every gate did, by `names`, the hidden state that came out being the last: float32
    arrays [..., G]."""

    names: tuple[str, ...]
    tensors: tuple[NDArray[np.float32], ...]

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        return self.tensors[self.names.index(name)]

    def of_row(self, rows: object) -> "Gates":
        """One or some along the first axes."""
        return Gates(self.names, tuple(tensor[cast(Any, rows)] for tensor in self.tensors))

    @staticmethod
    def joined(parts: "Sequence[Gates]", axis: int) -> "Gates":
        """The gates of several, one behind the other."""
        if len(parts) == 1:
            return parts[0]
        tensors = zip(*(part.tensors for part in parts), strict=True)
        return Gates(parts[0].names, tuple(np.concatenate(one, axis) for one in tensors))


@record
class Steps:
    """Answers to one time step of B sessions: output [B, O], state [B, S], gates [B, G] each."""

    output: NDArray[np.float32]
    state: NDArray[np.float32]
    gates: Gates | None


class Engine:
    """Runs the graphs of one bundle. Holds no state between calls."""

    def __init__(self, bundle: Bundle, provider: Provider) -> None:
        """Open all graphs. Raises BundleCorrupt, ProviderUnavailable."""
        self.bundle = bundle
        self._provider = provider
        manifest = bundle.manifest
        self.manifest: Manifest = manifest
        hidden = () if manifest.hidden_in_state else (HIDDEN,)
        self._fetches = ["output", "next_state"]
        self._gate_fetches = [*self._fetches, *manifest.gate_names, *hidden]
        self._has_states = manifest.sequence in ("outputs and states", "states")
        self._has_outputs = manifest.sequence in ("outputs and states", "outputs")
        self._step = self._sequence = self._initial = None
        if manifest.sessions:
            self._step = _open(bundle, bundle.step_graph, provider, self._gate_fetches)
        if manifest.sequence is not None:
            fetches = ["output"] * self._has_outputs + ["states"] * self._has_states
            self._sequence = _open(bundle, bundle.sequence_graph, provider, fetches)
        if manifest.initial_graph:
            self._initial = _open(bundle, bundle.initial_graph, provider, ["state"])
        self.example: NDArray[Any] = bundle.golden()["input"][0]
        """Real held-out inputs, [T, F] or [T], for documentation and the inspector."""
        opened = self._step or self._sequence
        assert opened is not None
        self.provider: str = opened.get_providers()[0]
        self._initial_state = _initial_state(manifest)

    @cached_property
    def inspection(self) -> Inspection | None:
        """Opened when somebody looks inside; None for a version that was published without it."""
        if INSPECT_FILE not in self.manifest.files:
            return None
        return Inspection(self.bundle, self._provider)

    @cached_property
    def cells(self) -> Mapping[str, NDArray[Any]]:
        """The arrays of `cells.npz`; none for a version that was published without it."""
        return self.bundle.cells() if CELLS_FILE in self.manifest.files else {}

    def initial_states(
        self, batch: int, constants: Mapping[str, NDArray[Any]] | None = None
    ) -> NDArray[np.float32]:
        """The state of a session that has seen nothing, [B, S].

        `constants` by name are [B, …] each; they are part of the state.
        """
        if self._initial is not None and constants is not None:
            feed = {constant_input(name): given for name, given in constants.items()}
            (state,) = self._initial.run(["state"], feed)
            return np.asarray(state)
        return np.tile(self._initial_state, (batch, 1))

    def step(self, inputs: NDArray[Any], state: NDArray[np.float32], *, gates: bool) -> Steps:
        """One time step for a batch: inputs [B, F] or [B], state [B, S]."""
        assert self._step is not None
        feed = {"input": inputs, "state": state}
        if not gates:
            output, next_state = self._step.run(self._fetches, feed)
            return Steps(output, next_state, None)
        output, next_state, *tensors = self._step.run(self._gate_fetches, feed)
        if self.manifest.hidden_in_state:
            tensors.append(next_state[:, : self.manifest.gate_size])
        return Steps(output, next_state, Gates(self.manifest.shown_names, tuple(tensors)))

    def sequence(
        self, inputs: NDArray[Any], state: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Many time steps: inputs [B, T, F] or [B, T], state [B, S] before the first.

        Returns output [B, T, O] and states [B, T, S]; states[:, t] is the state after step t.
        Where the sequence graph gives no outputs, or there is none, the step graph does.
        """
        if not self._has_states:
            return self._step_by_step(inputs, state)
        assert self._sequence is not None
        feed = {"input": inputs, "state": state}
        if self._has_outputs:
            output, states = self._sequence.run(["output", "states"], feed)
            return output, states
        (states,) = self._sequence.run(["states"], feed)
        return self.replay(inputs, state, states, gates=False).output, states

    def whole(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """What a model that needs whole sequences, or looks ahead, answers to inputs [B, T, F] or
        [B, T]: [B, T, O], or [B, O] where it answers the last step."""
        assert self._sequence is not None
        (output,) = self._sequence.run(["output"], {"input": inputs})
        return np.asarray(output)

    def replay(
        self,
        inputs: NDArray[Any],
        state: NDArray[np.float32],
        states: NDArray[np.float32],
        *,
        gates: bool = True,
    ) -> Steps:
        """Every step of sequences that were run already, through the step graph.

        Knowing every state, each time step is independent of the others, so the step graph runs
        once on all of them: inputs [T, F] or [T], state [S] before the first, states [T, S]; or
        all of them with an axis for the batch in front.
        """
        before = np.concatenate([state[..., np.newaxis, :], states[..., :-1, :]], axis=-2)
        features = inputs.shape[states.ndim - 1 :]
        steps = self.step(
            inputs.reshape(-1, *features), before.reshape(-1, before.shape[-1]), gates=gates
        )
        shape = states.shape[:-1]
        output, after = steps.output.reshape(*shape, -1), steps.state.reshape(*shape, -1)
        if steps.gates is None:
            return Steps(output, after, None)
        tensors = tuple(tensor.reshape(*shape, -1) for tensor in steps.gates.tensors)
        return Steps(output, after, Gates(self.manifest.shown_names, tensors))

    def gates_of(
        self, inputs: NDArray[Any], state: NDArray[np.float32], states: NDArray[np.float32]
    ) -> Gates:
        """The gates of sequences that were run already; shapes as for `replay`."""
        recorded = self.replay(inputs, state, states).gates
        assert recorded is not None
        if not self.manifest.hidden_in_state:
            return recorded
        hidden = states[..., : self.manifest.gate_size]
        return Gates(self.manifest.shown_names, (*recorded.tensors[:-1], hidden))

    def _step_by_step(
        self, inputs: NDArray[Any], state: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        batch, time = inputs.shape[:2]
        output = np.empty((batch, time, self.manifest.output.width), np.float32)
        states = np.empty((batch, time, state.shape[1]), np.float32)
        for t in range(time):
            steps = self.step(inputs[:, t], state, gates=False)
            output[:, t], states[:, t] = steps.output, steps.state
            state = steps.state
        return output, states


def _initial_state(manifest: Manifest) -> NDArray[np.float32]:
    """[S], zeros where the constants of a session decide."""
    pieces = [
        np.array(segment.initial, np.float32)
        if isinstance(segment.initial, tuple)
        else np.zeros(segment.size, np.float32)
        for segment in manifest.state
    ]
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def _open(
    bundle: Bundle, file: Path, provider: Provider, fetches: Sequence[str]
) -> onnxruntime.InferenceSession:
    """Open one graph and see that its inputs and outputs are those the manifest describes."""
    try:
        session = provider.open(file.read_bytes())
    except _ort.InvalidProtobuf as error:
        raise BundleCorrupt(f"{bundle.folder}: not an ONNX graph: {error}") from None
    except (_ort.InvalidArgument, _ort.InvalidGraph, _ort.Fail, _ort.NotImplemented) as error:
        raise BundleCorrupt(f"{bundle.folder}: ONNX Runtime refuses the graph: {error}") from None
    found = {value.name: value for value in (*session.get_inputs(), *session.get_outputs())}
    missing = [name for name in fetches if name not in found]
    if missing:
        raise BundleCorrupt(f"{bundle.folder}: {file.name} lacks {', '.join(missing)}")
    for name, width in _widths(bundle.manifest).items():
        shape = found[name].shape if name in found else [width]
        if shape[-1:] != [width]:
            raise BundleCorrupt(
                f"{bundle.folder}: {name} has the shape {shape}, the manifest says {width} wide"
            )
    return session


def _widths(manifest: Manifest) -> dict[str, int]:
    """The last axis of every tensor."""
    widths = dict.fromkeys(("state", "next_state", "states"), manifest.state_size)
    widths |= dict.fromkeys((*manifest.gate_names, HIDDEN), manifest.gate_size)
    widths["output"] = manifest.output.width
    if manifest.input.features:
        widths["input"] = manifest.input.features[-1]
    return widths
