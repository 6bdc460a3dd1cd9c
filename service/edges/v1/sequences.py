"""POST /v1/models/{model}/sequences: whole sequences in, everything out, nothing kept."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.batcher.compute import Outcome, Row, compute
from service.bundle.manifest import Manifest
from service.edges.http.body import parse_long
from service.edges.http.long_numbers import long_json, take_sequences
from service.edges.v1.gates import render_gates
from service.edges.v1.requests import SequencesBody
from service.edges.v1.step_bodies import render_outputs
from service.engine.engine import Engine
from service.errors import InvalidInput
from service.operations.gates import check_selection
from service.operations.inputs import decode_inputs, decode_state, encode_text
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
    states = _initial_states(body, engine, len(inputs))
    rows = [
        Row(engine, sequence, state, gates=body.gates is not None, place=("inputs", index))
        for index, (sequence, state) in enumerate(zip(inputs, states, strict=True))
    ]
    return long_json(
        {
            "model": manifest.name,
            "version": manifest.version,
            "sequences": [_render(outcome, body, manifest) for outcome in compute(rows)],
        }
    )


def _inputs(body: SequencesBody, manifest: Manifest) -> list[NDArray[Any]]:
    if isinstance(body.text, list) and body.text:
        return [
            encode_text(text, manifest.input, ("text", index))
            for index, text in enumerate(body.text)
        ]
    if body.text is not None:
        return [encode_text(body.text, manifest.input, ("text",))]
    return [
        decode_inputs(sequence, manifest.input, ("inputs", index))
        for index, sequence in enumerate(body.inputs or ())
    ]


def _initial_states(body: SequencesBody, engine: Engine, batch: int) -> NDArray[np.float32]:
    if body.initial_states is None:
        return engine.initial_states(batch)
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
    rendered = render_outputs(computed.outputs, manifest)
    rendered["state"] = computed.state
    if body.gates is not None and computed.gates is not None:
        rendered["gates"] = render_gates(computed.gates, body.gates, manifest.layers)
    return rendered
