"""Versions that are chosen, held back and taken back while services run on them."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from model_export.package import publish_trained
from service.edges.v1.schemas import ModelsAnswer, SequencesAnswer, VersionAnswer
from tests.bundles import plain_report, tokens_model, values_model
from tests.contract.sqlite.disks import small_disk
from tests.e2e.requests import apply_steps, floats, new_session, states_of, weather_inputs
from tests.service_process import ServiceProcess, client_of, refused_start, running_service
from tests.waiting import wait_until

FAST = ("--repository-scan-seconds", "0.1")
RARELY = ("--repository-scan-seconds", "1000")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions 1 and 2 of `tide` and a candidate 3, and 1 of `wind`."""
    folder = tmp_path_factory.mktemp("published")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model_export.publish.write_report", plain_report)
        publish_trained(values_model("tide", seed=1), folder)
        publish_trained(values_model("tide", seed=2), folder)
        publish_trained(values_model("tide", seed=3), folder, candidate=True)
        publish_trained(values_model("wind", seed=4), folder)
    return folder


@pytest.fixture
def copy(published: Path, tmp_path: Path) -> Path:
    return shutil.copytree(published, tmp_path / "models")


@pytest.fixture
def service(copy: Path, tmp_path: Path) -> Iterator[ServiceProcess]:
    """It looks into the repository when it is asked for what it lacks, and rarely else."""
    with running_service(copy, "memory://", tmp_path / "log", *RARELY) as process:
        yield process


@pytest.fixture
def client(service: ServiceProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=20) as client:
        yield client


