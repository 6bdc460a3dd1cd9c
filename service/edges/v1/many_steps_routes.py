"""/v1/steps: what moves many sessions at once."""

from fastapi import APIRouter, Request, Response

from service.edges.http.context import Ctx
from service.edges.http.openapi import KEYED, gives, takes
from service.edges.v1.many_steps import PATH
from service.edges.v1.requests import ManyStepsBody
from service.edges.v1.schemas import ManyStepsAnswer

router = APIRouter(tags=["sessions"])


@router.post(
    PATH,
    response_class=Response,
    responses=gives(ManyStepsAnswer, 400, 403, 413, 422),
    openapi_extra=takes(
        ManyStepsBody,
        {
            "items": [
                {"session_id": "station-7", "inputs": [[371.3]]},
                {"session_id": "station-8", "inputs": [[371.1]], "at": 40},
            ]
        },
        KEYED,
    ),
)
async def apply_many_steps(request: Request, context: Ctx) -> Response:
    """Apply time steps to many sessions; items succeed and fail one by one."""
    answered = await context.many_steps.answer(request.scope, request.receive)
    headers = {name.decode(): value.decode() for name, value in answered.headers}
    return Response(answered.body, headers=headers)
