"""What the routes work with, made once by the composition root."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from service.edges.v1.many_steps import ManyStepsEndpoint
from service.edges.v1.steps import StepsEndpoint
from service.repository.models import Models
from service.sessions.readiness import Readiness
from service.sessions.sequences import Sequences
from service.sessions.sessions import Sessions
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of a running service."""

    settings: Settings
    models: Models
    sessions: Sessions
    sequences: Sequences
    steps: StepsEndpoint
    many_steps: ManyStepsEndpoint
    readiness: Readiness


def _context_of(request: Request) -> Context:
    return cast(Context, request.app.state.context)


Ctx = Annotated[Context, Depends(_context_of)]
"""A route's parameter that receives the context."""