def models(repository: Path, *words: str, status: int = 0) -> str:
    """Run `python -m service models …`; what it says."""
    command = [sys.executable, "-m", "service", "models", *words, "--repository", str(repository)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    if status == 0:
        return done.stdout
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def version_of_new(client: httpx.Client, model: str = "tide", **fields: object) -> int:
    answer = client.post("/v1/sessions", json={"model": model, **fields})
    assert answer.status_code == 201, answer.text
    version: int = answer.json()["version"]
    return version


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_session_and_sequences_on_a_version(client: httpx.Client) -> None:
    inputs = weather_inputs(3)
    outputs = {}
    for version in (1, 2, 3):
        session_id = new_session(client, "tide", version=version)
        stepped = apply_steps(client, session_id, inputs)
        assert stepped["version"] == version
        by_path = client.post(
            f"/v1/models/tide/versions/{version}/sequences", json={"inputs": [inputs]}
        )
        by_body = client.post(
            "/v1/models/tide/sequences", json={"inputs": [inputs], "version": version}
        )
        assert by_path.content == by_body.content
        answer = SequencesAnswer.model_validate_json(by_path.content)
        assert answer.version == version
        outputs[version] = floats(answer.sequences[0].outputs)
        assert abs(outputs[version] - floats(stepped["outputs"])).max() < 1e-2
        described = client.get(f"/v1/models/tide/versions/{version}")
        shown = VersionAnswer.model_validate_json(described.content)
        assert (shown.version, shown.state) == (version, "candidate" if version == 3 else "serving")
        assert shown.report is not None
        assert client.get(shown.report).text == "a report"
    assert version_of_new(client) == 2
    assert not (outputs[1] == outputs[2]).any()
    plain = client.post("/v1/models/tide/sequences", json={"inputs": [inputs]})
    assert plain.json()["version"] == 2


def test_versions_that_are_not_there(client: httpx.Client) -> None:
    inputs = {"inputs": [weather_inputs(1)]}
    for answer in (
        client.post("/v1/sessions", json={"model": "tide", "version": 9}),
        client.get("/v1/models/tide/versions/9"),
        client.get("/v1/models/tide/versions/9/report"),
        client.post("/v1/models/tide/versions/9/sequences", json=inputs),
        client.post("/v1/models/tide/sequences", json={**inputs, "version": 9}),
        client.put("/v1/models/tide/default", json={"version": 9}),
        client.post("/v1/models/tide/versions/9/withdraw"),
        client.post("/v1/models/tide/versions/9/restore"),
        client.post(f"/v1/sessions/{new_session(client, 'tide')}/migrate", json={"version": 9}),
    ):
        assert refused(answer) == (404, "version_not_found"), answer.text
    for path in ("nix/versions/1/withdraw", "..%2Fmodels/versions/1/restore"):
        assert client.post(f"/v1/models/{path}").status_code == 404
    for path in ("versions/zero", "versions/0"):
        assert refused(client.get(f"/v1/models/tide/{path}")) == (422, "invalid_input")
    contradiction = client.post(
        "/v1/models/tide/versions/1/sequences", json={**inputs, "version": 2}
    )
    assert refused(contradiction) == (422, "invalid_input")
    for wrong in ("oldest", 0, 1.5, True, None):
        answer = client.put("/v1/models/tide/default", json={"version": wrong})
        assert refused(answer) == (422, "invalid_input")
        assert [one["path"] for one in answer.json()["errors"]] == ["$.version"]


def test_the_default_is_chosen_over_the_api(client: httpx.Client, copy: Path) -> None:
    assert ModelsAnswer.model_validate_json(client.get("/v1/models").content).models
    chosen = client.put("/v1/models/tide/default", json={"version": 1})
    assert (chosen.json()["default"], chosen.json()["wanted_default"]) == (1, 1)
    assert version_of_new(client) == 1
    assert client.get("/v1/models/tide").json() == chosen.json()
    # A candidate that is chosen is one no more.
    assert client.put("/v1/models/tide/default", json={"version": 3}).json()["version"] == 3
    newest = client.put("/v1/models/tide/default", json={"version": "newest"}).json()
    assert (newest["default"], newest["wanted_default"]) == (3, "newest")
    assert states_of(client, "tide") == {1: "serving", 2: "serving", 3: "serving"}
    assert json.loads((copy / "tide" / "desired.json").read_bytes()) == {"format": 1}


def test_withdrawing_and_restoring(client: httpx.Client, copy: Path) -> None:
    old = new_session(client, "tide", version=2)
    client.put("/v1/models/tide/default", json={"version": 2})
    shown = client.post("/v1/models/tide/versions/2/withdraw").json()
    assert (shown["default"], shown["wanted_default"]) == (1, "newest")
    assert states_of(client, "tide") == {1: "serving", 2: "withdrawn", 3: "candidate"}
    assert version_of_new(client) == 1
    assert apply_steps(client, old, weather_inputs(1))["version"] == 2
    inputs = {"inputs": [weather_inputs(1)]}
    other = new_session(client, "tide")
    for answer in (
        client.post("/v1/sessions", json={"model": "tide", "version": 2}),
        client.post("/v1/models/tide/versions/2/sequences", json=inputs),
        client.post("/v1/models/tide/sequences", json={**inputs, "version": 2}),
        client.post(f"/v1/sessions/{old}/fork"),
        client.post(f"/v1/sessions/{other}/migrate", json={"version": 2}),
        client.put("/v1/models/tide/default", json={"version": 2}),
    ):
        assert refused(answer) == (409, "version_withdrawn"), answer.text
    assert client.get("/v1/models/tide/versions/2").json()["state"] == "withdrawn"

    client.post("/v1/models/tide/versions/2/withdraw", json={"drop": True})
    dropped = client.post(f"/v1/sessions/{old}/steps", json={"inputs": weather_inputs(1)})
    assert refused(dropped) == (503, "version_missing")
    assert client.get(f"/v1/sessions/{old}").json()["step"] == 1
    assert client.get("/v1/models/tide/versions/2").status_code == 503
    lost = new_session(client, "tide", version=1)
    moved = client.post(f"/v1/sessions/{old}/migrate")
    assert (moved.status_code, moved.json()["version"]) == (200, 1)
    assert apply_steps(client, old, weather_inputs(1))["step"] == 2

    restored = client.post("/v1/models/tide/versions/2/restore").json()
    assert restored["wanted_default"] == "newest"
    wait_until(lambda: client.get("/v1/models/tide").json()["default"] == 2, lambda: restored)
    assert client.post(f"/v1/sessions/{lost}/migrate").json()["version"] == 2
    # What a candidate was before it was withdrawn, it is again.
    client.post("/v1/models/tide/versions/3/withdraw")
    client.post("/v1/models/tide/versions/3/restore")
    assert states_of(client, "tide")[3] == "candidate"
    assert version_of_new(client) == 2
    assert "newest" not in (copy / "tide" / "desired.json").read_text()


def test_a_model_of_candidates_only(client: httpx.Client, copy: Path) -> None:
    for version in (1, 2):
        client.post(f"/v1/models/tide/versions/{version}/withdraw")
    listed = {one["name"]: one for one in client.get("/v1/models").json()["models"]}
    assert listed["tide"]["default"] is None
    assert listed["wind"]["default"] == 1
    for answer in (
        client.post("/v1/sessions", json={"model": "tide"}),
        client.post("/v1/models/tide/sequences", json={"inputs": [weather_inputs(1)]}),
        client.get("/v1/models/tide/report"),
    ):
        assert refused(answer) == (409, "no_default_version")
    assert "version 3 is a candidate" in answer.json()["detail"]
    session_id = new_session(client, "tide", version=3)
    assert refused(client.post(f"/v1/sessions/{session_id}/migrate")) == (409, "no_default_version")
    assert "tide: no default version" in models(copy, "list")


def test_every_worker_and_replica_follows(copy: Path, tmp_path: Path) -> None:
    """Each of eight clients has a connection of its own, which stays with one worker."""
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    with (
        running_service(copy, store, tmp_path / "a", *FAST, "--workers", "2") as workers,
        running_service(copy, store, tmp_path / "b", *FAST) as replica,
    ):
        urls = [workers.url] * 8 + [replica.url]
        clients = [httpx.Client(base_url=url, timeout=20) for url in urls]

        def all_get(version: int) -> bool:
            return {version_of_new(client) for client in clients} == {version}

        assert all_get(2)
        assert "new sessions get tide/1 (pinned)" in models(copy, "default", "tide", "1")
        wait_until(lambda: all_get(1), workers.log)
        answer = clients[0].put("/v1/models/tide/default", json={"version": 3})
        assert answer.json()["default"] == 3
        assert version_of_new(clients[0]) == 3, "at once where it was asked for"
        wait_until(lambda: all_get(3), workers.log)
        assert "new sessions get tide/2 (the newest)" in models(copy, "withdraw", "tide", "3")
        wait_until(lambda: all_get(2), workers.log)
        old = new_session(clients[0], "tide", version=1)
        models(copy, "withdraw", "tide", "1", "--drop")

        def answers() -> set[int]:
            body = {"inputs": weather_inputs(1)}
            return {
                client.post(f"/v1/sessions/{old}/steps", json=body).status_code
                for client in clients
            }

        wait_until(lambda: answers() == {503}, workers.log)
        models(copy, "restore", "tide", "1")
        wait_until(lambda: answers() == {200}, workers.log)
        for client in clients:
            client.close()


def test_a_candidate_is_never_the_default(copy: Path, tmp_path: Path) -> None:
    with (
        running_service(copy, "memory://", tmp_path / "log", *FAST) as service,
        client_of(service.url) as client,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("model_export.publish.write_report", plain_report)
        publish_trained(values_model("tide", seed=5), copy, candidate=True)
        wait_until(lambda: states_of(client, "tide").get(4) == "candidate", service.log)
        defaults = {one["default"] for one in service.events("desired_followed")}
        assert 4 not in defaults
        assert version_of_new(client) == 2
        assert version_of_new(client, version=4) == 4


def test_a_version_that_vanishes_takes_no_new_sessions(copy: Path, tmp_path: Path) -> None:
    with (
        running_service(copy, "memory://", tmp_path / "log", *FAST) as service,
        client_of(service.url) as client,
    ):
        old = new_session(client, "tide")
        away = (copy / "tide" / "2").rename(tmp_path / "away")
        service.wait_for("version_vanished")
        assert version_of_new(client) == 1
        assert states_of(client, "tide")[2] == "vanished"
        asked = client.post("/v1/sessions", json={"model": "tide", "version": 2})
        assert refused(asked) == (404, "version_not_found")
        other = new_session(client, "tide")
        moving = client.post(f"/v1/sessions/{other}/migrate", json={"version": 2})
        assert refused(moving) == (404, "version_not_found")
        assert apply_steps(client, old, weather_inputs(1))["version"] == 2
        away.rename(copy / "tide" / "2")
        wait_until(lambda: version_of_new(client) == 2, service.log)
        assert len(service.events("version_vanished")) == 1


def test_a_volume_that_is_not_mounted_takes_nothing_away(copy: Path, tmp_path: Path) -> None:
    with (
        running_service(copy, "memory://", tmp_path / "log", *FAST) as service,
        client_of(service.url) as client,
    ):
        copy.rename(tmp_path / "elsewhere")
        copy.mkdir()
        unreadable = service.wait_for("repository_unreadable")
        assert "holds no model" in unreadable[-1]["reason"]
        assert version_of_new(client) == 2


def test_what_is_wanted_cannot_be_read(copy: Path, tmp_path: Path) -> None:
    file = copy / "tide" / "desired.json"
    with (
        running_service(copy, "memory://", tmp_path / "log", *FAST) as service,
        client_of(service.url) as client,
    ):
        client.put("/v1/models/tide/default", json={"version": 1})
        file.write_text("{")
        (said,) = service.wait_for("desired_unreadable")
        assert str(file) in said["reason"]
        assert version_of_new(client) == 1
        assert str(file) in client.get("/v1/models/tide").json()["problem"]
        answer = client.put("/v1/models/tide/default", json={"version": 2})
        assert refused(answer) == (503, "repository_unavailable")
        assert str(file) in models(copy, "default", "tide", "2", status=1)
        assert file.read_text() == "{"
    # Nobody knows which of them was withdrawn: none serves by itself, each serves who names it.
    with (
        running_service(copy, "memory://", tmp_path / "log", *FAST) as service,
        client_of(service.url) as client,
    ):
        answer = client.post("/v1/sessions", json={"model": "tide"})
        assert refused(answer) == (409, "no_default_version")
        assert str(file) in answer.json()["detail"]
        assert version_of_new(client, version=1) == 1
        assert version_of_new(client, "wind") == 1
        file.unlink()
        wait_until(
            lambda: client.post("/v1/sessions", json={"model": "tide"}).status_code == 201,
            service.log,
        )
        assert "problem" not in client.get("/v1/models/tide").json()
    file.write_text("{")
    flags = ("--repository", str(copy), "--store", "memory://", "--strict")
    assert str(file) in refused_start(*flags)


def test_a_repository_that_is_read_only(published: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path, "16m") as disk:
        copy = shutil.copytree(published, disk / "models")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with (
            running_service(copy, "memory://", tmp_path / "log", *RARELY) as service,
            client_of(service.url) as client,
        ):
            for answer in (
                client.put("/v1/models/tide/default", json={"version": 1}),
                client.post("/v1/models/tide/versions/2/withdraw"),
                client.post("/v1/models/tide/versions/2/restore"),
            ):
                assert refused(answer) == (409, "repository_read_only")
                assert "python -m service models" in answer.json()["detail"]
            assert version_of_new(client) == 2
        assert "may not be written here" in models(copy, "default", "tide", "1", status=1)


def damaged(repository: Path, model: str, version: int, file: str, content: bytes | None) -> None:
    """`content` is what stands in the file's place; None removes it."""
    place = repository / model / str(version) / file
    if content is None:
        place.unlink()
    else:
        place.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        ("step.onnx", b"other", "step.onnx has SHA-256"),
        ("golden.npz", None, "golden.npz is missing"),
        ("manifest.json", b"{", "manifest.json: "),
        ("manifest.json", None, "manifest.json is missing"),
    ],
)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_broken_version_does_not_stop_the_others(
    copy: Path, tmp_path: Path, damage: tuple[str, bytes | None, str], workers: str
) -> None:
    file, content, words = damage
    damaged(copy, "tide", 2, file, content)
    damaged(copy, "wind", 1, file, content)
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    flags = ("--repository", str(copy), "--store", store)
    assert words in refused_start(*flags, "--strict")
    with (
        running_service(copy, store, tmp_path / "log", "--workers", workers) as service,
        client_of(service.url) as client,
    ):
        assert version_of_new(client) == 1
        assert states_of(client, "tide") == {1: "serving", 2: "refused", 3: "candidate"}
        listed = {one["name"]: one for one in client.get("/v1/models").json()["models"]}
        assert words in listed["wind"]["versions"][0]["reason"]
        asked = client.post("/v1/sessions", json={"model": "tide", "version": 2})
        assert refused(asked) == (503, "version_refused")
        assert words in asked.json()["detail"]
        assert refused(client.post("/v1/sessions", json={"model": "wind"})) == (
            409,
            "no_default_version",
        )
        ready = client.get("/health/ready").json()
        assert ready == {"status": "ready", "refused": "tide/2, wind/1"}
    said = models(copy, "list", "tide")
    assert "tide: default 1" in said
    assert words in said
    models(copy, "default", "tide", "2", status=1)


