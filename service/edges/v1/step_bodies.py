"""What steps and rollouts have in common: where the input is, how an answer begins."""

import asyncio
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from service.bundle.manifest import Manifest
from service.edges.http.conditions import etag
from service.edges.v1.gates import check_selection
from service.edges.v1.inputs import decode_inputs, encode_text
from service.edges.v1.requests import RolloutBody, StepsBody
from service.sessions.answers import Answer

_MANY_OUTPUTS = 64


def session_headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    """Where the session is after the request, and whether this is the answer to an earlier try."""
    headers = [(b"etag", etag(answer.revision).encode())]
    if answer.replayed:
        headers.append((b"idempotent-replayed", b"true"))
    return headers


def decode_source(body: StepsBody | RolloutBody, manifest: Manifest) -> NDArray[Any]:
    """The `inputs` or the `text` of a body, [T, F] or [T]. Raises InvalidInput."""
    if body.gates is not None:
        check_selection(body.gates, manifest.layers)
    if body.text is not None:
        return encode_text(body.text, manifest.input, ("text",))
    return decode_inputs(body.inputs, manifest.input, ("inputs",))


def describe(answer: Answer) -> dict[str, Any]:
    """What every answer about a session that moved begins with."""
    return {
        "session_id": answer.session_id,
        "model": answer.manifest.name,
        "version": answer.manifest.version,
        "step": answer.step,
    }


async def render_aside(answer: Answer, render: Callable[[], bytes]) -> bytes:
    """What `render` gives; a long answer would hold up everybody else on the event loop."""
    if len(answer.result.outputs) > _MANY_OUTPUTS:
        return await asyncio.to_thread(render)
    return render()
