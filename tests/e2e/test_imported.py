"""Models that others trained, served in sessions: equal to what their own files compute."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnxruntime
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from model_export.command_line import main
from tests.foreign import write_all
from tests.service_process import ServiceProcess, running_service

OPTIONS = {"ahead": ("--delay", "2")}
STEPS = 12


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_all(tmp_path_factory.mktemp("foreign"))


@pytest.fixture(scope="module")
def repository(files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imported")
    for name, file in files.items():
        given = ["import-onnx", str(file), "--name", name, "--repository", str(folder)]
        result = CliRunner().invoke(main, [*given, *OPTIONS.get(name, ())])
        assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def service(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    folder = tmp_path_factory.mktemp("service")
    with running_service(repository, f"sqlite:///{folder / 's.db'}", folder / "log") as running:
        yield running


@pytest.fixture
def client(service: ServiceProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30) as client:
        yield client


def rows(width: int, seed: int = 1) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((STEPS, width)).astype(np.float32)


def original(file: Path, **inputs: NDArray[Any]) -> list[NDArray[Any]]:
    """What the file itself answers."""
    session = onnxruntime.InferenceSession(file)
    return [np.asarray(one) for one in session.run(None, inputs)]


def created(client: httpx.Client, model: str, **fields: object) -> str:
    answer = client.post("/v1/sessions", json={"model": model, **fields})
    assert answer.status_code == 201, answer.text
    session_id: str = answer.json()["session_id"]
    return session_id


def stepped(
    client: httpx.Client, session_id: str, inputs: NDArray[np.float32], **fields: object
) -> dict[str, Any]:
    body = {"inputs": inputs.tolist(), **fields}
    answer = client.post(f"/v1/sessions/{session_id}/steps", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def one_by_one(
    client: httpx.Client, model: str, inputs: NDArray[np.float32], **fields: object
) -> list[Any]:
    session_id = created(client, model, **fields)
    return [stepped(client, session_id, row[np.newaxis])["outputs"][0] for row in inputs]


def assert_close(found: object, expected: NDArray[Any]) -> None:
    np.testing.assert_allclose(np.array(found), expected, atol=1e-5)


def test_a_causal_convolution_is_carried(client: httpx.Client, files: dict[str, Path]) -> None:
    x = rows(3)
    expected = original(files["causal"], x=x[np.newaxis])[0][0]
    assert_close(one_by_one(client, "causal", x), expected)
    # Many steps at once take the sequence graph, with the same pasts.
    session_id = created(client, "causal")
    first = stepped(client, session_id, x[:5])["outputs"]
    rest = stepped(client, session_id, x[5:], gates=True)
    assert_close(first + rest["outputs"], expected)
    assert np.array(rest["gates"]["layers"][0]["update"]).shape == (STEPS - 5, 8)


def test_the_past_survives_a_restart_with_the_hidden_state(
    client: httpx.Client, files: dict[str, Path]
) -> None:
    x = rows(3, seed=2)
    session_id = created(client, "causal")
    stepped(client, session_id, x[:7])
    state = client.get(f"/v1/sessions/{session_id}/state").json()["state"]
    other = created(client, "causal", state=state)
    expected = original(files["causal"], x=x[np.newaxis])[0][0, 7:]
    assert_close(stepped(client, other, x[7:])["outputs"], expected)


def test_a_window_answers_what_the_file_answers_to_its_last_inputs(
    client: httpx.Client, files: dict[str, Path]
) -> None:
    x, window = rows(3), 7
    model = client.get("/v1/models/windowed").json()
    assert (model["window"], model["ready_at"], model["answers"]) == (window, window, "last step")
    session_id = created(client, "windowed")
    begun = stepped(client, session_id, x[: window - 1])
    assert begun["outputs"] == [None] * (window - 1)
    assert begun["ready_at"] == window
    answers = [stepped(client, session_id, row[np.newaxis]) for row in x[window - 1 :]]
    assert all("ready_at" not in answer for answer in answers)
    for end, answer in enumerate(answers, window):
        expected = original(files["windowed"], x=x[np.newaxis, end - window : end])[0]
        assert_close(answer["outputs"], expected)


def test_an_answer_that_looks_ahead_comes_late(
    client: httpx.Client, files: dict[str, Path]
) -> None:
    x = rows(3)
    expected = original(files["ahead"], x=x[np.newaxis])[0][0]
    outputs = one_by_one(client, "ahead", x)
    assert outputs[:2] == [None, None]
    assert_close(outputs[2:], expected[:-2])
    whole = client.post("/v1/models/ahead/sequences", json={"inputs": [x.tolist()]}).json()
    assert_close(whole["sequences"][0]["outputs"], expected)


def test_whole_sequences_only(client: httpx.Client, files: dict[str, Path]) -> None:
    x = rows(3)
    expected = original(files["bidirectional"], x=x[np.newaxis])[0][0]
    body = {"inputs": [x.tolist(), x[:5].tolist()]}
    whole = client.post("/v1/models/bidirectional/sequences", json=body).json()["sequences"]
    assert_close(whole[0]["outputs"], expected)
    assert_close(whole[1]["outputs"], original(files["bidirectional"], x=x[np.newaxis, :5])[0][0])
    refused = client.post("/v1/sessions", json={"model": "bidirectional"})
    assert (refused.status_code, refused.json()["code"]) == (409, "sessions_unsupported")
    reason = client.get("/v1/models/bidirectional").json()["reason"]
    assert "runs bidirectional through time" in reason
    assert reason in refused.json()["detail"]


@pytest.mark.parametrize(("model", "fewest"), [("narrowed", 3), ("differences", 2)])
def test_a_sequence_that_is_too_short(
    client: httpx.Client, files: dict[str, Path], model: str, fewest: int
) -> None:
    """ONNX Runtime's GRU kernel ends the process where no step is left to it."""
    x, path = rows(3), f"/v1/models/{model}/sequences"
    assert client.get(f"/v1/models/{model}").json()["fewest_steps"] == fewest
    body = {"inputs": [x.tolist(), x[: fewest - 1].tolist()]}
    refused = client.post(path, json=body)
    assert refused.status_code == 422
    (fault,) = refused.json()["errors"]
    assert fault["path"] == "$.inputs[1]"
    said = f"{fewest - 1} time steps; this model takes sequences of at least {fewest}"
    assert fault["message"] == said
    answer = client.post(path, json={"inputs": [x.tolist()]}).json()
    assert_close(answer["sequences"][0]["outputs"], original(files[model], x=x[np.newaxis])[0])


