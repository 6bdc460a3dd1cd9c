"""POST /v1/models/{model}/sequences: whole sequences in, everything out, nothing kept."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.batcher.compute import Outcome, Row, compute
from service.batcher.wholes import WholeRow, compute_wholes, needs_whole
from service.bundle.manifest import Manifest
from service.edges.http.body import parse_long
from service.edges.http.long_numbers import long_json, take_sequences
from service.edges.http.outputs import render_outputs
from service.edges.v1.gates import render_gates
from service.edges.v1.requests import SequencesBody
from service.engine.engine import Engine
from service.errors import InvalidInput
from service.operations.constants import read_constants
from service.operations.gates import check_selection
from service.operations.inputs import decode_state
from service.operations.limits import Limits

Choose = Callable[[int | None], Engine]
"""From the version that a body asks for to the one that answers."""


def answer_sequences(choose: Choose, raw: bytes, limits: Limits) -> bytes:
    """From a request's body to its answer.

    Raises InvalidInput for what the model cannot take, and what `choose` raises.
    """
    body = parse_long(raw, SequencesBody, take_sequences)
    engine = choose(body.version)
    manifest = engine.manifest
    if body.gates is not None:
        check_selection(body.gates, manifest.layers)
    inputs = _inputs(body, manifest)
    limits.check_steps(sum(map(len, inputs)), manifest, gates=body.gates is not None)
    sequences: list[dict[str, Any]] = [{} for _ in inputs]
    if manifest.sessions:
        sequences = _stepped(engine, body, inputs)
    if needs_whole(manifest):
        # Only the whole looks ahead to the end; the steps have the gates and the last state.
        for one, whole in zip(sequences, _wholes(engine, body, inputs), strict=True):
            one.update(whole)
            one.pop("ready_at", None)
    return long_json({"model": manifest.name, "version": manifest.version, "sequences": sequences})


def _stepped(
    engine: Engine, body: SequencesBody, inputs: Sequence[NDArray[Any]]
) -> list[dict[str, Any]]:
    """Every sequence from its initial state on."""
    states = _initial_states(body, engine, len(inputs))
    rows = [
        Row(engine, sequence, state, gates=body.gates is not None, place=("inputs", index))
        for index, (sequence, state) in enumerate(zip(inputs, states, strict=True))
    ]
    return [_render(outcome, body, engine.manifest) for outcome in compute(rows)]


def _wholes(
    engine: Engine, body: SequencesBody, inputs: Sequence[NDArray[Any]]
) -> list[dict[str, Any]]:
    """Every sequence as a whole; there is no state to begin from."""
    manifest = engine.manifest
    if body.initial_states is not None:
        why = manifest.reason or f"its answers look {manifest.delay} steps ahead"
        raise InvalidInput.at(
            ("initial_states",), f"this model takes whole sequences, from their beginning: {why}"
        )
    if body.gates is not None and not manifest.layers:
        raise InvalidInput.at(("gates",), f"this model shows no gates: {manifest.reason}")
    rows = [WholeRow(engine, sequence, ("inputs", index)) for index, sequence in enumerate(inputs)]
    return [render_outputs(_sound(one), manifest) for one in compute_wholes(rows)]


def _sound(outputs: NDArray[np.float32] | Exception) -> NDArray[np.float32]:
    """A sequence that failed fails the request."""
    if isinstance(outputs, Exception):
        raise outputs
    return outputs


def _inputs(body: SequencesBody, manifest: Manifest) -> list[NDArray[Any]]:
    if isinstance(body.text, list) and body.text:
        return [
            manifest.input.encode_text(text, ("text", index))
            for index, text in enumerate(body.text)
        ]
    if body.text is not None:
        return [manifest.input.encode_text(body.text, ("text",))]
    return [
        manifest.input.decode(sequence, ("inputs", index))
        for index, sequence in enumerate(body.inputs or ())
    ]


def _initial_states(body: SequencesBody, engine: Engine, batch: int) -> NDArray[np.float32]:
    if body.initial_states is None:
        constants = read_constants(body.constants, engine.manifest.constants)
        if constants is None:
            return engine.initial_states(batch)
        return np.repeat(engine.initial_states(1, constants), batch, axis=0)
    if body.constants is not None:
        raise InvalidInput.at(
            ("constants",), "send `initial_states` or `constants`: a state has them in it"
        )
    if len(body.initial_states) != batch:
        raise InvalidInput.at(
            ("initial_states",),
            f"{len(body.initial_states)} states for {batch} sequences; send one for each",
        )
    size = engine.manifest.state_size
    return np.stack(
        [
            decode_state(state, size, ("initial_states", index))
            for index, state in enumerate(body.initial_states)
        ]
    )


def _render(computed: Outcome, body: SequencesBody, manifest: Manifest) -> dict[str, Any]:
    """One sequence's part of the answer. A sequence that failed fails the request."""
    if isinstance(computed, Exception):
        raise computed
    is_last = manifest.answers == "last step"
    rendered = render_outputs(computed.outputs[-1:] if is_last else computed.outputs, manifest)
    rendered["state"] = computed.state
    if body.gates is not None and computed.gates is not None:
        rendered["gates"] = render_gates(computed.gates, body.gates, manifest.layers)
    return rendered
