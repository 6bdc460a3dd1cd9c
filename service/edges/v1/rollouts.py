"""POST /v1/sessions/{session_id}/rollout: own outputs fed back."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any

from service.edges.http.conditions import etag
from service.edges.http.events import render_event
from service.edges.http.json import to_json
from service.edges.v1.gates import render_gates
from service.edges.v1.requests import RolloutBody
from service.edges.v1.step_bodies import describe, perhaps_inputs_of, render_aside
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
        perhaps_inputs_of(body),
        body.steps,
        body.advance,
        body.temperature if "temperature" in said else None,
        body.top_k,
        body.seed,
        tuple(body.stop) if "stop" in said else None,
        body.gates,
        conditions,
        caller,
        body.future,
    )


def render_rollout(answer: Answer, rollout: Rollout) -> bytes:
    """The answer's JSON."""
    manifest = answer.manifest
    shown = manifest.output.rolled(answer.result.outputs, manifest.input)
    return to_json(describe(answer) | shown | _ending(answer, rollout))


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
    manifest = shown.manifest
    return b"".join(
        render_event(
            "output", to_json({"index": index} | manifest.output.rolled_one(one, manifest.input))
        )
        for index, one in enumerate(shown.outputs, shown.index)
    )


def _render_done(answer: Answer, rollout: Rollout) -> bytes:
    """The last event: what the answer's JSON and its headers have besides the outputs."""
    done = describe(answer) | {"etag": etag(answer.revision)}
    if answer.replayed:
        done["replayed"] = True
    return render_event("done", to_json(done | _ending(answer, rollout)))


def _ending(answer: Answer, rollout: Rollout) -> dict[str, Any]:
    """What is known of a rollout at its end only."""
    ending: dict[str, Any] = {}
    manifest = answer.manifest
    if manifest.output.drawn_by:
        ending["seed"] = rollout.drawn_with
    stopped = rollout.stopped(answer.result.outputs, manifest)
    if stopped is not None:
        ending["stopped"] = stopped
    gates = answer.result.gates
    if rollout.gates is not None and gates is not None:
        ending["gates"] = render_gates(gates, rollout.gates, manifest.layers)
    return ending
