"""POST /v1/sessions/{session_id}/rollout: own outputs fed back."""

import secrets
from typing import Any

import numpy as np

from service.api.answers import check_size, to_json
from service.api.gates import render_gates
from service.api.inputs import encode_text
from service.api.movements import decode_source, describe
from service.api.requests import RolloutBody
from service.bundle.manifest import Manifest, Probabilities, Tokens
from service.errors import Fault, InvalidInput
from service.sessions.answers import Answer
from service.sessions.conditions import Conditions
from service.sessions.feedback import Plan, Sampling
from service.sessions.rollouts import RolloutRequest

_SEED_BITS = 53
"""As many as every JSON reader keeps exactly."""


def rollout_request(
    session_id: str, body: RolloutBody, conditions: Conditions, max_numbers: int
) -> tuple[RolloutRequest, int]:
    """The request, and the seed that it draws with: the caller's, or one for each key."""
    if conditions.key is not None and not body.advance:
        raise InvalidInput.at(
            "$.advance",
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
    manifest, result = answer.manifest, answer.result
    rendered = describe(answer)
    if isinstance(manifest.output, Probabilities):
        rendered |= _render_tokens(answer, body, seed)
    else:
        rendered["outputs"] = np.ascontiguousarray(result.outputs)
    if body.gates is not None and result.gates is not None:
        rendered["gates"] = render_gates(result.gates, body.gates, manifest.layers)
    return to_json(rendered)


def _render_tokens(answer: Answer, body: RolloutBody, seed: int) -> dict[str, Any]:
    tokens: list[int] = answer.result.outputs.tolist()
    rendered: dict[str, Any] = {"tokens": tokens, "seed": seed}
    signature = answer.manifest.input
    if isinstance(signature, Tokens) and signature.vocabulary is not None:
        text = "".join(signature.vocabulary[token] for token in tokens)
        rendered["text"] = text
        rendered["stopped"] = any(text.endswith(end) for end in body.stop)
    return rendered


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
            Fault(f"$.{name}", "only token models draw; this one's outputs are values")
            for name in sorted(given)
        )


def _stop(body: RolloutBody, manifest: Manifest) -> tuple[tuple[int, ...], ...]:
    ends = (
        encode_text(end, manifest.input, f"$.stop[{index}]") for index, end in enumerate(body.stop)
    )
    return tuple(tuple(end.tolist()) for end in ends)
