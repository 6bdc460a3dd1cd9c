"""Structured logs: one event a line with named fields, never a payload.

A log call never raises: what cannot be written must not stop whoever has something to say.
"""

import json
import logging
import os
import sys
from contextlib import suppress
from typing import TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor

from service.edges.http.request_ids import current_request_id
from service.settings import Settings


def configure(settings: Settings) -> None:
    """Send events of at least `log_level` to standard error in the chosen format."""
    shared: list[Processor] = [
        _add_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *([_add_pid] if settings.workers > 1 else []),
        structlog.processors.format_exc_info,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer(serializer=_dumps)
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.log_level.upper()]
        ),
        logger_factory=lambda *_: _Lines(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # uvicorn and asyncio log through the standard library: the same format for them.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _add_request_id(_: object, __: str, event: EventDict) -> EventDict:
    """Of the request that the event is about, where there is one."""
    request_id = current_request_id()
    if request_id is not None:
        event["request_id"] = request_id
    return event


def _add_pid(_: object, __: str, event: EventDict) -> EventDict:
    """Which of several processes says it."""
    event["pid"] = os.getpid()
    return event


def _dumps(event: object, **_: object) -> str:
    try:
        return orjson.dumps(event, default=str).decode()
    except TypeError:  # half of a pair of surrogates, or a very large number
        return json.dumps(event, default=str)


class _Lines:
    """Writes a line in one go, even where a stream is not buffered: workers share it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        text = line.encode("utf-8", "backslashreplace").decode() + "\n"
        # A closed stream, a full disk: there is nowhere left to say so.
        with suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()

    log = debug = info = warn = warning = error = critical = exception = fatal = failure = err = msg
