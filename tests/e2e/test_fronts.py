"""Both ways through the service are one to a client, to the metrics and to the log."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.e2e.requests import new_session
from tests.metrics_page import Series, read_metrics
from tests.raw_http import RawAnswer, RawConnection, head, post, post_in_chunks
from tests.service_process import ServiceProcess, client_of
from tests.waiting import wait_until

ROW = "[20, 1000, 0.5]"
STEPS = "/v1/sessions/the-session/steps"
ONE = f'{{"inputs": [{ROW}]}}'.encode()
_numbers = itertools.count()

REQUESTS = {
    "a step": post(STEPS, ONE),
    "as text": post("/v1/sessions/the-letters/steps", b'{"text": "abc"}'),
    "as a token": post("/v1/sessions/the-letters/steps", b'{"inputs": [1]}'),
    "with gates": post(STEPS, f'{{"inputs": [{ROW}], "gates": true}}'.encode()),
    "at most 64 steps": post(STEPS, f'{{"inputs": [{", ".join([ROW] * 64)}]}}'.encode()),
    "more than 64 steps": post(STEPS, f'{{"inputs": [{", ".join([ROW] * 65)}]}}'.encode()),
    "a long body": post(STEPS, ONE.ljust(70_000)),
    "too long a body": post(STEPS, ONE.ljust(100_001)),
    "in chunks": post_in_chunks(STEPS, ONE),
    "a query": post(f"{STEPS}?a=b", ONE),
    "encoded": post("/v1/sessions/the%2Dsession/steps", ONE),
    "a key": post(STEPS, ONE, "idempotency-key: abc"),
    "a numbered key": post(STEPS, ONE, "idempotency-key: w:1"),
    "two keys": post(STEPS, ONE, "idempotency-key: abc", "idempotency-key: abd"),
    "any tag": post(STEPS, ONE, "if-match: *"),
    "another tag": post(STEPS, ONE, 'if-match: "0"'),
    "no tag": post(STEPS, ONE, "if-match: x"),
    "another count": post(STEPS, f'{{"inputs": [{ROW}], "at": 1000000}}'.encode()),
    "no JSON": post(STEPS, b"{"),
    "no UTF-8": post(STEPS, b'{"text": "\xff"}'),
    "no object": post(STEPS, b"[]"),
    "an unknown field": post(STEPS, b'{"input": []}'),
    "no steps": post(STEPS, b'{"inputs": []}'),
    "a wrong width": post(STEPS, b'{"inputs": [[1, 2]]}'),
    "a bool": post(STEPS, b'{"inputs": [[1, 2, true]]}'),
    "too large a number": post(STEPS, b'{"inputs": [[1, 2, 1e39]]}'),
    "no number": post(STEPS, b'{"inputs": [[1, 2, NaN]]}'),
    "an unknown session": post("/v1/sessions/unknown/steps", ONE),
    "no id": post("/v1/sessions//steps", ONE),
    "another method": head(f"GET {STEPS} HTTP/1.1"),
    "another route": head("GET /v1/sessions/the-session/nothing HTTP/1.1"),
    "a page of another site": post(STEPS, ONE, "origin: http://elsewhere.example"),
    "a page of this site": post(STEPS, ONE, "origin: http://x"),
    "the last one": post(STEPS, ONE, "connection: close"),
    "HTTP/1.0": post(STEPS, ONE, version="1.0"),
}


@pytest.fixture(scope="module")
def sessions(fronts: Mapping[str, ServiceProcess]) -> Mapping[str, ServiceProcess]:
    """Both have the same sessions, which both sides move alike."""
    for service in fronts.values():
        with client_of(service.url) as client:
            new_session(client, "weather", session_id="the-session")
            new_session(client, "letters", session_id="the-letters")
    return fronts


@pytest.mark.parametrize("name", REQUESTS)
def test_both_ways_are_one(sessions: Mapping[str, ServiceProcess], name: str) -> None:
    given = f"both-{next(_numbers)}"
    request = REQUESTS[name].replace(b"\r\n", f"\r\nx-request-id: {given}\r\n".encode(), 1)
    direct, plain = (_seen(service, request, given) for service in sessions.values())
    assert direct == plain


def test_a_key_that_comes_again(sessions: Mapping[str, ServiceProcess]) -> None:
    for key in ("again", "again", "again:1", "again:1"):
        given = f"again-{next(_numbers)}"
        request = post(STEPS, ONE, f"idempotency-key: {key}", f"x-request-id: {given}")
        direct, plain = (_seen(service, request, given) for service in sessions.values())
        assert direct == plain
    assert ("idempotent-replayed", "true") in direct[0].headers


def test_ids_of_our_own(sessions: Mapping[str, ServiceProcess]) -> None:
    """A request that names none, or one that may harm, finds its lines by the answer's."""
    for service in sessions.values():
        for headers in ([], ['x-request-id: a"b']):
            with RawConnection(service.port) as connection:
                given = connection.ask(post(STEPS, b"{", *headers)).header("x-request-id")
            assert given is not None
            assert {line["event"] for line in _lines(service, given)} == LINES_OF_A_REFUSAL


LINES_OF_A_REFUSAL = {"request_refused", "request"}


def _seen(
    service: ServiceProcess, request: bytes, given: str
) -> tuple[RawAnswer, dict[Series, float], list[dict[str, Any]]]:
    """The answer, what was counted and what was logged, without times and random numbers."""
    with client_of(service.url) as client:
        before = read_metrics(client)
        with RawConnection(service.port) as connection:
            answer = connection.ask(request)
        lines = list(_lines(service, given))
        after = read_metrics(client)
    return _without_tags(answer), _counted(before, after), lines


def _without_tags(answer: RawAnswer) -> RawAnswer:
    lines = answer.head.split(b"\r\n")
    names = [line.partition(b":")[0] for line in lines]
    kept = [
        name if name in (b"date", b"etag") else line
        for name, line in zip(names, lines, strict=True)
    ]
    return RawAnswer(b"\r\n".join(kept), answer.body)


def _counted(before: Mapping[Series, float], after: Mapping[Series, float]) -> dict[Series, float]:
    """The requests to steps, and problems of every kind."""
    of_steps = {
        series: value
        for series, value in after.items()
        if series[0] in ("gatewise_http_requests_total", "gatewise_problems_total")
        or series[0] == "gatewise_http_request_duration_seconds_count"
        if ("route", "/metrics") not in series[1]
    }
    changes = {series: value - before.get(series, 0) for series, value in of_steps.items()}
    return {series: change for series, change in changes.items() if change}


def _lines(service: ServiceProcess, given: str) -> Iterator[dict[str, Any]]:
    """The lines of a request, as soon as the last one is there."""

    def found() -> list[dict[str, Any]]:
        events = [*service.events("request_refused"), *service.events("request")]
        return [event for event in events if event.get("request_id") == given]

    wait_until(lambda: "request" in [line["event"] for line in found()], service.log)
    for line in found():
        yield {k: v for k, v in line.items() if k not in ("duration_seconds", "timestamp")}
