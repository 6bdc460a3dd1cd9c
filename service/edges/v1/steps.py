"""POST /v1/sessions/{session_id}/steps: the hot route, from bytes to bytes."""

from starlette.types import Receive, Scope

from service.edges.http.body import parse_aside
from service.edges.http.conditions import read_conditions
from service.edges.http.context import Context
from service.edges.http.door import exchange_of
from service.edges.http.front import Answered
from service.edges.http.json import to_json
from service.edges.http.long_numbers import long_json
from service.edges.v1.requests import StepsBody
from service.edges.v1.step_bodies import inputs_of, render_aside, render_steps, session_headers
from service.operations.requests import Step
from service.sessions.answers import Answer

TEMPLATE = "/v1/sessions/{session_id}/steps"
JSON = (b"content-type", b"application/json")


async def answer_steps(
    context: Context, session_id: str, scope: Scope, receive: Receive
) -> Answered:
    """Raises what `Sessions.step` raises, BodyTooLarge, InvalidInput."""
    exchange = exchange_of(scope)
    body = await parse_aside(await exchange.read_body(scope, receive), StepsBody)
    conditions = read_conditions(scope["headers"], body.at)
    step = Step(session_id, inputs_of(body), body.gates, conditions, exchange.caller)
    answer = await exchange.wait(context.sessions.start_step(step), receive)
    return Answered(await _rendered(answer, body), [JSON, *session_headers(answer)])


async def _rendered(answer: Answer, body: StepsBody) -> bytes:
    if len(answer.result.outputs) == 1:
        return to_json(render_steps(answer, body.gates))
    return await render_aside(answer, lambda: long_json(render_steps(answer, body.gates)))
