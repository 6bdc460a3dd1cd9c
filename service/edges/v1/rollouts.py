"""POST /v1/sessions/{session_id}/rollout: own outputs fed back."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any

import numpy as np

from service.bundle.manifest import Manifest, Probabilities, Tokens
from service.edges.http.conditions import etag
from service.edges.http.events import render_event
from service.edges.v1.answers import check_size, to_json
from service.edges.v1.gates import render_gates
from service.edges.v1.inputs import encode_text
from service.edges.v1.requests import RolloutBody
from service.edges.v1.step_bodies import decode_source, describe, render_aside
from service.errors import Fault, InvalidInput
from service.sessions.answers import Answer
from service.sessions.conditions import Conditions
from service.sessions.feedback import Plan
from service.sessions.rollouts import RolloutRequest, Shown
from service.sessions.sampling import Sampling

_SEED_BITS = 53
"""As many as every JSON reader keeps exactly."""


def rollout_request(
    session_id: str, body: RolloutBody, conditions: Conditions, max_numbers: int
) -> tuple[RolloutRequest, int]:
    """The request, and the seed that it draws with: the caller's, or one for each key."""
    if conditions.key is not None and not body.advance:
        raise InvalidInput.at(
            ("advance",),
            "a look ahead changes nothing and leaves no receipt; send it without Idempotency-Key",
        )
    seed = _seed_of(body, conditions)

    def plan(manifest: Manifest) -> Plan:
        _check_sampling(body, manifest)
        inputs = decode_source(body, manifest)
        check_size(len(inputs) + body.steps - 1, manifest, body.gates, max_numbers)
        sampling = Sampling(seed, body.temperature, body.top_k, _stop(body, manifest))
        return Plan(inputs, body.steps, body.gates is not None, sampling)

    return RolloutRequest(session_id, plan, body.advance, conditions), seed


def render_rollout(answer: Answer, body: RolloutBody, seed: int) -> bytes:
    """The answer's JSON."""
    rendered = describe(answer)
    if isinstance(answer.manifest.output, Probabilities):
        tokens = answer.result.outputs.tolist()
        rendered |= {"tokens": tokens, "seed": seed} | _render_text(answer, body, tokens)
    else:
        rendered["outputs"] = np.ascontiguousarray(answer.result.outputs)
    return to_json(rendered | _render_gates(answer, body))


async def render_parts(
    parts: AsyncGenerator[Shown | Answer], body: RolloutBody, seed: int
) -> AsyncGenerator[bytes]:
    """A streamed rollout as events: `output` for each output, at the end `done`."""
    async with aclosing(parts):
        async for part in parts:
            if isinstance(part, Shown):
                yield _render_shown(part)
            else:
                yield await render_aside(part, partial(_render_done, part, body, seed))


def _render_shown(shown: Shown) -> bytes:
    """An event for every output: `{"index", "output"}`, or `{"index", "token", "text"?}`."""
    vocabulary = _vocabulary(shown.manifest)
    is_token = isinstance(shown.manifest.output, Probabilities)
    events = []
    for index, output in enumerate(shown.outputs, shown.index):
        data: dict[str, Any] = {"index": index}
        if is_token:
            data["token"] = int(output)
            if vocabulary is not None:
                data["text"] = vocabulary[int(output)]
        else:
            data["output"] = np.ascontiguousarray(output)
        events.append(render_event("output", to_json(data)))
    return b"".join(events)


def _render_done(answer: Answer, body: RolloutBody, seed: int) -> bytes:
    """The last event: what the answer's JSON and its headers have besides the outputs."""
    done = describe(answer) | {"etag": etag(answer.revision)}
    if answer.replayed:
        done["replayed"] = True
    if isinstance(answer.manifest.output, Probabilities):
        done |= {"seed": seed} | _render_text(answer, body, answer.result.outputs.tolist())
        # The events have said it already.
        done.pop("text", None)
    return render_event("done", to_json(done | _render_gates(answer, body)))


def _render_text(answer: Answer, body: RolloutBody, tokens: list[int]) -> dict[str, Any]:
    vocabulary = _vocabulary(answer.manifest)
    if vocabulary is None:
        return {}
    text = "".join(vocabulary[token] for token in tokens)
    return {"text": text, "stopped": any(text.endswith(end) for end in body.stop)}


def _vocabulary(manifest: Manifest) -> tuple[str, ...] | None:
    return manifest.input.vocabulary if isinstance(manifest.input, Tokens) else None


def _render_gates(answer: Answer, body: RolloutBody) -> dict[str, Any]:
    gates = answer.result.gates
    if body.gates is None or gates is None:
        return {}
    return {"gates": render_gates(gates, body.gates, answer.manifest.layers)}


def _seed_of(body: RolloutBody, conditions: Conditions) -> int:
    if body.seed is not None:
        return body.seed
    if conditions.key is not None:
        # Every try of one request draws the same, on whatever replica.
        return int.from_bytes(conditions.key.key[:8], "little") >> (64 - _SEED_BITS)
    return secrets.randbits(_SEED_BITS)


def _check_sampling(body: RolloutBody, manifest: Manifest) -> None:
    """Raises InvalidInput for choices that would mean nothing to the model."""
    if isinstance(manifest.output, Probabilities):
        return
    given = body.model_fields_set & {"temperature", "top_k", "seed", "stop"}
    if given:
        raise InvalidInput(
            Fault((name,), "only token models draw; this one's outputs are values")
            for name in sorted(given)
        )


def _stop(body: RolloutBody, manifest: Manifest) -> tuple[tuple[int, ...], ...]:
    ends = (
        encode_text(end, manifest.input, ("stop", index)) for index, end in enumerate(body.stop)
    )
    return tuple(tuple(end.tolist()) for end in ends)
