"""Small requests with large answers, and large requests that are wrong everywhere."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.service_process import client_of, running_service

MAX_NUMBERS = 1000


@pytest.fixture(scope="module")
def bounded(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service that computes at most `MAX_NUMBERS` numbers for a request."""
    log = tmp_path_factory.mktemp("bounds") / "log"
    flags = ("--max-numbers", str(MAX_NUMBERS))
    with (
        running_service(repository, "memory://", log, *flags) as service,
        client_of(service.url) as client,
    ):
        yield client


# letters: 10 outputs and a state of 6 a step, 40 numbers a step with its gates.
@pytest.mark.parametrize(("gates", "most"), [(False, 62), (True, 25)])
def test_as_many_steps_as_the_bound_allows(bounded: httpx.Client, gates: bool, most: int) -> None:
    session = bounded.post("/v1/sessions", json={"model": "letters"}).headers["location"]
    for path in ("/v1/models/letters/sequences", f"{session}/steps"):
        body = {"text": "a" * most, "gates": gates}
        assert bounded.post(path, json=body).status_code == 200
        refused = bounded.post(path, json=body | {"text": "a" * (most + 1)})
        assert refused.status_code == 422
        assert f"send at most {most} steps at once" in refused.json()["detail"]
    assert bounded.get(session).json()["step"] == most


def test_the_bound_counts_all_sequences_of_a_request(bounded: httpx.Client) -> None:
    url = "/v1/models/letters/sequences"
    assert bounded.post(url, json={"text": ["a" * 31] * 2}).status_code == 200
    assert bounded.post(url, json={"text": ["a" * 32] * 2}).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": [[1.0]] * 100_000},
        {"inputs": [["x", "x", "x"]] * 100_000},
        {"inputs": [[20, 1000, 0.5]], "gates": {"units": list(range(100_000))}},
    ],
    ids=["wrong widths", "strings", "units"],
)
def test_a_request_that_is_wrong_everywhere_is_answered_in_short(
    bounded: httpx.Client, body: dict[str, object]
) -> None:
    refused = bounded.post("/v1/models/weather/sequences", json=body | {"inputs": [body["inputs"]]})
    assert refused.status_code == 422
    assert len(refused.content) < 5000


def test_one_step_and_two_agree_that_a_large_state_is_refused(bounded: httpx.Client) -> None:
    for steps in (1, 2):
        body = {"inputs": [[[20, 1000, 0.5]] * steps], "initial_states": [[3e38] * 6]}
        refused = bounded.post("/v1/models/weather/sequences", json=body)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["path"] == "$.initial_states[0][0]"
