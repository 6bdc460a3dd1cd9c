"""What steps and rollouts have in common: where the input is, and what an answer says."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from service.edges.http.json import to_json
from service.edges.http.outputs import render_outputs
from service.edges.v1.gates import render_gates
from service.edges.v1.requests import PlainStepsBody, RolloutBody
from service.operations.gates import GateSelection
from service.operations.inputs import Inputs, JsonRows, Text
from service.sessions.answers import Answer, AnswerColumns, Answers, Result

MANY_OUTPUTS = 64
"""More than these are rendered aside."""


def inputs_of(body: PlainStepsBody) -> Inputs:
    """The `inputs` or the `text` of a body, to be read for the session's model."""
    inputs = perhaps_inputs_of(body)
    assert inputs is not None
    return inputs


def perhaps_inputs_of(body: PlainStepsBody | RolloutBody) -> Inputs | None:
    """As `inputs_of`; None where a body has neither."""
    if body.text is not None:
        return Text(body.text)
    return None if body.inputs is None else JsonRows(body.inputs)


def session_headers(tag: bytes, *, replayed: bool) -> list[tuple[bytes, bytes]]:
    """Where the session is after the request, by its entity tag without quotes, and whether this
    is the answer to an earlier try."""
    headers = [(b"etag", b'"%b"' % tag)]
    if replayed:
        headers.append((b"idempotent-replayed", b"true"))
    return headers


def describe(answer: Answer) -> dict[str, Any]:
    """What every answer about a session that moved begins with."""
    return {
        "session_id": answer.session_id,
        "model": answer.manifest.name,
        "version": answer.manifest.version,
        "step": answer.step,
    }


def render_steps(answer: Answer, gates: GateSelection | None) -> dict[str, Any]:
    """The fields of an answer to steps, ready for `to_json`."""
    manifest, result = answer.manifest, answer.result
    rendered = describe(answer) | render_outputs(result.outputs, manifest)
    if gates is not None and result.gates is not None:
        rendered["gates"] = render_gates(result.gates, gates, manifest.layers)
    return rendered


def render_forecast(answer: Answer, horizon: int, gates: GateSelection | None) -> dict[str, Any]:
    """As `render_steps`, and the `forecast`: [horizon, O], of which the first is the last output.

    The answer's outputs are those of the steps, and behind them those that were fed back.
    """
    outputs = answer.result.outputs
    steps = len(outputs) - horizon + 1
    stepped = replace(answer, result=Result(outputs[:steps], answer.result.gates))
    ahead = np.ascontiguousarray(outputs[steps - 1 :])
    return render_steps(stepped, gates) | {"forecast": ahead}


def step_fields(answers: Answers, gates: GateSelection | None) -> list[bytes]:
    """For each row the fields of `render_steps` as JSON, without the braces around them."""
    columns = answers.columns
    manifest = columns.manifest
    is_plain = columns.gates is None and manifest.output.beside is None
    if answers.time == 1 and is_plain and manifest.ready_at == 1:
        return columns.once(_plain_fields)[answers.span]
    return [to_json(render_steps(answer, gates))[1:-1] for _, answer in answers.each()]


def _plain_fields(columns: AnswerColumns) -> list[bytes]:
    """Of all rows in one go: written one by one they would take longer than the steps did."""
    outputs = to_json(np.ascontiguousarray(columns.outputs[:, 0]))[2:-2].split(b"],[")
    manifest = columns.manifest
    model = b',"model":%b,"version":%d,"step":' % (to_json(manifest.name), manifest.version)
    return [
        b'"session_id":%b%b%d,"outputs":[[%b]]'
        % (to_json(identity.session_id), model, step, output)
        for identity, step, output in zip(columns.identities, columns.steps, outputs, strict=True)
    ]


def etags(columns: AnswerColumns) -> list[bytes]:
    """The entity tags of all rows, without their quotes."""
    return [b"%x" % revision for revision in columns.revisions]


def described_fields(answers: Answers, gates: GateSelection | None) -> list[bytes]:
    """As `step_fields`, with what HTTP says in headers."""
    replayed = b',"replayed":true' if answers.columns.replayed else b""
    tags = answers.columns.once(etags)[answers.span]
    return [
        b'%b,"etag":"\\"%b\\""%b' % (fields, tag, replayed)
        for fields, tag in zip(step_fields(answers, gates), tags, strict=True)
    ]


async def render_aside(outputs: int, render: Callable[[], bytes]) -> bytes:
    """What `render` gives; very many outputs would hold up everybody else on the event loop."""
    if outputs > MANY_OUTPUTS:
        return await asyncio.to_thread(render)
    return render()