def test_constants_are_given_once_and_inherited(
    client: httpx.Client, files: dict[str, Path]
) -> None:
    x, speaker = rows(3), np.array([[0.5, -1.0, 2.0, 0.1]], np.float32)
    constants = {"speaker": speaker[0].tolist()}
    expected = original(files["conditioned"], x=x[np.newaxis], speaker=speaker)[0][0]
    session_id = created(client, "conditioned", constants=constants)
    assert_close(stepped(client, session_id, x[:5])["outputs"], expected[:5])
    forked = client.post(f"/v1/sessions/{session_id}/fork", json={}).json()["session_id"]
    assert_close(stepped(client, forked, x[5:])["outputs"], expected[5:])
    body = {"inputs": [x.tolist()], "constants": constants}
    whole = client.post("/v1/models/conditioned/sequences", json=body).json()
    assert_close(whole["sequences"][0]["outputs"], expected)


@pytest.mark.parametrize(
    ("constants", "place"),
    [
        (None, "$.constants"),
        ({"speaker": [1, 2, 3]}, "$.constants.speaker"),
        ({"speaker": [1, 2, 3, "a"]}, "$.constants.speaker"),
        ({"speaker": [1, 2, 3, 4], "room": 1}, "$.constants.room"),
    ],
)
def test_constants_that_are_not_the_models(
    client: httpx.Client, constants: object, place: str
) -> None:
    answer = client.post("/v1/sessions", json={"model": "conditioned", "constants": constants})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["path"] == place


def test_gates_of_lanes(client: httpx.Client, files: dict[str, Path]) -> None:
    x = rows(9)
    expected = original(files["lanes"], x=x[np.newaxis])[0][0]
    assert_close(one_by_one(client, "lanes", x), expected)
    (layer,) = client.get("/v1/models/lanes").json()["layers"]
    assert (layer["hidden_size"], layer["lanes"]) == (4, 9)
    session_id = created(client, "lanes")
    (shown,) = stepped(client, session_id, x[:3], gates=True)["gates"]["layers"]
    state = client.get(f"/v1/sessions/{session_id}/state").json()["state"]
    assert_close(shown["hidden"][-1], np.array(state))
    assert np.array(shown["reset"]).shape == (3, 36)


def test_a_streaming_model_keeps_its_caches(client: httpx.Client, files: dict[str, Path]) -> None:
    x = rows(18)
    caches: dict[str, NDArray[Any]] = {
        "conv": np.zeros((1, 2, 2, 9), np.float32),
        "one": np.zeros((1, 1, 8), np.float32),
        "two": np.zeros((1, 1, 6), np.float32),
    }
    expected = []
    for row in x:
        y, *after = original(files["streaming"], x=row.reshape(1, 9, 1, 2), **caches)
        caches = dict(zip(caches, after, strict=True))
        expected.append(y.ravel())
    assert_close(one_by_one(client, "streaming", x), np.stack(expected))
