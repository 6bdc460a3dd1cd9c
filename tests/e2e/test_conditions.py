"""ETag, If-Match, If-None-Match and `at`: who may move a session."""

import httpx
import pytest

from tests.e2e.requests import apply_steps, new_session, state_of, weather_inputs

STEP = {"inputs": weather_inputs(1)}


@pytest.fixture
def path(client: httpx.Client) -> str:
    return f"/v1/sessions/{new_session(client, 'weather')}"


def test_every_change_has_a_tag_of_its_own(client: httpx.Client, path: str) -> None:
    state = {"step": 5, "state": [0.25] * 6}
    tags = [
        client.get(path).headers["etag"],
        client.post(f"{path}/steps", json=STEP).headers["etag"],
        client.put(f"{path}/state", json=state).headers["etag"],
        client.put(f"{path}/state", json=state).headers["etag"],
        client.post(f"{path}/rollout", json=STEP | {"steps": 2, "advance": True}).headers["etag"],
    ]
    assert len(set(tags)) == len(tags)
    assert client.get(path).headers["etag"] == tags[-1]
    assert client.get(f"{path}/state").headers["etag"] == tags[-1]


@pytest.mark.parametrize("what", ["", "/state"])
def test_what_the_caller_has_seen_is_not_sent_again(
    client: httpx.Client, path: str, what: str
) -> None:
    seen = client.get(path + what).headers["etag"]
    for tags in (seen, f'"other", {seen}', f"W/{seen}, {seen}", "*"):
        unchanged = client.get(path + what, headers={"if-none-match": tags})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        assert unchanged.headers["etag"] == seen
    client.post(f"{path}/steps", json=STEP)
    assert client.get(path + what, headers={"if-none-match": seen}).status_code == 200


@pytest.mark.parametrize("route", ["steps", "rollout", "state", "fork", "migrate", "delete"])
def test_an_old_tag_changes_nothing(client: httpx.Client, path: str, route: str) -> None:
    old = client.get(path).headers["etag"]
    present = client.post(f"{path}/steps", json=STEP).headers["etag"]
    before = client.get(f"{path}/state").json()
    refused = conditional(client, path, route, old)
    assert refused.status_code == 412
    assert refused.headers["etag"] == present
    problem = refused.json()
    assert (problem["code"], problem["step"]) == ("precondition_failed", 1)
    assert client.get(f"{path}/state").json() == before
    assert conditional(client, path, route, f"W/{present}").status_code == 412, "weak tags differ"
    accepted = conditional(client, path, route, f"{old}, {present}")
    assert accepted.is_success, accepted.text


def conditional(client: httpx.Client, path: str, route: str, tags: str) -> httpx.Response:
    headers = {"if-match": tags}
    if route == "delete":
        return client.delete(path, headers=headers)
    if route == "state":
        body = {"step": 5, "state": [0.25] * 6}
        return client.put(f"{path}/state", json=body, headers=headers)
    bodies = {"steps": STEP, "rollout": STEP | {"steps": 2}}
    return client.post(f"{path}/{route}", json=bodies.get(route, {}), headers=headers)


def test_putting_back_the_same_state_does_not_revive_a_tag(client: httpx.Client, path: str) -> None:
    before = client.get(f"{path}/state")
    client.post(f"{path}/steps", json=STEP)
    put = client.put(f"{path}/state", json={k: before.json()[k] for k in ("step", "state")})
    assert put.json() == before.json()
    headers = {"if-match": before.headers["etag"]}
    assert client.post(f"{path}/steps", json=STEP, headers=headers).status_code == 412


def test_a_session_made_anew_has_no_tag_of_the_old_one(client: httpx.Client, path: str) -> None:
    session_id = path.rpartition("/")[2]
    old = client.get(path).headers["etag"]
    client.delete(path)
    new_session(client, "weather", session_id=session_id)
    assert client.get(path).headers["etag"] != old


@pytest.mark.parametrize("route", ["steps", "rollout"])
@pytest.mark.parametrize("at", [0, 1, 3, 2**53 - 1])
def test_steps_at_another_place_are_refused(
    client: httpx.Client, path: str, route: str, at: int
) -> None:
    apply_steps(client, path.rpartition("/")[2], weather_inputs(2))
    before = client.get(f"{path}/state")
    more = {"steps": 2} if route == "rollout" else {}
    refused = client.post(f"{path}/{route}", json=STEP | more | {"at": at})
    assert refused.status_code == 409
    assert refused.headers["etag"] == before.headers["etag"]
    problem = refused.json()
    assert (problem["code"], problem["step"]) == ("step_conflict", 2)
    assert client.get(f"{path}/state").json() == before.json()
    assert client.post(f"{path}/{route}", json=STEP | more | {"at": 2}).is_success


@pytest.mark.parametrize("at", ["1", 1.0, -1, True, 2**53])
def test_at_is_a_count(client: httpx.Client, path: str, at: object) -> None:
    refused = client.post(f"{path}/steps", json=STEP | {"at": at})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["path"] == "$.at"


@pytest.mark.parametrize("tags", ["abc", '"a" "b"', '"a', "'a'", '"a",,"b"'])
def test_tags_that_are_none(client: httpx.Client, path: str, tags: str) -> None:
    for response in (
        client.post(f"{path}/steps", json=STEP, headers={"if-match": tags}),
        client.get(path, headers={"if-none-match": tags}),
    ):
        assert response.status_code == 422
        assert response.json()["errors"][0]["path"].startswith("headers.if-")


@pytest.mark.parametrize("keys", [[""], ["x" * 256], ["a", "b"]])
def test_keys_that_are_none(client: httpx.Client, path: str, keys: list[str]) -> None:
    headers = [("idempotency-key", key) for key in keys]
    refused = client.post(f"{path}/steps", json=STEP, headers=headers)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["path"] == "headers.idempotency-key"
    assert state_of(client, path.rpartition("/")[2])["step"] == 0
