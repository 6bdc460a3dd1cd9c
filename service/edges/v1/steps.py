"""POST /v1/sessions/{session_id}/steps: the hot route, from bytes to bytes."""

from starlette.types import Receive, Scope

from service.edges.http.body import parse_aside
from service.edges.http.conditions import read_conditions
from service.edges.http.context import Context
from service.edges.http.door import exchange_of
from service.edges.http.front import Answered
from service.edges.http.long_numbers import long_json
from service.edges.v1.requests import StepsBody
from service.edges.v1.step_bodies import (
    inputs_of,
    render_aside,
    render_steps,
    session_headers,
    step_fields,
)
from service.operations.gates import GateSelection
from service.operations.requests import Steps
from service.sessions.answers import Answers

TEMPLATE = "/v1/sessions/{session_id}/steps"
JSON = (b"content-type", b"application/json")


async def answer_steps(
    context: Context, session_id: str, scope: Scope, receive: Receive
) -> Answered:
    """Raises what `Sessions.step` raises, BodyTooLarge, InvalidInput."""
    exchange = exchange_of(scope)
    body = await parse_aside(await exchange.read_body(scope, receive), StepsBody)
    conditions = read_conditions(scope["headers"], body.at)
    block = Steps.of(session_id, inputs_of(body), body.gates, conditions, exchange.caller)
    answered = await exchange.wait(context.sessions.start_steps(block), receive)
    if answered.failures:
        raise answered.failures[0][1]
    (answers,) = answered.answers
    headers = session_headers(int(answers.revisions[0]), replayed=answers.replayed)
    return Answered(await _rendered(answers, body.gates), [JSON, *headers])


async def _rendered(answers: Answers, gates: GateSelection | None) -> bytes:
    if answers.outputs.shape[1] == 1:
        return b"{%b}" % step_fields(answers, gates)[0]
    ((_, answer),) = answers.each()
    return await render_aside(answer, lambda: long_json(render_steps(answer, gates)))
