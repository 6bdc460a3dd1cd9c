"""Every bad input that the documentation names, and what the service says to it.

One line a case: what is sent, the status and `code` of the answer, and the JSON path at fault.
The session that bad steps and bad states are sent to must not change.
"""

import httpx
import pytest

from service.edges.http.openapi import ProblemDetails
from tests.e2e.bad_bodies import (
    FORKS,
    GATES,
    HORIZONS,
    LETTERS_HORIZONS,
    LETTERS_ROLLOUTS,
    LETTERS_SEQUENCES,
    LETTERS_STEPS,
    MIGRATIONS,
    ROLLOUTS,
    SESSIONS,
    STATES,
    UNION_PATHS,
    WEATHER_SEQUENCES,
    WEATHER_STEPS,
    Bad,
)
from tests.e2e.requests import apply_steps, inputs_for, new_session, state_of


def check(answer: httpx.Response, bad: Bad) -> None:
    assert answer.status_code == bad.status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = ProblemDetails.model_validate_json(answer.content)
    assert (problem.status, problem.code) == (bad.status, bad.code)
    assert problem.title
    assert problem.detail
    assert "\n" not in problem.detail
    if bad.path is not None:
        assert problem.errors is not None
        assert [fault.path for fault in problem.errors] == [bad.path]


def name(bad: Bad) -> str:
    return str(bad.body)[:60]


@pytest.fixture(scope="module")
def weather(client: httpx.Client) -> str:
    return stepped_session(client, "weather")


@pytest.fixture(scope="module")
def letters(client: httpx.Client) -> str:
    return stepped_session(client, "letters")


def stepped_session(client: httpx.Client, model: str) -> str:
    session_id = new_session(client, model)
    apply_steps(client, session_id, inputs_for(model, 3))
    return session_id


@pytest.mark.parametrize("bad", [*WEATHER_STEPS, *GATES, *HORIZONS], ids=name)
def test_steps_of_values(client: httpx.Client, weather: str, bad: Bad) -> None:
    before = state_of(client, weather)
    check(client.post(f"/v1/sessions/{weather}/steps", content=bad.body), bad)
    assert state_of(client, weather) == before


@pytest.mark.parametrize("bad", [*LETTERS_STEPS, *LETTERS_HORIZONS], ids=name)
def test_steps_of_tokens(client: httpx.Client, letters: str, bad: Bad) -> None:
    before = state_of(client, letters)
    check(client.post(f"/v1/sessions/{letters}/steps", content=bad.body), bad)
    assert state_of(client, letters) == before


@pytest.mark.parametrize("bad", STATES, ids=name)
def test_replacing_a_state(client: httpx.Client, weather: str, bad: Bad) -> None:
    before = state_of(client, weather)
    check(client.put(f"/v1/sessions/{weather}/state", content=bad.body), bad)
    assert state_of(client, weather) == before


@pytest.mark.parametrize("bad", ROLLOUTS, ids=name)
def test_rollouts_of_values(client: httpx.Client, weather: str, bad: Bad) -> None:
    before = state_of(client, weather)
    check(client.post(f"/v1/sessions/{weather}/rollout", content=bad.body), bad)
    assert state_of(client, weather) == before


@pytest.mark.parametrize("bad", LETTERS_ROLLOUTS, ids=name)
def test_rollouts_of_tokens(client: httpx.Client, letters: str, bad: Bad) -> None:
    before = state_of(client, letters)
    check(client.post(f"/v1/sessions/{letters}/rollout", content=bad.body), bad)
    assert state_of(client, letters) == before


@pytest.mark.parametrize(
    ("route", "bad"),
    [*(("fork", bad) for bad in FORKS), *(("migrate", bad) for bad in MIGRATIONS)],
    ids=lambda value: value if isinstance(value, str) else name(value),
)
def test_forks_and_migrations(client: httpx.Client, weather: str, route: str, bad: Bad) -> None:
    before = client.get("/v1/sessions?limit=1000").json()
    check(client.post(f"/v1/sessions/{weather}/{route}", content=bad.body), bad)
    assert client.get("/v1/sessions?limit=1000").json() == before


@pytest.mark.parametrize("bad", SESSIONS, ids=name)
def test_creating_a_session(client: httpx.Client, bad: Bad) -> None:
    before = client.get("/v1/sessions?limit=1000").json()
    check(client.post("/v1/sessions", content=bad.body), bad)
    assert client.get("/v1/sessions?limit=1000").json() == before


@pytest.mark.parametrize("bad", WEATHER_SEQUENCES, ids=name)
def test_sequences_of_values(client: httpx.Client, bad: Bad) -> None:
    check(client.post("/v1/models/weather/sequences", content=bad.body), bad)


@pytest.mark.parametrize("bad", LETTERS_SEQUENCES, ids=name)
def test_sequences_of_tokens(client: httpx.Client, bad: Bad) -> None:
    check(client.post("/v1/models/letters/sequences", content=bad.body), bad)


@pytest.mark.parametrize("bad", UNION_PATHS, ids=name)
def test_text_that_is_neither_a_text_nor_texts(client: httpx.Client, bad: Bad) -> None:
    check(client.post("/v1/models/letters/sequences", content=bad.body), bad)
