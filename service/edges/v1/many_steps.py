"""POST /v1/steps: steps for many sessions in one request, for gateways that hold many.

Items succeed and fail one by one. All are in the queue before any is awaited, so that those of
different sessions share runs and commits, and those of one session are applied in their order.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
from starlette.types import Receive, Scope

from service.edges.http.body import LONG_BODY_BYTES
from service.edges.http.conditions import etag, read_conditions
from service.edges.http.context import Context
from service.edges.http.direct import Answered
from service.edges.http.door import exchange_of
from service.edges.http.json import to_json
from service.edges.http.problems import answer_error
from service.edges.v1.items import Item, ItemOrFault, read_items
from service.edges.v1.step_bodies import render_steps
from service.edges.v1.steps import JSON
from service.errors import GatewiseError, InvalidInput, Overloaded, ShuttingDown
from service.operations.caller import Caller
from service.operations.keys import Key
from service.operations.limits import Budget
from service.operations.requests import Step
from service.sessions.answers import Answer

TEMPLATE = "/v1/steps"
Outcome = tuple[ItemOrFault, Answer | Exception]


async def answer_many_steps(context: Context, _: str, scope: Scope, receive: Receive) -> Answered:
    """Raises BodyTooLarge, InvalidInput for the request as a whole."""
    exchange = exchange_of(scope)
    raw = await exchange.read_body(scope, receive)
    key = _request_key(scope)
    is_long = len(raw) > LONG_BODY_BYTES
    items = await asyncio.to_thread(read_items, raw, key) if is_long else read_items(raw, key)
    # All wait already; most are done together, and only the first of those is waited for.
    started = _start(context, items, exchange.caller)
    together = asyncio.gather(
        *(one for one in started if isinstance(one, asyncio.Future)), return_exceptions=True
    )
    await exchange.wait(together, receive)
    outcomes = [_outcome(one) for one in started]
    answers = list(zip(items, outcomes, strict=True))
    body = await asyncio.to_thread(_render, answers) if is_long else _render(answers)
    return Answered(body, [JSON])


def _start(
    context: Context, items: Sequence[ItemOrFault], caller: Caller
) -> list["asyncio.Future[Answer] | GatewiseError"]:
    budget = Budget(context.limits)
    started: list[asyncio.Future[Answer] | GatewiseError] = []
    refusal: GatewiseError | None = None
    for index, item in enumerate(items):
        if not isinstance(item, Item):
            started.append(item)
        elif refusal is not None:
            started.append(refusal)
        else:
            step = Step(
                item.session_id, item.inputs, item.gates, item.conditions, caller, budget, index
            )
            try:
                started.append(context.sessions.start_step(step))
            except (Overloaded, ShuttingDown) as error:
                # Nor what comes later: there might be room for it, before its predecessors.
                refusal = error
                started.append(error)
    return started


def _outcome(started: "asyncio.Future[Answer] | GatewiseError") -> Answer | Exception:
    if not isinstance(started, asyncio.Future):
        return started
    error = started.exception()
    if error is None:
        return started.result()
    assert isinstance(error, Exception)
    return error


def _request_key(scope: Scope) -> Key | None:
    conditions = read_conditions(scope["headers"])
    if conditions.if_match is not None:
        raise InvalidInput.at(
            ("if-match",), "the items are many; give each its own `if_match`", "headers"
        )
    return conditions.key


def _render(outcomes: Sequence[Outcome]) -> bytes:
    rendered = [
        _render_answer(item, outcome)
        if isinstance(item, Item) and isinstance(outcome, Answer)
        else _render_problem(item, outcome, index)
        for index, (item, outcome) in enumerate(outcomes)
    ]
    return to_json({"items": rendered})


def _render_answer(item: Item, answer: Answer) -> dict[str, Any]:
    rendered = render_steps(answer, item.gates)
    rendered["etag"] = etag(answer.revision)
    if answer.replayed:
        rendered["replayed"] = True
    return rendered


def _render_problem(item: ItemOrFault, error: Answer | Exception, index: int) -> dict[str, Any]:
    assert isinstance(error, Exception)
    if isinstance(error, InvalidInput):
        error = InvalidInput(fault.below(("items", index)) for fault in error.faults)
    problem = answer_error(error)
    rendered: dict[str, Any] = {"problem": orjson.Fragment(problem.body)}
    if isinstance(item, Item):
        rendered["session_id"] = item.session_id
    if "etag" in problem.headers:
        rendered["etag"] = problem.headers["etag"]
    if "retry-after" in problem.headers:
        rendered["retry_after"] = int(problem.headers["retry-after"])
    return rendered
