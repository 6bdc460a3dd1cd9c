"""POST /v1/steps: steps for many sessions in one request, for gateways that hold many.

Items succeed and fail one by one. All are in the queue before any is awaited, so that those of
different sessions share runs and commits, and those of one session are applied in their order.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import orjson
from numpy.typing import NDArray
from starlette.types import ASGIApp, Receive, Scope, Send

from service.bundle.manifest import Manifest, Values
from service.edges.http.body import LONG_BODY_BYTES, read_body
from service.edges.http.conditions import etag, read_conditions
from service.edges.http.door import Exchanges
from service.edges.http.origins import check_origin
from service.edges.http.problems import answer_error
from service.edges.v1.answers import numbers_of, to_json
from service.edges.v1.gates import check_selection
from service.edges.v1.items import Item, ItemOrFault, read_items
from service.edges.v1.requests import StepsBody
from service.edges.v1.step_bodies import decode_source
from service.edges.v1.steps import JSON, Answered, render_steps, send_answer
from service.errors import GatewiseError, InvalidInput, Overloaded, ShuttingDown
from service.sessions.answers import Answer
from service.sessions.receipts import Key
from service.sessions.sessions import Sessions
from service.sessions.stepping import StepRequest

PATH = "/v1/steps"
Outcome = tuple[ItemOrFault, Answer | Exception]
_PLAIN = StepsBody(inputs=[])
"""What a plain item asks for besides its inputs: nothing."""


class ManyStepsEndpoint:
    """Steps of many sessions: from the bytes of a request to the bytes of its answer."""

    def __init__(self, sessions: Sessions, max_body_bytes: int, max_numbers: int) -> None:
        self._sessions = sessions
        self._max_body_bytes = max_body_bytes
        self._max_numbers = max_numbers

    async def answer(self, scope: Scope, receive: Receive) -> Answered:
        """Raises ForeignOrigin, BodyTooLarge, InvalidInput for the request as a whole."""
        check_origin(scope)
        raw = await read_body(scope, receive, self._max_body_bytes)
        key = _request_key(scope, raw)
        is_long = len(raw) > LONG_BODY_BYTES
        items = await asyncio.to_thread(read_items, raw, key) if is_long else read_items(raw, key)
        outcomes = await self._apply(items)
        body = await asyncio.to_thread(_render, outcomes) if is_long else _render(outcomes)
        return Answered(body, [JSON])

    async def _apply(self, items: Sequence[ItemOrFault]) -> list[Outcome]:
        # All wait already; most are done together, and only the first of those is waited for.
        outcomes = [await _outcome(one) for one in self._start(items)]
        return list(zip(items, outcomes, strict=True))

    def _start(
        self, items: Sequence[ItemOrFault]
    ) -> list["asyncio.Future[Answer] | GatewiseError"]:
        numbers = _Numbers(self._max_numbers)
        started: list[asyncio.Future[Answer] | GatewiseError] = []
        refusal: GatewiseError | None = None
        for index, item in enumerate(items):
            if not isinstance(item, Item):
                started.append(item)
            elif refusal is not None:
                started.append(refusal)
            else:
                try:
                    started.append(self._sessions.start_step(_request(item, index, numbers)))
                except (Overloaded, ShuttingDown) as error:
                    # Nor what comes later: there might be room for it, before its predecessors.
                    refusal = error
                    started.append(error)
        return started


async def _outcome(started: "asyncio.Future[Answer] | GatewiseError") -> Answer | Exception:
    try:
        return await started if isinstance(started, asyncio.Future) else started
    except Exception as error:  # this item's own; the others go on
        return error


class _Numbers:
    """How many numbers the items of one request have computed, against the most allowed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: dict[int, int] = {}
        self._total = 0

    def take(self, index: int, numbers: int) -> None:
        """Count an item, once however often it is tried. Raises InvalidInput where it is much."""
        total = self._total + numbers - self._taken.get(index, 0)
        if total > self._most:
            raise InvalidInput.at(
                (),
                f"the items up to this one take {total} numbers (outputs, states, gates), "
                f"at most {self._most} are allowed; send them in several requests",
            )
        self._total, self._taken[index] = total, numbers


def _request_key(scope: Scope, raw: bytes) -> Key | None:
    conditions = read_conditions(scope["headers"], b"many-steps", raw)
    if conditions.if_match is not None:
        raise InvalidInput.at(
            ("if-match",), "the items are many; give each its own `if_match`", "headers"
        )
    return conditions.key


def _request(item: Item, index: int, numbers: _Numbers) -> StepRequest:
    gates = item.body is not None and item.body.gates is not None
    # A function defined here would evaluate its annotations anew for every item.
    decode = partial(_decode, item, index, numbers)
    return StepRequest(item.session_id, decode, gates, item.conditions)


def _decode(item: Item, index: int, numbers: _Numbers, manifest: Manifest) -> NDArray[Any]:
    inputs = _inputs(item, manifest)
    gates = None if item.body is None else item.body.gates
    numbers.take(index, numbers_of(len(inputs), manifest, gates))
    return inputs


def _inputs(item: Item, manifest: Manifest) -> NDArray[Any]:
    taken, rows = manifest.input, item.rows
    if rows is None or not isinstance(taken, Values) or rows.shape[1] != taken.width:
        # What is wrong with it, if anything, is told as to a request of its own.
        return decode_source(item.body or StepsBody(inputs=item.inputs), manifest)
    if item.body is not None and item.body.gates is not None:
        check_selection(item.body.gates, manifest.layers)
    return rows


def _render(outcomes: Sequence[Outcome]) -> bytes:
    rendered = [
        _render_answer(item, outcome)
        if isinstance(item, Item) and isinstance(outcome, Answer)
        else _render_problem(item, outcome, index)
        for index, (item, outcome) in enumerate(outcomes)
    ]
    return to_json({"items": rendered})


def _render_answer(item: Item, answer: Answer) -> dict[str, Any]:
    rendered = render_steps(answer, item.body or _PLAIN)
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


class ManyStepsShortcut:
    """Answers `POST /v1/steps` itself and passes everything else on to the app."""

    def __init__(self, app: ASGIApp, endpoint: ManyStepsEndpoint, exchanges: Exchanges) -> None:
        self._app = app
        self._endpoint = endpoint
        self._figures = exchanges.route("POST", PATH)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "POST":
            await send_answer(self._endpoint.answer(scope, receive), scope, send, self._figures)
        else:
            await self._app(scope, receive, send)
