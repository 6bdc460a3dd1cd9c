"""/metrics of a real service: what it counts, what it never holds, and that all is documented."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as open_metrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.requests import apply_steps, new_session, weather_inputs
from tests.e2e.streams import open_stream
from tests.metrics_page import Series, read_metrics, value_of
from tests.redis_server import RedisServer, running
from tests.service_process import ServiceProcess, client_of, running_service
from tests.waiting import wait_until

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
STEPS = "/v1/sessions/{session_id}/steps"
REQUESTS = "gatewise_http_requests_total"
ROW = [[20.0, 1000.0, 0.5]]


def wait_for(client: httpx.Client, is_there: Callable[[dict[Series, float]], bool]) -> None:
    wait_until(lambda: is_there(read_metrics(client)), lambda: read_metrics(client), seconds=20)


def test_prometheus_reads_every_line(client: httpx.Client) -> None:
    session_id = new_session(client, "weather")
    apply_steps(client, session_id, ROW)
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name for family in text_string_to_metric_families(answer.text)}
    assert {"gatewise_steps", "gatewise_sessions", "process_open_fds"} <= families
    wanted = "application/openmetrics-text; version=1.0.0"
    answer = client.get("/metrics", headers={"accept": wanted})
    assert answer.headers["content-type"].startswith(wanted)
    assert "gatewise_steps" in {family.name for family in open_metrics_families(answer.text)}
    assert client.head("/metrics").status_code == 200


def test_every_metric_is_documented(client: httpx.Client) -> None:
    apply_steps(client, new_session(client, "weather"), ROW)
    text = client.get("/metrics").text
    shown = set(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|(.*?)\| .+ \| .+ \|$", PAGE.read_text("utf-8"), re.M)
    assert shown == {(name, kind) for name, kind, _ in rows}
    documented = {name: set(re.findall(r"`(\w+)`", labels)) for name, _, labels in rows}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = re.sub(r"_(bucket|sum|count)$", "", sample.name)
            assert set(sample.labels) - {"le"} == documented[name], sample


def test_requests_are_counted_by_their_route(client: httpx.Client) -> None:
    session_id = new_session(client, "weather")
    before = read_metrics(client)
    apply_steps(client, session_id, ROW)
    apply_steps(client, session_id, ROW)
    client.post("/v1/sessions/unknown/steps", json={"inputs": ROW})
    client.post("/v1/steps", json={"items": [{"session_id": session_id, "inputs": ROW}]})
    client.get(f"/v1/sessions/{session_id}?limit=7")
    client.get("/v1/nothing")
    client.put("/v1/models")
    after = read_metrics(client)

    def counted(method: str, route: str, status: int) -> float:
        labels = {"method": method, "route": route, "status": str(status)}
        return value_of(after, REQUESTS, **labels) - value_of(before, REQUESTS, **labels)

    assert counted("POST", STEPS, 200) == 2
    assert counted("POST", STEPS, 404) == 1
    assert counted("POST", "/v1/steps", 200) == 1
    assert counted("GET", "/v1/sessions/{session_id}", 200) == 1
    assert counted("GET", "unmatched", 404) == 1
    assert counted("PUT", "/v1/models", 405) == 1
    assert counted("GET", "/metrics", 200) == 1
    seconds = "gatewise_http_request_duration_seconds"
    took = value_of(after, f"{seconds}_sum", route=STEPS)
    assert 0 < took - value_of(before, f"{seconds}_sum", route=STEPS) < 30
    timed = value_of(after, f"{seconds}_count", route=STEPS)
    assert timed - value_of(before, f"{seconds}_count", route=STEPS) == 3


def test_steps_groups_and_answers_again_are_counted(client: httpx.Client) -> None:
    session_id = new_session(client, "weather")
    before = read_metrics(client)
    for _ in range(2):
        answer = client.post(
            f"/v1/sessions/{session_id}/steps",
            json={"inputs": weather_inputs(5)},
            headers={"idempotency-key": "once"},
        )
        assert answer.status_code == 200
    rollout = {"inputs": weather_inputs(2), "steps": 3, "advance": True}
    for _ in range(2):
        answer = client.post(
            f"/v1/sessions/{session_id}/rollout", json=rollout, headers={"idempotency-key": "roll"}
        )
        assert answer.status_code == 200
    moved = answer.json()["step"] - 5
    client.put(f"/v1/sessions/{session_id}/state", json={"step": 0, "state": [1.0]})
    # A group's figures come after its answers.
    calls = value_of(before, "gatewise_queue_wait_seconds_count") + 6
    wait_for(client, lambda now: value_of(now, "gatewise_queue_wait_seconds_count") >= calls)
    after = read_metrics(client)

    def more(name: str, **labels: str) -> float:
        return value_of(after, name, **labels) - value_of(before, name, **labels)

    assert more("gatewise_steps_total", model="weather") == 5 + moved
    assert more("gatewise_replays_total") == 2
    assert more("gatewise_batch_size_count") == more("gatewise_batch_size_sum") == 2
    assert more("gatewise_compute_seconds_count") == 1
    assert more("gatewise_store_seconds_count", operation="replace") == 2
    assert more("gatewise_store_seconds_count", operation="read") > 0
    assert more("gatewise_problems_total", code="invalid_input") == 1
    assert value_of(after, "gatewise_queue_length") == 0


def test_callers_cannot_add_series(client: httpx.Client) -> None:
    def ask(number: int) -> None:
        unknown = f"{number}-{os.urandom(4).hex()}"
        client.get(f"/{unknown}?q={unknown}", headers={"x-request-id": unknown})
        client.get(f"/v1/sessions/{unknown}")
        client.get(f"/v1/models/{unknown}")
        client.post(f"/v1/sessions/{unknown}/steps", json={"inputs": ROW})
        client.post(f"/v1/sessions/{unknown}/rollout", json={"inputs": ROW, "steps": 1})
        client.post("/v1/steps", json={"items": [{"session_id": unknown, "inputs": ROW}]})
        client.request(f"X{number}", "/v1/models")
        session_id = new_session(client, "weather", session_id=unknown)
        client.post(
            f"/v1/sessions/{session_id}/steps",
            json={"inputs": ROW},
            headers={"idempotency-key": unknown},
        )
        client.delete(f"/v1/sessions/{session_id}")

    ask(0)
    read_metrics(client)
    before = set(read_metrics(client))
    for number in range(1, 30):
        ask(number)
    after = set(read_metrics(client))
    assert after == before
    assert len(after) < 2_000


def test_what_is_open_is_counted_until_it_closes(
    client: httpx.Client, service: ServiceProcess
) -> None:
    name = "gatewise_open_streams"
    before = value_of(read_metrics(client), name, kind="websocket")
    with open_stream(service), open_stream(service):
        wait_for(client, lambda now: value_of(now, name, kind="websocket") == before + 2)
    wait_for(client, lambda now: value_of(now, name, kind="websocket") == before)
    session_id = new_session(client, "weather")
    events = {"accept": "text/event-stream"}
    url, body = f"/v1/sessions/{session_id}/rollout", {"inputs": ROW, "steps": 100_000}
    with client.stream("POST", url, json=body, headers=events) as answer:
        assert answer.status_code == 200, answer.read()
        lines = answer.iter_lines()  # whoever drops it closes the stream
        next(lines)
        wait_for(client, lambda now: value_of(now, name, kind="events") == 1)
    wait_for(client, lambda now: value_of(now, name, kind="events") == 0)


def test_live_sessions_and_models(repository: Path, tmp_path: Path) -> None:
    store, log = f"sqlite:///{tmp_path / 'sessions.db'}", tmp_path / "log"
    with (
        running_service(repository, store, log) as service,
        client_of(service.url) as client,
    ):
        ids = [new_session(client, "weather") for _ in range(3)]
        client.delete(f"/v1/sessions/{ids[0]}")
        series = read_metrics(client)
        assert value_of(series, "gatewise_sessions") == 2
        assert value_of(series, "gatewise_model_info", model="weather", version="1") == 1
    with (
        running_service(repository, store, log) as service,
        client_of(service.url) as client,
    ):
        wait_for(client, lambda now: value_of(now, "gatewise_sessions") == 2)


@pytest.fixture
def workers(repository: Path, tmp_path: Path) -> Iterator[ServiceProcess]:
    store, flags = f"sqlite:///{tmp_path / 'sessions.db'}", ("--workers", "2")
    with running_service(repository, store, tmp_path / "log", *flags) as process:
        process.wait_for("ready", 2)
        yield process


def test_any_worker_answers_for_all(workers: ServiceProcess) -> None:
    with client_of(workers.url) as client:
        session_id = new_session(client, "weather")
    first, second = [event["pid"] for event in workers.events("ready")]
    counted = 0
    for stopped in (first, second):
        os.kill(stopped, signal.SIGSTOP)
        for _ in range(5):
            counted += _step_alone(workers, session_id)
        os.kill(stopped, signal.SIGCONT)
    sums = set()
    for _ in range(20):
        with client_of(workers.url) as client:
            series = read_metrics(client)
        sums.add(value_of(series, REQUESTS, route=STEPS))
        assert value_of(series, "gatewise_steps_total", model="weather") >= counted
        assert value_of(series, "gatewise_sessions") == 1
    assert len(sums) == 1
    assert min(sums) >= counted == 10


def _step_alone(service: ServiceProcess, session_id: str) -> int:
    """A connection that the stopped worker was already woken for waits in vain: try another."""
    for _ in range(20):
        try:
            with httpx.Client(base_url=service.url, timeout=1) as client:
                apply_steps(client, session_id, ROW)
                return 1
        except httpx.TimeoutException:
            continue
    raise AssertionError("the other worker never answered")


def test_a_killed_worker_takes_nothing_with_it_but_what_it_had_open(
    workers: ServiceProcess,
) -> None:
    with client_of(workers.url) as client:
        session_id = new_session(client, "weather")
    for _ in range(20):
        with client_of(workers.url) as client:
            apply_steps(client, session_id, ROW)
    with ExitStack() as sockets, client_of(workers.url) as client:
        for _ in range(6):
            sockets.enter_context(open_stream(workers))
        wait_for(client, lambda now: value_of(now, "gatewise_open_streams", kind="websocket") == 6)
        for event in workers.events("ready"):
            os.kill(event["pid"], signal.SIGKILL)
        workers.wait_for("ready", 4)
    with client_of(workers.url) as client:
        series = read_metrics(client)
        assert value_of(series, REQUESTS, route=STEPS, status="200") == 20
        assert value_of(series, "gatewise_steps_total") == 20
        assert value_of(series, "gatewise_open_streams") == 0
        apply_steps(client, session_id, ROW)
        assert value_of(read_metrics(client), "gatewise_steps_total") == 21


def test_errors_of_the_store_are_counted_by_kind(repository: Path, tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis")
    with (
        running(server),
        running_service(repository, server.url, tmp_path / "log") as service,
        httpx.Client(base_url=service.url, timeout=20) as client,
    ):
        session_id = new_session(client, "weather")
        apply_steps(client, session_id, ROW)
        assert value_of(read_metrics(client), "gatewise_store_errors_total") == 0
        server.kill()
        answer = client.get(f"/v1/sessions/{session_id}")
        assert answer.status_code == 503
        series = read_metrics(client)
        assert value_of(series, "gatewise_store_errors_total", kind="unavailable") > 0
        assert value_of(series, "gatewise_problems_total", code="store_unavailable") == 1
        assert value_of(series, REQUESTS, status="503") == 1
