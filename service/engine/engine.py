"""One bundle, ready to run.

Shapes: B batch, T time steps, F input features, O outputs, S state size. Inputs are float32, or
int64 tokens without the last axis.
"""

from typing import Any

import numpy as np
import onnxruntime
import onnxruntime.capi.onnxruntime_pybind11_state as _ort
from numpy.typing import NDArray

from service.bundle.bundle import Bundle
from service.bundle.manifest import Manifest, Tokens
from service.engine.provider import Provider
from service.errors import BundleCorrupt
from service.records import record

_STEP_FETCHES = ["output", "next_state"]
_GATE_FETCHES = ["output", "next_state", "reset", "update", "candidate"]
_SEQUENCE_FETCHES = ["output", "states"]


@record
class Gates:
    """What every gate did, and the hidden state that came out: four float32 arrays [..., S]."""

    reset: NDArray[np.float32]
    update: NDArray[np.float32]
    candidate: NDArray[np.float32]
    hidden: NDArray[np.float32]

    @property
    def tensors(self) -> tuple[NDArray[np.float32], ...]:
        return self.reset, self.update, self.candidate, self.hidden

    def of_row(self, rows: int | slice | list[int]) -> "Gates":
        """One or some along the first axis."""
        return Gates(*(tensor[rows] for tensor in self.tensors))


@record
class Steps:
    """Answers to one time step of B sessions: output [B, O], state [B, S], gates [B, S] each."""

    output: NDArray[np.float32]
    state: NDArray[np.float32]
    gates: Gates | None


class Engine:
    """Runs the step and the sequence graph of one bundle. Holds no state between calls."""

    def __init__(self, bundle: Bundle, provider: Provider) -> None:
        """Open both graphs. Raises BundleCorrupt, ProviderUnavailable."""
        self.bundle = bundle
        self.manifest: Manifest = bundle.manifest
        self._step = _open(bundle.step_graph.read_bytes(), provider, bundle, _GATE_FETCHES)
        self._sequence = _open(
            bundle.sequence_graph.read_bytes(), provider, bundle, _SEQUENCE_FETCHES
        )
        self.example: NDArray[Any] = bundle.golden()["input"][0]
        """Real held-out inputs, [T, F] or [T], for documentation and the inspector."""
        self.provider: str = self._step.get_providers()[0]

    def initial_states(self, batch: int) -> NDArray[np.float32]:
        """The state of a session that has seen nothing: zeros [B, S]."""
        return np.zeros((batch, self.manifest.state_size), np.float32)

    def step(self, inputs: NDArray[Any], state: NDArray[np.float32], *, gates: bool) -> Steps:
        """One time step for a batch: inputs [B, F] or [B], state [B, S]."""
        feed = {"input": inputs, "state": state}
        if not gates:
            output, next_state = self._step.run(_STEP_FETCHES, feed)
            return Steps(output, next_state, None)
        output, next_state, reset, update, candidate = self._step.run(_GATE_FETCHES, feed)
        return Steps(output, next_state, Gates(reset, update, candidate, next_state))

    def sequence(
        self, inputs: NDArray[Any], state: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Many time steps: inputs [B, T, F] or [B, T], state [B, S] before the first.

        Returns output [B, T, O] and states [B, T, S]; states[:, t] is the state after step t.
        """
        output, states = self._sequence.run(_SEQUENCE_FETCHES, {"input": inputs, "state": state})
        return output, states

    def replay(
        self, inputs: NDArray[Any], state: NDArray[np.float32], states: NDArray[np.float32]
    ) -> Steps:
        """Every step of sequences that were run already, through the step graph, with gates.

        Knowing every state, each time step is independent of the others, so the step graph runs
        once on all of them: inputs [T, F] or [T], state [S] before the first, states [T, S]; or
        all of them with an axis for the batch in front.
        """
        before = np.concatenate([state[..., np.newaxis, :], states[..., :-1, :]], axis=-2)
        features = inputs.shape[states.ndim - 1 :]
        steps = self.step(
            inputs.reshape(-1, *features), before.reshape(-1, before.shape[-1]), gates=True
        )
        shape = states.shape[:-1]
        assert steps.gates is not None
        gates = Gates(*(tensor.reshape(*shape, -1) for tensor in steps.gates.tensors))
        output, after = steps.output.reshape(*shape, -1), steps.state.reshape(*shape, -1)
        return Steps(output, after, gates)

    def gates_of(
        self, inputs: NDArray[Any], state: NDArray[np.float32], states: NDArray[np.float32]
    ) -> Gates:
        """The gates of sequences that were run already; shapes as for `replay`."""
        recorded = self.replay(inputs, state, states).gates
        assert recorded is not None
        return Gates(recorded.reset, recorded.update, recorded.candidate, states)


def _open(
    graph: bytes, provider: Provider, bundle: Bundle, fetches: list[str]
) -> onnxruntime.InferenceSession:
    """Open one graph and see that its inputs and outputs are those the manifest describes."""
    try:
        session = provider.open(graph)
    except _ort.InvalidProtobuf as error:
        raise BundleCorrupt(f"{bundle.folder}: not an ONNX graph: {error}") from None
    except (_ort.InvalidArgument, _ort.InvalidGraph, _ort.Fail, _ort.NotImplemented) as error:
        raise BundleCorrupt(f"{bundle.folder}: ONNX Runtime refuses the graph: {error}") from None
    found = {value.name: value for value in (*session.get_inputs(), *session.get_outputs())}
    missing = [name for name in ("input", "state", *fetches) if name not in found]
    if missing:
        raise BundleCorrupt(f"{bundle.folder}: the graph lacks {', '.join(missing)}")
    widths = {"state": bundle.manifest.state_size, fetches[0]: bundle.manifest.output.width}
    if not isinstance(bundle.manifest.input, Tokens):
        widths["input"] = bundle.manifest.input.width
    for name, width in widths.items():
        shape = found[name].shape
        if shape[-1:] != [width]:
            raise BundleCorrupt(
                f"{bundle.folder}: {name} has the shape {shape}, the manifest says {width} wide"
            )
    return session
