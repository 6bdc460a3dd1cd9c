"""The FastAPI application: routes, and one way for every error to leave."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Lifespan

from service import __version__
from service.edges.http import health_routes
from service.edges.http.context import Context
from service.edges.http.openapi import Socket, add_schemas, add_sockets
from service.edges.http.problems import ProblemAnswer, answer_error, answer_status
from service.errors import Fault, GatewiseError, InvalidInput

_OWN_ROUTERS = (health_routes.router,)


class _Api(FastAPI):
    """FastAPI whose document also describes problems, and what a protocol describes besides."""

    described: tuple[type[BaseModel], ...] = ()
    sockets: tuple[Socket, ...] = ()

    def openapi(self) -> dict[str, Any]:
        return add_sockets(add_schemas(super().openapi(), self.described), self.sockets)


def build_api(
    context: Context,
    routers: Sequence[APIRouter],
    described: Sequence[type[BaseModel]],
    sockets: Sequence[Socket],
    lifespan: Lifespan[FastAPI],
) -> FastAPI:
    """The routes of all protocols, health and metrics, around the given parts."""
    app = _Api(
        title="Gatewise",
        version=__version__,
        summary="Recurrent networks of Gated Recurrent Units, with durable sessions and gates.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.described = tuple(described)
    app.sockets = tuple(sockets)
    app.state.context = context
    app.state.routers = (*routers, *_OWN_ROUTERS)
    for router in app.state.routers:
        app.include_router(router)
    app.add_exception_handler(GatewiseError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_error)
    return app


async def _on_error(_: Request, error: Exception) -> Response:
    return _response(answer_error(error))


async def _on_validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [
        Fault(detail["loc"][1:], detail["msg"], detail["loc"][0]) for detail in error.errors()
    ]
    return _response(answer_error(InvalidInput(faults)))


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answered = _response(answer_status(error.status_code, str(error.detail)))
    answered.headers.update(error.headers or {})
    if error.status_code == 405 and (methods := _allowed_methods(request)):
        # The framework's own header names the methods of the path's first route only.
        answered.headers["allow"] = ", ".join(sorted(methods))
    return answered


def _allowed_methods(request: Request) -> set[str]:
    return {
        method
        for router in request.app.state.routers
        for route in router.routes
        if isinstance(route, APIRoute) and route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }


def _response(problem: ProblemAnswer) -> Response:
    return Response(problem.body, problem.status, problem.headers)
