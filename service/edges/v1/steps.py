"""POST /v1/sessions/{session_id}/steps: the hot route, from bytes to bytes."""

from starlette.types import Receive, Scope

from service.batcher.waiting import Reply
from service.edges.http.body import parse_aside, parse_body
from service.edges.http.conditions import read_conditions
from service.edges.http.context import Context
from service.edges.http.direct import Answered
from service.edges.http.door import Exchange, exchange_of
from service.edges.http.json import to_json
from service.edges.http.long_numbers import long_json
from service.edges.v1.requests import StepsBody
from service.edges.v1.step_bodies import (
    MANY_OUTPUTS,
    inputs_of,
    render_aside,
    render_steps,
    session_headers,
)
from service.operations.gates import GateSelection
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
    step = _step(session_id, body, exchange)
    answer = await exchange.wait(context.sessions.start_step(step), receive)
    rendered = await render_aside(answer, lambda: _rendered(answer, body.gates))
    return _answered(answer, rendered)


def start_steps(
    context: Context, session_id: str, exchange: Exchange, raw: bytes, reply: Reply[Answered]
) -> bool:
    """As `answer_steps`; False where the answer may be long, and is rendered aside."""
    body = parse_body(raw, StepsBody)
    if len(body.text or body.inputs or "") > MANY_OUTPUTS:
        return False
    step = _step(session_id, body, exchange)
    context.sessions.send_step(step, _StepReply(reply, body.gates))
    return True


class _StepReply:
    """Renders the answer for whoever waits for it."""

    __slots__ = ("_gates", "_reply", "cancelled", "set_exception")

    def __init__(self, reply: Reply[Answered], gates: GateSelection | None) -> None:
        self._reply = reply
        self._gates = gates
        self.cancelled = reply.cancelled
        self.set_exception = reply.set_exception

    def set_result(self, answer: Answer) -> None:
        try:
            answered = _answered(answer, _rendered(answer, self._gates))
        except Exception as error:  # answered, as every error is; others of the group come next
            self._reply.set_exception(error)
        else:
            self._reply.set_result(answered)


def _step(session_id: str, body: StepsBody, exchange: Exchange) -> Step:
    conditions = read_conditions(exchange.headers, body.at)
    return Step(session_id, inputs_of(body), body.gates, conditions, exchange.caller)


def _rendered(answer: Answer, gates: GateSelection | None) -> bytes:
    write = to_json if len(answer.result.outputs) == 1 else long_json
    return write(render_steps(answer, gates))


def _answered(answer: Answer, rendered: bytes) -> Answered:
    return Answered(rendered, [JSON, *session_headers(answer)])
