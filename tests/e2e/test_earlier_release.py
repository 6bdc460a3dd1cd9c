"""Sessions and receipts that release 700e510 wrote go on in this one, see earlier_release/make.py.

Whether a retry is the request that the earlier release applied cannot be told any more. So it is
refused as `answer_not_kept` over every route, and never applied again.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import httpx
import numpy as np
import pytest

from model_export.package import publish_trained
from tests.bundles import values_model
from tests.e2e.earlier_release.running import Earlier, on_redis, on_sqlite
from tests.e2e.keyed_steps import WAYS, KeyedStep, Sender, Way
from tests.e2e.requests import apply_steps, floats, weather_inputs
from tests.e2e.streams import ask

KEPT = 8
"""Receipts of one session."""
OF_DROPPED = "weather-many"
"""The session that had more keyed requests than that."""
HTTP, ITEM, MESSAGE, RECORD = Way("http"), Way("item"), Way("message"), Way("record")


@pytest.fixture(scope="module")
def both_versions(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models of make.py."""
    folder = tmp_path_factory.mktemp("both") / "models"
    copytree(repository, folder)
    publish_trained(values_model("weather", seed=1), folder)
    return folder


@pytest.fixture(scope="module", params=["sqlite", "redis", "redis-finished"])
def earlier(
    request: pytest.FixtureRequest, both_versions: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Earlier]:
    folder = tmp_path_factory.mktemp("earlier")
    if request.param == "sqlite":
        with on_sqlite(both_versions, folder) as left:
            yield left
    else:
        with on_redis(both_versions, folder, finished=request.param == "redis-finished") as left:
            yield left


def test_every_session_is_as_it_was_left_and_goes_on(earlier: Earlier) -> None:
    listed = earlier.client.get("/v1/sessions", params={"limit": 1000}).json()["sessions"]
    wanted = earlier.left["sessions"]
    assert {one["session_id"] for one in listed} == {one["shown"]["session_id"] for one in wanted}
    for one in wanted:
        if one["shown"]["session_id"] != OF_DROPPED:
            assert one["shown"] in listed
            assert_as_left(earlier.client, one)
            assert_goes_on(earlier.client, one)


def assert_as_left(client: httpx.Client, left: dict[str, Any]) -> None:
    path = f"/v1/sessions/{left['shown']['session_id']}"
    shown, state = client.get(path), client.get(f"{path}/state").json()
    assert (shown.json(), shown.headers["etag"]) == (left["shown"], left["etag"])
    assert floats(state["state"]).tobytes() == floats(left["state"]).tobytes()


def assert_goes_on(client: httpx.Client, left: dict[str, Any]) -> None:
    """With the numbers that the earlier release would have answered."""
    following = left["next"]
    answer = apply_steps(client, left["shown"]["session_id"], following["inputs"])
    assert answer["step"] == left["shown"]["step"] + len(following["inputs"])
    assert answer["version"] == left["shown"]["version"]
    np.testing.assert_allclose(
        floats(answer["outputs"]), floats(following["outputs"]), rtol=1e-5, atol=1e-5
    )


def test_no_keyed_step_is_applied_again_over_any_route(earlier: Earlier) -> None:
    """Nor is it called another request, whatever it asks for now."""
    sender = Sender(earlier.client, earlier.socket)
    for sent in earlier.left["keyed"]:
        if sent["over"] == "items":
            continue
        before = shown(earlier.client, sent["session_id"])
        same = KeyedStep(sent["session_id"], sent["inputs"], sent["key"])
        with_gates = KeyedStep(sent["session_id"], sent["inputs"], sent["key"], gates=True)
        for step in (same, with_gates):
            for way in filter(step.may_go, WAYS):
                refused = sender.send(step, way)
                assert (refused.status, refused.problem) == (409, "answer_not_kept"), (sent, way)
                assert refused.step == before["step"]
        assert shown(earlier.client, sent["session_id"]) == before


def test_a_request_of_many_items_is_not_applied_again(earlier: Earlier) -> None:
    """The keys of its items come from its own and their places."""
    for sent in earlier.left["keyed"]:
        if sent["over"] != "items":
            continue
        before = shown(earlier.client, sent["session_id"])
        item = {"session_id": sent["session_id"], "inputs": sent["inputs"]}
        for body in (item, item | {"gates": True}):
            headers = {"idempotency-key": sent["key"]}
            answer = earlier.client.post("/v1/steps", json={"items": [body]}, headers=headers)
            (refused,) = answer.json()["items"]
            assert refused["problem"]["code"] == "answer_not_kept", sent
        assert shown(earlier.client, sent["session_id"]) == before


def test_no_other_change_is_applied_again(earlier: Earlier) -> None:
    """By its own route, and by every other one that changes a session."""
    sent = [one for one in earlier.left["keyed"] if one["session_id"].startswith("weather")]
    for one in sent:
        if one["over"] == "items":
            continue
        before = shown(earlier.client, one["session_id"])
        rollout = {"inputs": one["inputs"], "steps": 4}
        for method, operation, body, accepted in (
            ("POST", "rollout", rollout, "application/json"),
            ("POST", "rollout", rollout, "text/event-stream"),
            ("PUT", "state", {"step": 9, "state": [0.5] * 6}, "application/json"),
            ("POST", "migrate", {"version": 1}, "application/json"),
        ):
            refused = earlier.client.request(
                method,
                f"/v1/sessions/{one['session_id']}/{operation}",
                json=body,
                headers={"idempotency-key": one["key"], "accept": accepted},
            )
            assert refused.status_code == 409, (one, operation, refused.text)
            assert refused.json()["code"] == "answer_not_kept"
        assert shown(earlier.client, one["session_id"]) == before


