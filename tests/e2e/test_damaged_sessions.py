"""Sessions whose rows were damaged in the store: they are named, and the others go on."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.requests import apply_steps, new_session, weather_inputs
from tests.e2e.streams import ask, open_stream
from tests.service_process import ServiceProcess, running_service

STEPS = {"inputs": weather_inputs(2)}
LONG = {"inputs": weather_inputs(60), "gates": {"steps": "last"}}
"""Its answer is too large to be kept: the state before is."""

METADATA = [b"", b"{", b"\xff\xfe", b"[]", b"1", b'"text"', b"null"]


def _table(column: str) -> str:
    return "session" if column in ("metadata", "created_at") else "progress"


@dataclass(frozen=True)
class Damage:
    """A service on a SQLite file, and a hand that damages the file's rows."""

    file: Path
    service: ServiceProcess
    client: httpx.Client

    def set(self, session_id: str, column: str, value: object) -> None:
        with closing(sqlite3.connect(self.file)) as connection, connection:
            number = "(SELECT n FROM session WHERE session_id = ?)"
            statement = f"UPDATE {_table(column)} SET {column} = ? WHERE n = {number}"
            assert connection.execute(statement, (value, session_id)).rowcount == 1

    def get(self, session_id: str, column: str) -> bytes:
        with closing(sqlite3.connect(self.file)) as connection:
            statement = f"SELECT {column} FROM session JOIN progress USING (n) WHERE session_id = ?"
            value: bytes = connection.execute(statement, (session_id,)).fetchone()[0]
            return value

    def steps(self, session_id: str, key: str, body: object = STEPS) -> httpx.Response:
        path = f"/v1/sessions/{session_id}/steps"
        return self.client.post(path, json=body, headers={"idempotency-key": key})


@pytest.fixture(scope="module")
def damage(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Damage]:
    folder = tmp_path_factory.mktemp("damaged")
    file = folder / "sessions.db"
    flags = ("--recent-bytes", "0")  # so that every step reads what lies in the file
    with (
        running_service(repository, f"sqlite:///{file}", folder / "log", *flags) as service,
        httpx.Client(base_url=service.url, timeout=30) as client,
    ):
        yield Damage(file, service, client)
        assert "Traceback" not in service.log()


def check(answer: httpx.Response, session_id: str) -> None:
    assert answer.status_code == 503, answer.text
    problem = answer.json()
    assert problem["code"] == "session_damaged"
    assert f"session '{session_id}' is damaged in the store" in problem["detail"]


@pytest.mark.parametrize("metadata", METADATA)
def test_damaged_metadata(damage: Damage, metadata: bytes) -> None:
    client = damage.client
    session_id, sound = (new_session(client, "weather") for _ in range(2))
    damage.set(session_id, "metadata", metadata)
    path = f"/v1/sessions/{session_id}"
    check(client.get(path), session_id)
    before = client.get("/v1/sessions?limit=1000").json()["sessions"]
    check(client.post(f"{path}/fork", json={}), session_id)
    listed = client.get("/v1/sessions?limit=1000").json()["sessions"]
    assert listed == before
    ids = [session["session_id"] for session in listed]
    assert sound in ids
    assert session_id not in ids
    damaged = client.get("/v1/sessions?limit=1000").json()["damaged"]
    [reported] = [one for one in damaged if one["session_id"] == session_id]
    assert reported["model"] == "weather"
    assert "metadata are not" in reported["detail"]

    assert damage.steps(session_id, "k").status_code == 200
    assert client.post(f"{path}/fork", json={"metadata": {}}).status_code == 201
    with open_stream(damage.service) as socket:
        for kind in ("get", "open"):
            answer = ask(socket, kind, session_id=session_id)
            assert answer["problem"]["code"] == "session_damaged"
    assert client.delete(path).status_code == 204


@pytest.mark.parametrize("moment", [1e300, -1e300, float("inf")])
def test_a_damaged_time(damage: Damage, moment: float) -> None:
    session_id = new_session(damage.client, "weather")
    damage.set(session_id, "created_at", moment)
    check(damage.client.get(f"/v1/sessions/{session_id}"), session_id)
    assert damage.client.get("/v1/sessions?limit=1000").status_code == 200


@pytest.mark.parametrize("receipts", [b"x", bytes(49)[:-1] + b"\x07", b"\xff" * 200])
def test_damaged_receipts(damage: Damage, receipts: bytes) -> None:
    client = damage.client
    session_id, sound = (new_session(client, "weather") for _ in range(2))
    damage.set(session_id, "receipts", receipts)
    path = f"/v1/sessions/{session_id}"
    check(damage.steps(session_id, "k"), session_id)
    key = {"idempotency-key": "k"}
    check(
        client.post(f"{path}/rollout", json=STEPS | {"steps": 2, "advance": True}, headers=key),
        session_id,
    )
    check(client.post(f"{path}/migrate", json={"version": 1}, headers=key), session_id)
    state = {"step": 0, "state": [0.0] * 6}
    check(client.put(f"{path}/state", json=state, headers=key), session_id)
    assert client.get(path).json()["step"] == 0
    items = [
        {"session_id": one, "inputs": weather_inputs(1), "key": "k"} for one in (session_id, sound)
    ]
    many = client.post("/v1/steps", json={"items": items}, headers=key).json()["items"]
    assert many[0]["problem"]["code"] == "session_damaged"
    assert many[1]["step"] == 1
    apply_steps(client, session_id, weather_inputs(1))


@pytest.mark.parametrize("body", [STEPS, LONG], ids=["answer kept", "state before kept"])
@pytest.mark.parametrize("cut", [1, 4])
def test_a_retry_whose_receipt_is_damaged(damage: Damage, body: object, cut: int) -> None:
    session_id = new_session(damage.client, "weather")
    assert damage.steps(session_id, "k", body).status_code == 200
    sound = damage.get(session_id, "receipts")
    head, length = sound[:45], int.from_bytes(sound[45:49], "little")
    damage.set(session_id, "receipts", sound[:-1])
    check(damage.steps(session_id, "k", body), session_id)
    shorter = (length - cut).to_bytes(4, "little")
    damage.set(session_id, "receipts", head + shorter + sound[49:-cut])
    check(damage.steps(session_id, "k", body), session_id)
    damage.set(session_id, "receipts", sound)
    assert damage.steps(session_id, "k", body).headers["idempotent-replayed"] == "true"
