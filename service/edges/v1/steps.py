"""POST /v1/sessions/{session_id}/steps: the hot route, from bytes to bytes."""

from collections.abc import Sequence

from starlette.types import Receive, Scope

from service.edges.http.body import parse_aside, parse_body
from service.edges.http.conditions import read_conditions
from service.edges.http.context import Context
from service.edges.http.direct import Answered, DirectReply
from service.edges.http.door import Exchange, exchange_of
from service.edges.http.long_numbers import long_json
from service.edges.v1.requests import StepsBody
from service.edges.v1.step_bodies import (
    MANY_OUTPUTS,
    etags,
    inputs_of,
    render_aside,
    render_forecast,
    render_steps,
    session_headers,
    step_fields,
)
from service.operations.gates import GateSelection
from service.operations.requests import Steps
from service.operations.rollout import Forecast
from service.sessions.answers import Answered as Stepped
from service.sessions.answers import Answers

TEMPLATE = "/v1/sessions/{session_id}/steps"
JSON = (b"content-type", b"application/json")


async def answer_steps(
    context: Context, session_id: str, scope: Scope, receive: Receive
) -> Answered:
    """Raises what `Sessions.step` raises, BodyTooLarge, InvalidInput."""
    exchange = exchange_of(scope)
    body = await parse_aside(await exchange.read_body(scope, receive), StepsBody)
    if body.horizon is not None:
        return await _answer_forecast(context, session_id, body, exchange, body.horizon)
    block = _block(session_id, body, exchange)
    outcome = await exchange.wait(context.sessions.start_steps(block), receive)
    answers = _only(outcome)
    rendered = await render_aside(answers.time, lambda: _rendered(answers, body.gates))
    return _answered(answers, rendered)


def start_steps(
    context: Context, session_id: str, exchange: Exchange, raw: bytes, reply: DirectReply
) -> bool:
    """As `answer_steps`; False where the answer may take long."""
    body = parse_body(raw, StepsBody)
    if body.horizon is not None or len(body.text or body.inputs or "") > MANY_OUTPUTS:
        return False
    block = _block(session_id, body, exchange)
    context.sessions.send_steps(block, _Reply(reply, body.gates))
    return True


class _Reply:
    """Renders the answer for whoever waits for it."""

    __slots__ = ("_gates", "_reply", "cancelled")

    def __init__(self, reply: DirectReply, gates: GateSelection | None) -> None:
        self._reply = reply
        self._gates = gates
        self.cancelled = reply.cancelled

    def answer(self, _: Sequence[int], outcome: Stepped | Exception) -> None:
        try:
            answers = _only(outcome)
            answered = _answered(answers, _rendered(answers, self._gates))
        except Exception as error:  # answered, as every error is; others of the group come next
            self._reply.set_exception(error)
        else:
            self._reply.set_result(answered)


async def _answer_forecast(
    context: Context, session_id: str, body: StepsBody, exchange: Exchange, horizon: int
) -> Answered:
    """Steps with a look ahead, which are computed where rollouts are."""
    conditions = read_conditions(exchange.headers, body.at)
    forecast = Forecast(
        session_id, inputs_of(body), horizon, body.gates, conditions, exchange.caller, body.future
    )
    answer = await context.sessions.forecast(forecast)
    rendered = await render_aside(
        len(answer.result.outputs), lambda: long_json(render_forecast(answer, horizon, body.gates))
    )
    headers = session_headers(b"%x" % answer.revision, replayed=answer.replayed)
    return Answered(rendered, [JSON, *headers])


def _block(session_id: str, body: StepsBody, exchange: Exchange) -> Steps:
    conditions = read_conditions(exchange.headers, body.at)
    return Steps.of(session_id, inputs_of(body), body.gates, conditions, exchange.caller)


def _only(outcome: Stepped | Exception) -> Answers:
    """The answer to the only row. Raises its failure."""
    if isinstance(outcome, Exception):
        raise outcome
    if outcome.failures:
        raise outcome.failures[0][1]
    return outcome.answers[0]


def _rendered(answers: Answers, gates: GateSelection | None) -> bytes:
    if answers.time == 1:
        return b"{%b}" % step_fields(answers, gates)[0]
    ((_, answer),) = answers.each()
    return long_json(render_steps(answer, gates))


def _answered(answers: Answers, rendered: bytes) -> Answered:
    tag = answers.columns.once(etags)[answers.begin]
    headers = session_headers(tag, replayed=answers.columns.replayed)
    return Answered(rendered, [JSON, *headers])
