"""What the routes work with, made once by the composition root."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from service.edges.http.door import Exchange, exchange_of
from service.operations.limits import Limits
from service.repository.desired import Steering
from service.repository.models import Models
from service.sessions.readiness import Readiness
from service.sessions.sequences import Sequences
from service.sessions.sessions import Sessions
from service.settings import Settings
from service.traces.traces import Traces


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of a running service."""

    settings: Settings
    limits: Limits
    models: Models
    steering: Steering
    sessions: Sessions
    sequences: Sequences
    readiness: Readiness
    traces: Traces


def _context_of(request: Request) -> Context:
    return cast(Context, request.app.state.context)


def _exchange_of(request: Request) -> Exchange:
    return exchange_of(request.scope)


Ctx = Annotated[Context, Depends(_context_of)]
"""A route's parameter that receives the context."""

Asked = Annotated[Exchange, Depends(_exchange_of)]
"""A route's parameter that receives its exchange."""
