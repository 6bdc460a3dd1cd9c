"""Two services on one file: a session that goes back and forth between them."""

from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.requests import new_session, weather_inputs
from tests.service_process import running_service

STEPS = 200


def conflicts(client: httpx.Client) -> float:
    for family in text_string_to_metric_families(client.get("/metrics").text):
        if family.name == "gatewise_conflicts":
            return float(family.samples[0].value)
    raise AssertionError("there is no such metric")


def test_steps_that_alternate_are_computed_once(repository: Path, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    with (
        running_service(repository, store, tmp_path / "first.log") as first,
        running_service(repository, store, tmp_path / "second.log") as second,
        httpx.Client(base_url=first.url, timeout=30) as one,
        httpx.Client(base_url=second.url, timeout=30) as other,
    ):
        session_id = new_session(one, "weather")
        body = {"inputs": weather_inputs(1)}
        for number in range(STEPS):
            client = one if number % 2 == 0 else other
            answer = client.post(f"/v1/sessions/{session_id}/steps", json=body)
            assert answer.json()["step"] == number + 1
        assert conflicts(one) + conflicts(other) <= STEPS // 100
