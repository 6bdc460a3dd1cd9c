"""POST /v1/sessions/{session_id}/rollout: own outputs fed back."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any

import numpy as np

from service.bundle.manifest import Manifest
from service.bundle.signatures import Probabilities, Tokens
from service.edges.http.conditions import etag
from service.edges.http.events import render_event
from service.edges.http.json import to_json
from service.edges.v1.gates import render_gates
from service.edges.v1.requests import RolloutBody
from service.edges.v1.step_bodies import describe, inputs_of, render_aside
from service.operations.caller import Caller
from service.operations.conditions import Conditions
from service.operations.rollout import Rollout
from service.sessions.answers import Answer
from service.sessions.rollouts import Shown


def rollout_of(
    session_id: str, body: RolloutBody, conditions: Conditions, caller: Caller
) -> Rollout:
    """Raises InvalidInput."""
    said = body.model_fields_set
    return Rollout(
        session_id,
        inputs_of(body),
        body.steps,
        body.advance,
        body.temperature if "temperature" in said else None,
        body.top_k,
        body.seed,
        tuple(body.stop) if "stop" in said else None,
        body.gates,
        conditions,
        caller,
    )


def render_rollout(answer: Answer, rollout: Rollout) -> bytes:
    """The answer's JSON."""
    outputs, text = answer.result.outputs, _text_of(answer)
    shown: dict[str, Any]
    if isinstance(answer.manifest.output, Probabilities):
        shown = {"tokens": outputs.tolist()} | ({} if text is None else {"text": text})
    else:
        shown = {"outputs": np.ascontiguousarray(outputs)}
    return to_json(describe(answer) | shown | _ending(answer, rollout, text))


async def render_parts(
    parts: AsyncGenerator[Shown | Answer], rollout: Rollout
) -> AsyncGenerator[bytes]:
    """A streamed rollout as events: `output` for each output, at the end `done`."""
    async with aclosing(parts):
        async for part in parts:
            if isinstance(part, Shown):
                yield _render_shown(part)
            else:
                render = partial(_render_done, part, rollout)
                yield await render_aside(len(part.result.outputs), render)


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


def _render_done(answer: Answer, rollout: Rollout) -> bytes:
    """The last event: what the answer's JSON and its headers have besides the outputs."""
    done = describe(answer) | {"etag": etag(answer.revision)}
    if answer.replayed:
        done["replayed"] = True
    return render_event("done", to_json(done | _ending(answer, rollout, _text_of(answer))))


def _ending(answer: Answer, rollout: Rollout, text: str | None) -> dict[str, Any]:
    """What is known of a rollout at its end only."""
    ending: dict[str, Any] = {}
    if isinstance(answer.manifest.output, Probabilities):
        ending["seed"] = rollout.drawn_with
    if text is not None:
        ending["stopped"] = any(text.endswith(end) for end in rollout.stop or ())
    gates = answer.result.gates
    if rollout.gates is not None and gates is not None:
        ending["gates"] = render_gates(gates, rollout.gates, answer.manifest.layers)
    return ending


def _text_of(answer: Answer) -> str | None:
    """What a character model has written."""
    vocabulary = _vocabulary(answer.manifest)
    if vocabulary is None:
        return None
    return "".join(vocabulary[token] for token in answer.result.outputs.tolist())


def _vocabulary(manifest: Manifest) -> tuple[str, ...] | None:
    return manifest.input.vocabulary if isinstance(manifest.input, Tokens) else None
