"""Server-sent events, as the HTML standard defines them, for answers that grow."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from fastapi import Response
from starlette.responses import StreamingResponse

from service.edges.http.problems import answer_error

EVENTS = "text/event-stream"
WAITING_SECONDS = 10.0
"""Less than the time after which proxies give up on a connection that is silent."""

_WAITING = b": waiting\n\n"
# What stands between must neither keep a stream nor hold it back until it is whole.
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


def wants_events(accept: Sequence[str]) -> bool:
    """Whether the `Accept` headers name events."""
    ranges = (one.partition(";")[0].strip().lower() for line in accept for one in line.split(","))
    return EVENTS in ranges


def render_event(name: str, data: bytes) -> bytes:
    """One event; `data` is JSON without line breaks."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


async def stream_events(
    events: AsyncGenerator[bytes], waiting_seconds: float = WAITING_SECONDS
) -> Response:
    """An answer of events, with comments while there are none.

    Raises what goes wrong before the first one, so that it is answered by its status; what goes
    wrong later is a last event `error`. When the client goes away, `events` is cancelled.
    """
    first = asyncio.ensure_future(anext(events))
    try:
        await asyncio.wait({first}, timeout=waiting_seconds)
    except asyncio.CancelledError:
        _drop(first)
        raise
    if first.done():
        first.result()
    body = _sent(events, first, waiting_seconds)
    return StreamingResponse(body, media_type=EVENTS, headers=_HEADERS)


async def _sent(
    events: AsyncGenerator[bytes], following: "asyncio.Future[bytes]", waiting_seconds: float
) -> AsyncGenerator[bytes]:
    """One event is prepared while the one before is sent, never more: the client sets the pace."""
    try:
        while True:
            await asyncio.wait({following}, timeout=waiting_seconds)
            if not following.done():
                yield _WAITING
                continue
            try:
                event = following.result()
            except StopAsyncIteration:
                return
            except Exception as error:  # whatever it is, the client must hear of it
                yield render_event("error", answer_error(error).body)
                return
            following = asyncio.ensure_future(anext(events))
            yield event
    finally:
        _drop(following)


def _drop(following: "asyncio.Future[bytes]") -> None:
    """Nobody waits for it any more, nor for what went wrong in it."""
    following.cancel()
    following.add_done_callback(lambda done: done.cancelled() or done.exception())
