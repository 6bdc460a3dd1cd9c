"""All routes of `/v1`: those that FastAPI answers, and those that are answered without it."""

from functools import partial

from service.edges.http.context import Context
from service.edges.http.direct import DirectRoute
from service.edges.v1 import model_routes, session_routes, step_routes
from service.edges.v1.many_steps import TEMPLATE as MANY_STEPS
from service.edges.v1.many_steps import answer_many_steps
from service.edges.v1.schemas import DoneEvent, OutputEvent
from service.edges.v1.steps import TEMPLATE as STEPS
from service.edges.v1.steps import answer_steps, start_steps
from service.edges.v1.stream.endpoint import SOCKET

ROUTERS = (model_routes.router, session_routes.router, step_routes.router, step_routes.many_router)
EVENTS = (OutputEvent, DoneEvent)
"""What is described besides: the events of a streamed rollout."""
SOCKETS = (SOCKET,)


def direct_routes(context: Context) -> list[DirectRoute]:
    return [
        DirectRoute(STEPS, partial(answer_steps, context), partial(start_steps, context)),
        DirectRoute(MANY_STEPS, partial(answer_many_steps, context)),
    ]
