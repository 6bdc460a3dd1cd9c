"""Versions that are published into the repository of a running service."""

import shutil
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from model_export.package import publish_trained
from tests.bundles import plain_report, values_model
from tests.e2e.requests import apply_steps, floats, new_session, states_of, weather_inputs
from tests.service_process import client_of, running_service
from tests.waiting import wait_until

FAST = ("--repository-scan-seconds", "0.1")
RARELY = ("--repository-scan-seconds", "1000")


@pytest.fixture(autouse=True)
def _plain_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model_export.publish.write_report", plain_report)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A repository with version 1 of one small model."""
    folder = tmp_path / "models"
    publish_trained(values_model("tide", seed=1), folder)
    return folder


def wait_for_version(client: httpx.Client, model: str, version: int) -> None:
    def is_there() -> bool:
        answer = client.get(f"/v1/models/{model}")
        return answer.status_code == 200 and answer.json()["version"] == version

    wait_until(is_there, lambda: f"version {version} of {model} never came", seconds=20)


def played(client: httpx.Client, model: str, calls: int) -> list[Any]:
    """The outputs of a whole session, to compare others with."""
    session_id = new_session(client, model)
    return [apply_steps(client, session_id, [row])["outputs"] for row in weather_inputs(calls)]


def test_old_sessions_go_on_and_new_ones_get_the_new_version(copy: Path, tmp_path: Path) -> None:
    store, log = f"sqlite:///{tmp_path / 'sessions.db'}", tmp_path / "log"
    rows = weather_inputs(4)
    with (
        running_service(copy, store, log, *FAST) as service,
        client_of(service.url) as client,
    ):
        expected = played(client, "tide", 4)
        old = new_session(client, "tide")
        outputs = [apply_steps(client, old, [rows[0]])["outputs"]]
        publish_trained(values_model("tide", seed=2), copy)
        wait_for_version(client, "tide", 2)
        assert states_of(client, "tide") == {1: "serving", 2: "serving"}
        answer = apply_steps(client, old, [rows[1]])
        assert answer["version"] == 1
        outputs.append(answer["outputs"])
        new = new_session(client, "tide")
        assert apply_steps(client, new, [rows[0]])["version"] == 2
        assert played(client, "tide", 4) != expected

        broken = _broken_version(copy, 3)
        refused = service.wait_for("version_refused")
        assert (refused[0]["model"], refused[0]["version"]) == ("tide", 3)
        assert refused[0]["level"] == "warning"
        assert "step.onnx has SHA-256" in refused[0]["reason"]
        outputs.append(apply_steps(client, old, [rows[2]])["outputs"])
        # The scan that loads this model has passed the broken version again, and said no more.
        publish_trained(values_model("wind", seed=3), copy)
        wait_for_version(client, "wind", 1)
        assert len(service.events("version_refused")) == 1
        assert client.get("/v1/models/tide").json()["version"] == 2
        assert states_of(client, "tide") == {1: "serving", 2: "serving", 3: "refused"}
        shutil.rmtree(broken)
        assert service.stop() == 0
    with (
        running_service(copy, store, log, *FAST) as service,
        client_of(service.url) as client,
    ):
        answer = apply_steps(client, old, [rows[3]])
        assert (answer["version"], answer["step"]) == (1, 4)
        outputs.append(answer["outputs"])
        assert apply_steps(client, new, [rows[1]])["version"] == 2
    assert floats(outputs).tolist() == floats(expected).tolist()


def _broken_version(repository: Path, version: int) -> Path:
    """Placed by one rename, as `publish` does it, but with a damaged graph."""
    staging = repository / ".staging"
    shutil.copytree(repository / "tide" / "1", staging)
    graph = staging / "step.onnx"
    graph.write_bytes(graph.read_bytes()[:-1])
    return staging.rename(repository / "tide" / str(version))


def test_a_refused_version_is_tried_again_when_it_changes(copy: Path, tmp_path: Path) -> None:
    with (
        running_service(copy, "memory://", tmp_path / "log", *FAST) as service,
        client_of(service.url) as client,
    ):
        broken = _broken_version(copy, 2)
        service.wait_for("version_refused")
        shutil.rmtree(broken)
        publish_trained(values_model("tide", seed=2), copy)
        wait_for_version(client, "tide", 2)