def test_comparing_before_choosing(copy: Path, tmp_path: Path) -> None:
    table = tmp_path / "data.csv"
    table.write_text("time,temperature,pressure,humidity\n1,20,1000,0.5\n2,21,1001,0.4\n")
    arguments = ("default", "tide", "1", "--compare", "--data", str(table))
    said = models(copy, *arguments)
    assert "golden vectors of 2" in said
    assert "golden vectors of 1" in said
    rows = [line.split() for line in said.splitlines() if line.startswith("data.csv")]
    assert [row[1] for row in rows] == ["temperature", "pressure", "humidity"]
    assert all(float(row[3]) >= float(row[4]) > 0 for row in rows)
    assert "nothing was changed" in said
    assert "default 2" in models(copy, "list", "tide")
    assert "new sessions get tide/1 (pinned)" in models(copy, *arguments, "--yes")
    assert "default 1, pinned to 1" in models(copy, "list", "tide")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("temperature,pressure\n1,2\n", "data.csv: it has no column humidity"),
        (
            "temperature,pressure,humidity,pressure\n1,2,3,4\n",
            "data.csv: it has more than one column pressure",
        ),
        ("temperature,pressure,humidity\n1,2,3\n1,x,3\n", "data.csv.line 3.pressure: 'x' is not"),
        ("temperature,pressure,humidity\n1,2,nan\n", "data.csv"),
        ("temperature,pressure,humidity\n", "the sequence is empty"),
        (None, "data.csv: cannot be read: No such file"),
    ],
)
def test_data_that_cannot_be_compared(
    copy: Path, tmp_path: Path, content: str | None, words: str
) -> None:
    table = tmp_path / "data.csv"
    if content is not None:
        table.write_text(content)
    arguments = ("default", "tide", "1", "--compare", "--data", str(table), "--yes")
    assert words in models(copy, *arguments, status=1)
    assert "default 2" in models(copy, "list", "tide")


def test_versions_that_cannot_be_compared(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model_export.publish.write_report", plain_report)
    publish_trained(tokens_model("tide"), copy, candidate=True)
    said = models(copy, "default", "tide", "4", "--compare", "--yes", status=1)
    assert "the input of one is temperature [°C], " in said
    assert "of the other 10 characters" in said
    assert "default 2" in models(copy, "list", "tide")
