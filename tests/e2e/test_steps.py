"""Steps one by one, in one call, and as sequences: the same numbers, those of the oracle."""

from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.bundles import VOCABULARY, served_models
from tests.e2e.requests import apply_steps, floats, inputs_for, new_session, state_of
from tests.oracle import Oracle, Trace, assert_agrees

NETWORKS = {trained.name: trained.network for trained in served_models()}
TIME = 9


@pytest.fixture(scope="module", params=NETWORKS)
def model(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def expected(model: str, inputs: list[Any], state: NDArray[np.float32] | None = None) -> Trace:
    network = NETWORKS[model]
    before = np.zeros((1, network.config.state_size)) if state is None else state[np.newaxis]
    return Oracle(network).run(np.array([inputs]), before)


def test_steps_one_by_one(client: httpx.Client, model: str) -> None:
    session_id, inputs = new_session(client, model), inputs_for(model, TIME)
    trace = expected(model, inputs)
    for t, one in enumerate(inputs):
        answer = apply_steps(client, session_id, [one])
        assert answer["step"] == t + 1
        assert_agrees(floats(answer["outputs"]), trace.output[0, t : t + 1])
        assert_agrees(floats(state_of(client, session_id)["state"]), trace.hidden[0, t])


def test_steps_in_one_call(client: httpx.Client, model: str) -> None:
    session_id, inputs = new_session(client, model), inputs_for(model, TIME)
    answer = apply_steps(client, session_id, inputs)
    trace = expected(model, inputs)
    assert answer["step"] == TIME
    assert_agrees(floats(answer["outputs"]), trace.output[0])
    assert_agrees(floats(state_of(client, session_id)["state"]), trace.state[0])


def test_sequences_of_different_lengths_and_states(client: httpx.Client, model: str) -> None:
    inputs = [inputs_for(model, time, seed=time) for time in (1, 7, 2, 30, 1, 3)]
    size = NETWORKS[model].config.state_size
    states = np.random.default_rng(0).uniform(-1, 1, (len(inputs), size)).astype(np.float32)
    body = {"inputs": inputs, "initial_states": states.tolist(), "gates": True}
    answer = client.post(f"/v1/models/{model}/sequences", json=body).json()
    for one, sent, state in zip(answer["sequences"], inputs, states, strict=True):
        trace = expected(model, sent, state)
        assert_agrees(floats(one["outputs"]), trace.output[0])
        assert_agrees(floats(one["state"]), trace.state[0])
        assert_gates(one["gates"], trace, NETWORKS[model].config.hidden_sizes)


@pytest.mark.parametrize("time", [1, TIME])
def test_gates_of_steps(client: httpx.Client, model: str, time: int) -> None:
    session_id, inputs = new_session(client, model), inputs_for(model, time)
    answer = apply_steps(client, session_id, inputs, gates=True)
    assert_gates(answer["gates"], expected(model, inputs), NETWORKS[model].config.hidden_sizes)


def test_going_on_from_a_state_that_was_read_gives_the_same_bits(
    client: httpx.Client, model: str
) -> None:
    inputs = inputs_for(model, 4)
    original = new_session(client, model)
    apply_steps(client, original, inputs[:2])
    saved = state_of(client, original)
    copy = new_session(client, model, state=saved["state"])
    replaced = new_session(client, model)
    body = {"step": saved["step"], "state": saved["state"]}
    assert client.put(f"/v1/sessions/{replaced}/state", json=body).status_code == 200
    answers = [apply_steps(client, one, inputs[2:]) for one in (original, copy, replaced)]
    assert answers[0]["outputs"] == answers[1]["outputs"] == answers[2]["outputs"]
    assert [answer["step"] for answer in answers] == [4, 2, 4]


def test_text_is_its_tokens(client: httpx.Client) -> None:
    text = "bad cafe."
    by_text, by_token = new_session(client, "letters"), new_session(client, "letters")
    tokens = [VOCABULARY.index(character) for character in text]
    answer = client.post(f"/v1/sessions/{by_text}/steps", json={"text": text}).json()
    other = apply_steps(client, by_token, tokens)
    assert answer["step"] == len(text)
    assert answer["outputs"] == other["outputs"]
    assert answer["next"] == other["next"]


def assert_gates(gates: dict[str, Any], trace: Trace, hidden_sizes: tuple[int, ...]) -> None:
    assert [layer["layer"] for layer in gates["layers"]] == list(range(len(hidden_sizes)))
    offset = 0
    for layer, size in zip(gates["layers"], hidden_sizes, strict=True):
        assert layer["units"] == list(range(size))
        for name in ("reset", "update", "candidate", "hidden"):
            values: NDArray[np.float64] = getattr(trace, name)
            assert_agrees(floats(layer[name]), values[0, :, offset : offset + size])
        offset += size