def test_a_repository_that_vanishes_stays_served(copy: Path, tmp_path: Path) -> None:
    with (
        running_service(copy, "memory://", tmp_path / "log", *FAST) as service,
        client_of(service.url) as client,
    ):
        session_id = new_session(client, "tide")
        copy.rename(copy.with_name("elsewhere"))
        service.wait_for("repository_unreadable")
        apply_steps(client, session_id, weather_inputs(1))
        copy.with_name("elsewhere").rename(copy)
        publish_trained(values_model("tide", seed=2), copy)
        wait_for_version(client, "tide", 2)
        assert len(service.events("repository_unreadable")) == 1


def test_a_request_that_misses_a_version_has_it_searched_at_once(
    copy: Path, tmp_path: Path
) -> None:
    """Another replica began a session on a version that this one has not seen yet."""
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    with running_service(copy, store, tmp_path / "log", *RARELY) as service:
        publish_trained(values_model("tide", seed=2), copy)
        with (
            running_service(copy, store, tmp_path / "other", *RARELY) as other,
            client_of(other.url) as client,
        ):
            session_id = new_session(client, "tide")
        with client_of(service.url) as client:
            assert client.get("/v1/models/tide").json()["version"] == 1
            missed = client.post(
                f"/v1/sessions/{session_id}/steps", json={"inputs": weather_inputs(1)}
            )
            assert missed.status_code == 503
            assert missed.json()["code"] == "version_unavailable"
            assert "intact" in missed.json()["detail"]
            assert int(missed.headers["retry-after"]) >= 1
            wait_for_version(client, "tide", 2)
            answer = apply_steps(client, session_id, weather_inputs(1))
            assert (answer["version"], answer["step"]) == (2, 1)


def test_migrating_to_a_version_that_is_published_meanwhile(copy: Path, tmp_path: Path) -> None:
    with (
        running_service(copy, "memory://", tmp_path / "log", *RARELY) as service,
        client_of(service.url) as client,
    ):
        path = f"/v1/sessions/{new_session(client, 'tide')}/migrate"
        missing = client.post(path, json={"version": 2})
        assert (missing.status_code, missing.json()["code"]) == (404, "version_not_found")
        publish_trained(values_model("tide", seed=2), copy)
        coming = client.post(path, json={"version": 2})
        assert (coming.status_code, coming.json()["code"]) == (503, "version_unavailable")
        wait_for_version(client, "tide", 2)
        assert client.post(path, json={"version": 2}).json()["version"] == 2
        assert client.post(path, json={"version": 3}).json()["code"] == "version_not_found"


def test_a_version_that_is_gone_leaves_its_sessions_intact(copy: Path, tmp_path: Path) -> None:
    store, log = f"sqlite:///{tmp_path / 'sessions.db'}", tmp_path / "log"
    with (
        running_service(copy, store, log, *RARELY) as service,
        client_of(service.url) as client,
    ):
        expected = played(client, "tide", 2)
        session_id = new_session(client, "tide")
        apply_steps(client, session_id, weather_inputs(2)[:1])
    publish_trained(values_model("tide", seed=2), copy)
    away = (copy / "tide" / "1").rename(tmp_path / "away")
    with (
        running_service(copy, store, log, *RARELY) as service,
        client_of(service.url) as client,
    ):
        steps = f"/v1/sessions/{session_id}/steps"
        missing = client.post(steps, json={"inputs": weather_inputs(1)})
        assert (missing.status_code, missing.json()["code"]) == (503, "version_missing")
        assert "intact" in missing.json()["detail"]
        assert client.get(f"/v1/sessions/{session_id}").json()["step"] == 1
        away.rename(copy / "tide" / "1")
        assert client.post(steps, json={"inputs": weather_inputs(1)}).status_code == 503
        rest = {"inputs": weather_inputs(2)[1:], "at": 1}
        answers = []

        def goes_on() -> bool:
            answers.append(client.post(steps, json=rest))
            return answers[-1].status_code != 503

        wait_until(goes_on, service.log, seconds=20)
        assert (answers[-1].json()["version"], answers[-1].json()["step"]) == (1, 2)
        assert floats(answers[-1].json()["outputs"]).tolist() == floats(expected[1]).tolist()


def test_zero_seconds_mean_never(copy: Path, tmp_path: Path) -> None:
    flags = ("--repository-scan-seconds", "0")
    with (
        running_service(copy, "memory://", tmp_path / "log", *flags) as service,
        client_of(service.url) as client,
    ):
        publish_trained(values_model("wind"), copy)
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            assert client.get("/v1/models/wind").status_code == 404
        assert len(service.events("model_loaded")) == 1