def test_a_session_that_was_made_with_a_key_is_not_made_again(earlier: Earlier) -> None:
    """Over HTTP and over a socket alike, whichever made it."""
    before = listing(earlier.client)
    for made in earlier.left["made"]:
        for problem in made_again(earlier, made):
            assert (problem["status"], problem["code"]) == (409, "answer_not_kept"), made
    assert listing(earlier.client) == before


def made_again(earlier: Earlier, made: dict[str, Any]) -> list[dict[str, Any]]:
    """What is said to the same request over HTTP, and over a socket."""
    body, headers = made["body"], {"idempotency-key": made["key"]}
    if made["over"] in ("create", "open"):
        by_http = earlier.client.post("/v1/sessions", json=body, headers=headers)
        return [by_http.json(), ask(earlier.socket, "open", id=made["key"], **body)["problem"]]
    path = f"/v1/sessions/{body['source']}/fork"
    by_http = earlier.client.post(path, json=body["new"], headers=headers)
    asked = {"id": made["key"], "session_id": body["source"]}
    asked |= {f"new_{name}": value for name, value in body["new"].items()}
    return [by_http.json(), ask(earlier.socket, "fork", **asked)["problem"]]


def test_a_key_that_had_to_make_way_is_a_new_request(earlier: Earlier) -> None:
    """As it would have been in the earlier release. The receipts of both releases stand side by
    side, and are dropped in their order."""
    client, sender = earlier.client, Sender(earlier.client, earlier.socket)
    assert_as_left(client, session_left(earlier, OF_DROPPED))
    step = shown(client, OF_DROPPED)["step"]
    dropped = [KeyedStep(OF_DROPPED, one["inputs"], one["key"]) for one in earlier.left["dropped"]]
    assert len(dropped) == 4
    for applied, again in enumerate(dropped, 1):
        answer = sender.send(again, HTTP)
        assert (answer.problem, answer.replayed, answer.step) == (None, False, step + applied)
    for again in dropped:
        assert sender.send(again, MESSAGE).replayed
    kept = [one for one in earlier.left["keyed"] if one["session_id"] == OF_DROPPED]
    assert len(kept) == KEPT
    for one in kept[len(dropped) :]:
        refused = sender.send(KeyedStep(OF_DROPPED, one["inputs"], one["key"]), ITEM)
        assert refused.problem == "answer_not_kept", one
    assert shown(client, OF_DROPPED)["step"] == step + len(dropped)
    now_dropped = KeyedStep(OF_DROPPED, kept[0]["inputs"], kept[0]["key"])
    assert sender.send(now_dropped, HTTP).step == step + len(dropped) + 1


def test_a_writer_s_number_means_nothing_that_the_earlier_release_could_know(
    earlier: Earlier,
) -> None:
    """There `gateway-1:5` was a key as any other; here its writer has not begun yet."""
    before = shown(earlier.client, "letters-keyed")
    sender = Sender(earlier.client, earlier.socket)
    opened = ask(earlier.socket, "open", session_id="letters-keyed", writer="gateway-1")
    assert opened["number"] == 0
    for number, problem in ((5, "answer_not_kept"), (6, "writer_unknown")):
        step = KeyedStep("letters-keyed", [1], writer="gateway-1", number=number)
        for way in filter(step.may_go, WAYS):
            refused = sender.send(step, way)
            assert (refused.status, refused.problem) == (409, problem), way
    assert shown(earlier.client, "letters-keyed") == before


def test_what_this_release_applies_outlives_the_end_of_the_upgrade(
    both_versions: Path, tmp_path: Path
) -> None:
    """Receipts of both releases, and the numbers of writers, while the service runs."""
    with on_redis(both_versions, tmp_path, finished=False) as earlier:
        client, sender = earlier.client, Sender(earlier.client, earlier.socket)
        session_id = "weather-keyed"
        sent = [one for one in earlier.left["keyed"] if one["session_id"] == session_id]
        sent = [one for one in sent if one["over"] != "items"]
        opaque = KeyedStep(session_id, weather_inputs(2), "11", gates=True)
        numbered = KeyedStep(session_id, weather_inputs(1), writer="north", number=1)
        first = [sender.send(step, RECORD) for step in (opaque, numbered)]
        before = shown(client, session_id)
        count = len(earlier.left["sessions"])
        assert f"{count} sessions were written anew" in earlier.finish_upgrade()
        for way in filter(opaque.may_go, WAYS):
            again = [sender.send(step, way) for step in (opaque, numbered)]
            assert again == [replace(answer, replayed=True) for answer in first], way
        for one in sent:
            of_earlier = KeyedStep(session_id, one["inputs"], one["key"])
            assert sender.send(of_earlier, HTTP).problem == "answer_not_kept", one
        assert shown(client, session_id) == before
        asked = ask(earlier.socket, "open", session_id=session_id, writer="north")
        assert asked["number"] == 1
        assert sender.send(replace(numbered, number=2), ITEM).step == before["step"] + 1


def shown(client: httpx.Client, session_id: str) -> dict[str, Any]:
    """A session as `GET` shows it, and its tag."""
    answer = client.get(f"/v1/sessions/{session_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found | {"etag": answer.headers["etag"]}


def listing(client: httpx.Client) -> list[dict[str, Any]]:
    answer = client.get("/v1/sessions", params={"limit": 1000})
    sessions: list[dict[str, Any]] = answer.json()["sessions"]
    return sessions


def session_left(earlier: Earlier, session_id: str) -> dict[str, Any]:
    found = [one for one in earlier.left["sessions"] if one["shown"]["session_id"] == session_id]
    return dict(found[0])
