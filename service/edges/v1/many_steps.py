"""POST /v1/steps: steps for many sessions in one request, for gateways that hold many.

Items succeed and fail one by one. All are in the queue before any is awaited, so that those of
different sessions share runs and commits, and those of one session are applied in their order.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import orjson
from starlette.types import Receive, Scope

from service.edges.http.body import LONG_BODY_BYTES
from service.edges.http.conditions import read_conditions
from service.edges.http.context import Context
from service.edges.http.direct import Answered
from service.edges.http.door import exchange_of
from service.edges.http.json import to_json
from service.edges.http.problems import answer_error
from service.edges.v1.items import Block, Items, read_items
from service.edges.v1.step_bodies import described_fields
from service.edges.v1.steps import JSON
from service.errors import GatewiseError, InvalidInput, Overloaded, ShuttingDown
from service.operations.caller import Caller
from service.operations.keys import Key
from service.operations.limits import Budget
from service.operations.requests import Steps
from service.sessions.answers import Answered as Stepped
from service.sessions.answers import Answers

TEMPLATE = "/v1/steps"


async def answer_many_steps(context: Context, _: str, scope: Scope, receive: Receive) -> Answered:
    """Raises BodyTooLarge, InvalidInput for the request as a whole."""
    exchange = exchange_of(scope)
    raw = await exchange.read_body(scope, receive)
    read = partial(read_items, raw, _request_key(scope), context.sessions.max_rows)
    is_long = len(raw) > LONG_BODY_BYTES
    items = await asyncio.to_thread(read) if is_long else read()
    collected = _Collected(items)
    _send(context, collected, exchange.caller)
    await exchange.wait(collected.complete, receive)
    body = await asyncio.to_thread(_render, collected) if is_long else _render(collected)
    return Answered(body, [JSON])


class _Collected:
    """What came of the items so far; `complete` when nothing is missing."""

    def __init__(self, items: Items) -> None:
        self.items = items
        self.answers: list[tuple[Block, Answers]] = []
        self.failures: list[tuple[int, Exception]] = list(items.faults)
        self.complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._missing = len(items.session_ids) - len(items.faults)
        self._end_if_complete()

    def take(self, block: Block, rows: Sequence[int], outcome: Stepped | Exception) -> None:
        """What came of some rows of a block."""
        if isinstance(outcome, Exception):
            outcome = Stepped(failures=[(row, outcome) for row in rows])
        self.answers += [(block, answers) for answers in outcome.answers]
        self.failures += [(block.indexes[row], error) for row, error in outcome.failures]
        self._missing -= len(rows)
        self._end_if_complete()

    def _end_if_complete(self) -> None:
        if not self._missing and not self.complete.done():
            self.complete.set_result(None)


class _Reply:
    """Of one block."""

    def __init__(self, collected: _Collected, block: Block) -> None:
        self._collected = collected
        self._block = block
        self.cancelled = collected.complete.cancelled

    def answer(self, rows: Sequence[int], outcome: Stepped | Exception) -> None:
        self._collected.take(self._block, rows, outcome)


def _send(context: Context, collected: _Collected, caller: Caller) -> None:
    budget = Budget(context.limits)
    refusal: GatewiseError | None = None
    for block in collected.items.blocks:
        reply = _Reply(collected, block)
        if refusal is None:
            try:
                context.sessions.send_steps(_steps(block, caller, budget), reply)
                continue
            except (Overloaded, ShuttingDown) as error:
                # Nor what comes later: there might be room for it, before its predecessors.
                refusal = error
        reply.answer(range(len(block.indexes)), refusal)


def _steps(block: Block, caller: Caller, budget: Budget) -> Steps:
    return Steps(
        list(map(caller.identity, block.session_ids)),
        block.inputs,
        block.gates,
        block.conditions,
        caller,
        budget=budget,
        part=block.indexes[0],
    )


def _request_key(scope: Scope) -> Key | None:
    conditions = read_conditions(scope["headers"])
    if conditions.if_match is not None:
        raise InvalidInput.at(
            ("if-match",), "the items are many; give each its own `if_match`", "headers"
        )
    return conditions.key


def _render(collected: _Collected) -> bytes:
    session_ids = collected.items.session_ids
    rendered = [b""] * len(session_ids)
    for block, answers in collected.answers:
        for row, fields in zip(answers.rows, described_fields(answers, block.gates), strict=True):
            rendered[block.indexes[row]] = fields
    for index, error in collected.failures:
        rendered[index] = to_json(_render_problem(session_ids[index], error, index))[1:-1]
    return b'{"items":[{%b}]}' % b"},{".join(rendered)


def _render_problem(session_id: str | None, error: Exception, index: int) -> dict[str, Any]:
    if isinstance(error, InvalidInput):
        error = InvalidInput(fault.below(("items", index)) for fault in error.faults)
    problem = answer_error(error)
    rendered: dict[str, Any] = {"problem": orjson.Fragment(problem.body)}
    if session_id is not None:
        rendered["session_id"] = session_id
    if "etag" in problem.headers:
        rendered["etag"] = problem.headers["etag"]
    if "retry-after" in problem.headers:
        rendered["retry_after"] = int(problem.headers["retry-after"])
    return rendered
