"""Makes the files beside it. It was run with release 700e510 and is not part of any run.

In a checkout of that release, with redis-server 7.0 and this file's path as it is here:

    PYTHONPATH=. python PATH/make.py PATH

`sessions.sqlite` and `dump.rdb` are what that release left when it stopped. The JSON beside each
says of every session what its clients saw last, and what the release answers to a few more steps,
asked of a copy. It lists the keyed requests too, by what they did and how they travelled.

The sessions live for ten years, the longest life there is: until 2036.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np

from model_export.package import publish_trained
from tests.bundles import served_models, values_model
from tests.e2e.requests import inputs_for
from tests.e2e.streams import ask, block, open_stream, records
from tests.redis_server import RedisServer, running
from tests.service_process import ServiceProcess, client_of, running_service

TEN_YEARS = ("--session-ttl-seconds", str(10 * 366 * 86400))
NEXT_STEPS = 3


def main(folder: Path) -> None:
    with TemporaryDirectory() as name:
        work = Path(name)
        for trained in (*served_models(), values_model("weather", seed=1)):
            publish_trained(trained, work / "models")
        _make_sqlite(work, folder)
        _make_redis(work, folder)


def _make_sqlite(work: Path, folder: Path) -> None:
    file, again = folder / "sessions.sqlite", work / "again.sqlite"
    file.unlink(missing_ok=True)
    done = _done(work, f"sqlite:///{file}")
    assert not file.with_name("sessions.sqlite-wal").exists(), "it was not closed"
    copy(file, again)
    _write(folder / "sessions.json", done | _looked_at(work, f"sqlite:///{again}"))


def _make_redis(work: Path, folder: Path) -> None:
    server, again = RedisServer(work / "redis"), RedisServer(work / "again")
    with running(server):
        done = _done(work, server.url)
        server.ask("SAVE")
    copy(work / "redis" / "dump.rdb", folder)
    copy(work / "redis" / "dump.rdb", work / "again")
    with running(again):
        _write(folder / "dump.json", done | _looked_at(work, again.url))


def _done(work: Path, store: str) -> dict[str, Any]:
    """Fill a store; what was asked with keys."""
    with (
        running_service(work / "models", store, work / "log", *TEN_YEARS) as service,
        client_of(service.url) as client,
    ):
        work_done = _Work(service, client)
        for name in ("weather", "letters", "weather-deep", "letters-deep"):
            work_done.plain(name)
        for name in ("weather", "letters"):
            work_done.steps_over_every_route(name)
        work_done.other_changes()
        work_done.large_answer()
        work_done.more_than_are_kept()
        work_done.creations()
        assert service.stop() == 0
    return {"keyed": work_done.keyed, "made": work_done.made, "dropped": work_done.dropped}


def _looked_at(work: Path, store: str) -> dict[str, Any]:
    """Every session as it is, and what its next steps would be. Moves them."""
    with (
        running_service(work / "models", store, work / "log", *TEN_YEARS) as service,
        client_of(service.url) as client,
    ):
        found = client.get("/v1/sessions", params={"limit": 1000}).json()["sessions"]
        return {"sessions": [_session(client, one["session_id"]) for one in found]}


def _session(client: httpx.Client, session_id: str) -> dict[str, Any]:
    path = f"/v1/sessions/{session_id}"
    shown = client.get(path)
    state = client.get(f"{path}/state").json()["state"]
    inputs = inputs_for(shown.json()["model"], NEXT_STEPS, seed=99)
    outputs = _said(client.post(f"{path}/steps", json={"inputs": inputs}))["outputs"]
    following = {"inputs": inputs, "outputs": outputs}
    return {
        "shown": shown.json(),
        "etag": shown.headers["etag"],
        "state": state,
        "next": following,
    }


class _Work:
    """What clients do, and with which keys."""

    def __init__(self, service: ServiceProcess, client: httpx.Client) -> None:
        self._service = service
        self._client = client
        self.keyed: list[dict[str, Any]] = []
        """Changes of sessions, whose receipts are kept."""
        self.made: list[dict[str, Any]] = []
        """Creations."""
        self.dropped: list[dict[str, Any]] = []
        """Changes whose receipts had to make way."""

    def plain(self, model: str) -> None:
        session_id = f"{model}-plain"
        self._create({"model": model, "session_id": session_id, "metadata": {"of": model}})
        for row in inputs_for(model, 5):
            self._post(f"/v1/sessions/{session_id}/steps", {"inputs": [row]})

    def steps_over_every_route(self, model: str) -> None:
        session_id = f"{model}-keyed"
        self._create({"model": model, "session_id": session_id})
        rows = inputs_for(model, 5, seed=1)
        self._step(session_id, "k-step", rows[:1])
        # Only this one looks like a writer's number, of which that release knows nothing.
        self._step(session_id, "gateway-1:5", rows[:1])
        item = {"session_id": session_id, "inputs": rows[1:2]}
        (answer,) = self._post("/v1/steps", {"items": [item | {"key": "k-item"}]})["items"]
        assert "outputs" in answer, answer
        self._keep("item", session_id, "k-item", rows[1:2])
        (answer,) = self._post("/v1/steps", {"items": [item]}, f"k-many-{model}")["items"]
        assert "outputs" in answer, answer
        self._keep("items", session_id, f"k-many-{model}", rows[1:2])
        with open_stream(self._service) as socket:
            handle = ask(socket, "open", session_id=session_id)["handle"]
            fields = {"session_id": session_id, "inputs": rows[2:4]}
            answer = ask(socket, "step", id="k-socket", **fields)
            assert answer["type"] == "step", answer
            kind = np.int64 if model.startswith("letters") else np.float32
            socket.send(block(np.array([rows[4:]], kind), [handle], [7], keys=True))
            (record,) = records(socket, 1)
            assert record.problem is None, record
        self._keep("socket", session_id, "k-socket", rows[2:4])
        self._keep("binary", session_id, "7", rows[4:])

    def other_changes(self) -> None:
        session_id = "weather-changed"
        self._create({"model": "weather", "session_id": session_id})
        rows = inputs_for("weather", 2, seed=2)
        path = f"/v1/sessions/{session_id}"
        self._post(f"{path}/rollout", {"inputs": rows, "steps": 4}, "k-rollout")
        body = {"step": 9, "state": [0.5] * 6}
        headers = {"idempotency-key": "k-state"}
        _said(self._client.put(f"{path}/state", json=body, headers=headers))
        self._post(f"{path}/migrate", {"version": 1}, "k-migrate")
        for operation in ("rollout", "state", "migrate"):
            self._keep(operation, session_id, f"k-{operation}", rows)

    def large_answer(self) -> None:
        """The state before it is kept in place of its answer, until the next keyed request."""
        rows = inputs_for("weather", 40)
        for session_id in ("weather-large", "weather-forgotten"):
            self._create({"model": "weather", "session_id": session_id})
            path = f"/v1/sessions/{session_id}/steps"
            self._post(path, {"inputs": rows, "gates": True}, "k-large")
            self._keep("step", session_id, "k-large", rows)
        self._step("weather-forgotten", "k-next", rows[:1])

    def more_than_are_kept(self) -> None:
        session_id, rows = "weather-many", inputs_for("weather", 1)
        self._create({"model": "weather", "session_id": session_id}, "k-create-many")
        for number in range(12):
            self._step(session_id, f"k-{number}", rows)
        self.dropped, self.keyed[-12:] = self.keyed[-12:-8], self.keyed[-8:]

    def creations(self) -> None:
        self._create({"model": "weather"}, "k-create")
        self._create({"model": "weather", "session_id": "weather-created"}, "k-create-named")
        source = "weather-plain"
        for body in ({}, {"session_id": "weather-forked"}):
            made = self._post(f"/v1/sessions/{source}/fork", body, "k-fork")
            self._make("fork", made["session_id"], "k-fork", {"source": source, "new": body})
        with open_stream(self._service) as socket:
            body = {"model": "letters"}
            made = ask(socket, "open", id="k-open", **body)
            self._make("open", made["session_id"], "k-open", body)
            source = "letters-plain"
            made = ask(socket, "fork", id="k-fork", session_id=source)
            self._make("fork", made["session_id"], "k-fork", {"source": source, "new": {}})

    def _step(self, session_id: str, key: str, rows: Sequence[Any]) -> None:
        self._post(f"/v1/sessions/{session_id}/steps", {"inputs": rows}, key)
        self._keep("step", session_id, key, rows)

    def _keep(self, over: str, session_id: str, key: str, inputs: Sequence[Any]) -> None:
        fields = {"over": over, "session_id": session_id, "key": key}
        self.keyed.append(fields | {"inputs": inputs})

    def _create(self, body: dict[str, Any], key: str | None = None) -> None:
        made = self._post("/v1/sessions", body, key)
        if key is not None:
            self._make("create", made["session_id"], key, body)

    def _make(self, over: str, session_id: str, key: str, body: dict[str, Any]) -> None:
        self.made.append({"over": over, "session_id": session_id, "key": key, "body": body})

    def _post(self, path: str, body: object, key: str | None = None) -> dict[str, Any]:
        headers = {} if key is None else {"idempotency-key": key}
        return _said(self._client.post(path, json=body, headers=headers))


def _said(answer: httpx.Response) -> dict[str, Any]:
    assert answer.is_success, answer.text
    said: dict[str, Any] = answer.json()
    return said


def _write(file: Path, found: dict[str, Any]) -> None:
    """A line for each request and session, so that a change can be read."""
    lists = (
        f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(one) for one in entries) + "\n]"
        for name, entries in found.items()
    )
    file.write_text("{" + ",\n".join(lists) + "}\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
