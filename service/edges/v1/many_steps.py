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
from service.edges.http.conditions import read_conditions
from service.edges.http.context import Context
from service.edges.http.direct import Answered
from service.edges.http.door import exchange_of
from service.edges.http.json import to_json
from service.edges.http.problems import answer_error
from service.edges.v1.items import Item, ItemOrFault, blocks_of, read_items
from service.edges.v1.step_bodies import described_fields
from service.edges.v1.steps import JSON
from service.errors import GatewiseError, InvalidInput, Overloaded, ShuttingDown
from service.operations.caller import Caller
from service.operations.conditions import UNCONDITIONAL
from service.operations.inputs import Inputs
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
    key = _request_key(scope)
    is_long = len(raw) > LONG_BODY_BYTES
    items = await asyncio.to_thread(read_items, raw, key) if is_long else read_items(raw, key)
    collected = _Collected(items)
    _send(context, items, collected, exchange.caller)
    await exchange.wait(collected.complete, receive)
    body = await asyncio.to_thread(_render, collected) if is_long else _render(collected)
    return Answered(body, [JSON])


class _Collected:
    """What came of the items so far; `complete` when nothing is missing."""

    def __init__(self, items: Sequence[ItemOrFault]) -> None:
        self.items = items
        self.answers: list[tuple[Sequence[int], Answers]] = []
        """With the indexes of their block's rows."""
        self.failures: list[tuple[int, Exception]] = []
        self.complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._missing = len(items)

    def take(self, indexes: Sequence[int], rows: Sequence[int], outcome: object) -> None:
        """Some rows of the block that has the items at `indexes`."""
        if isinstance(outcome, Exception):
            outcome = Stepped(failures=[(row, outcome) for row in rows])
        assert isinstance(outcome, Stepped)
        self.answers += [(indexes, answers) for answers in outcome.answers]
        self.failures += [(indexes[row], error) for row, error in outcome.failures]
        self._missing -= len(rows)
        if not self._missing and not self.complete.done():
            self.complete.set_result(None)


class _Reply:
    """Of one block."""

    def __init__(self, collected: _Collected, indexes: Sequence[int]) -> None:
        self._collected = collected
        self._indexes = indexes
        self.cancelled = collected.complete.cancelled

    def answer(self, rows: Sequence[int], outcome: Stepped | Exception) -> None:
        self._collected.take(self._indexes, rows, outcome)


def _send(
    context: Context, items: Sequence[ItemOrFault], collected: _Collected, caller: Caller
) -> None:
    budget = Budget(context.limits)
    refusal: GatewiseError | None = None
    for indexes, found, inputs in blocks_of(items, context.sessions.max_rows):
        reply = _Reply(collected, indexes)
        rows = range(len(indexes))
        if refusal is None:
            try:
                block = _block(found, inputs, caller, budget, indexes[0])
                context.sessions.send_steps(block, reply)
                continue
            except (Overloaded, ShuttingDown) as error:
                # Nor what comes later: there might be room for it, before its predecessors.
                refusal = error
        reply.answer(rows, refusal)
    for index, item in enumerate(items):
        if not isinstance(item, Item):
            collected.take([index], (0,), item)


def _block(
    items: Sequence[Item], inputs: Inputs, caller: Caller, budget: Budget, part: int
) -> Steps:
    conditions = [item.conditions for item in items]
    plain = all(one is UNCONDITIONAL for one in conditions)
    return Steps(
        [caller.identity(item.session_id) for item in items],
        inputs,
        items[0].gates,
        None if plain else conditions,
        caller,
        budget=budget,
        part=part,
    )


def _request_key(scope: Scope) -> Key | None:
    conditions = read_conditions(scope["headers"])
    if conditions.if_match is not None:
        raise InvalidInput.at(
            ("if-match",), "the items are many; give each its own `if_match`", "headers"
        )
    return conditions.key


def _render(collected: _Collected) -> bytes:
    rendered = [b""] * len(collected.items)
    for indexes, answers in collected.answers:
        item = collected.items[indexes[answers.rows[0]]]
        assert isinstance(item, Item)
        for row, fields in zip(answers.rows, described_fields(answers, item.gates), strict=True):
            rendered[indexes[row]] = b"{%b}" % fields
    for index, error in collected.failures:
        rendered[index] = to_json(_render_problem(collected.items[index], error, index))
    return b'{"items":[%b]}' % b",".join(rendered)


def _render_problem(item: ItemOrFault, error: Exception, index: int) -> dict[str, Any]:
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
