"""The trained demo models: better than their baselines, and the same numbers every way."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model_export.model.gates import record
from model_export.verify.verify import verify
from service.bundle.bundle import Bundle, read_bundle
from service.bundle.folders import version_folders
from service.bundle.manifest import REPORT_FILE
from service.engine.golden import TOLERANCE, deviation, scale_of
from service.engine.provider import Provider
from tests.demos.rebuilt import rebuilt_network
from tests.oracle import Oracle, Trace
from tests.service_process import ServiceProcess, running_service

GATES = ("reset", "update", "candidate", "hidden")


def apart(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """Relative to the scale of each column, at least one."""
    return deviation(found, expected, scale_of(expected, floor=1.0))


@pytest.fixture(params=["characters", "neuron"])
def bundle(request: pytest.FixtureRequest, demo_repository: Path) -> Bundle:
    folders = [
        folder for folder in version_folders(demo_repository) if folder.parent.name == request.param
    ]
    return read_bundle(folders[-1])


@pytest.fixture
def sequence(bundle: Bundle) -> NDArray[Any]:
    """Real held-out inputs, [T, F] or [T]."""
    inputs: NDArray[Any] = bundle.golden()["input"][1]
    return inputs


@pytest.fixture
def expected(bundle: Bundle, sequence: NDArray[Any]) -> Trace:
    """What the oracle says of that sequence, from a state of zeros."""
    zeros = np.zeros((1, bundle.manifest.state_size))
    return Oracle(rebuilt_network(bundle)).run(sequence[np.newaxis], zeros)


def test_beats_every_baseline_and_the_report_shows_it(bundle: Bundle) -> None:
    report = (bundle.folder / REPORT_FILE).read_text("utf-8")
    assert bundle.manifest.scores
    for score in bundle.manifest.scores:
        assert len(score.baselines) >= 2
        assert score.beats_baselines, score
        assert all(name in report for name in (score.metric, *score.baselines))
        figures = (score.model, *score.baselines.values())
        assert all(f"{figure:.4g}" in report for figure in figures), figures


def test_passes_all_checks_again(bundle: Bundle) -> None:
    assert all(check.passed for check in verify(bundle, Provider()))


@pytest.mark.parametrize(("batch", "time"), [(1, 1), (1, 32), (2, 7)])
def test_pytorch_agrees_with_the_oracle(bundle: Bundle, batch: int, time: int) -> None:
    golden = bundle.golden()
    inputs = golden["input"][:batch, :time]
    state = golden["state"][:batch].astype(np.float32)
    network = rebuilt_network(bundle)
    recorded = record(network, torch.from_numpy(inputs), torch.from_numpy(state))
    trace = Oracle(network).run(inputs, state)
    assert apart(recorded.output.numpy(), trace.output) <= TOLERANCE
    assert apart(golden["output"][:batch, :time], trace.output) <= TOLERANCE
    for name in GATES[:3]:
        assert apart(getattr(recorded, name).numpy(), getattr(trace, name)) <= TOLERANCE


def test_one_call_and_whole_sequences_agree_with_the_oracle(
    bundle: Bundle,
    sequence: NDArray[Any],
    expected: Trace,
    demo_repository: Path,
    tmp_path: Path,
) -> None:
    with running_service(demo_repository, "memory://", tmp_path / "log") as service:
        _create(service, bundle)
        _check(_post_steps(service, sequence), bundle, expected)
        url = f"{service.url}/v1/models/{bundle.manifest.name}/sequences"
        body = {"inputs": [sequence.tolist()], "gates": True}
        (answer,) = httpx.post(url, json=body).raise_for_status().json()["sequences"]
        _check(answer, bundle, expected)
        assert apart(np.array(answer["state"]), expected.state[0]) <= TOLERANCE


def test_step_by_step_with_a_kill_in_between_agrees_with_the_oracle(
    bundle: Bundle,
    sequence: NDArray[Any],
    expected: Trace,
    demo_repository: Path,
    tmp_path: Path,
) -> None:
    store, half = f"sqlite:///{tmp_path}/sessions.db", len(sequence) // 2
    answers = []
    with running_service(demo_repository, store, tmp_path / "log") as service:
        _create(service, bundle)
        answers += [_post_steps(service, one[np.newaxis]) for one in sequence[:half]]
        service.kill()
    with running_service(demo_repository, store, tmp_path / "log") as service:
        answers += [_post_steps(service, one[np.newaxis]) for one in sequence[half:]]
    assert [answer["step"] for answer in answers] == list(range(1, len(sequence) + 1))
    _check(_joined(answers), bundle, expected)


def _create(service: ServiceProcess, bundle: Bundle) -> None:
    body = {"model": bundle.manifest.name, "session_id": "s"}
    httpx.post(f"{service.url}/v1/sessions", json=body).raise_for_status()


def _post_steps(service: ServiceProcess, inputs: NDArray[Any]) -> dict[str, Any]:
    body = json.dumps({"inputs": inputs.tolist(), "gates": True})
    answer: dict[str, Any] = (
        httpx.post(f"{service.url}/v1/sessions/s/steps", content=body).raise_for_status().json()
    )
    return answer


def _joined(answers: list[dict[str, Any]]) -> dict[str, Any]:
    """Answers of one step each as the answer of one call with all of them."""
    layers = range(len(answers[0]["gates"]["layers"]))
    return {
        "outputs": [answer["outputs"][0] for answer in answers],
        "gates": {
            "layers": [
                {
                    name: [answer["gates"]["layers"][layer][name][0] for answer in answers]
                    for name in GATES
                }
                for layer in layers
            ]
        },
    }


def _check(answer: dict[str, Any], bundle: Bundle, expected: Trace) -> None:
    """Outputs and all gates of an answer against the oracle."""
    assert apart(np.array(answer["outputs"]), expected.output[0]) <= TOLERANCE
    for shown, layer in zip(answer["gates"]["layers"], bundle.manifest.layers, strict=True):
        for name in GATES:
            values = getattr(expected, name)[0][:, layer.span]
            assert apart(np.array(shown[name]), values) <= TOLERANCE, (name, layer)


def test_a_unit_of_the_text_follows_open_quotes(demo_repository: Path) -> None:
    """As the report of the model says."""
    report = (demo_repository / "characters" / "1" / REPORT_FILE).read_text("utf-8")
    row = re.search(r'<th scope="row">open quotes</th>(.*?)</tr>', report, re.DOTALL)
    assert row is not None
    halves = re.findall(r"−?\d\.\d\d", row[1])
    assert len(halves) == 2
    assert all(abs(float(half.replace("−", "-"))) >= 0.5 for half in halves)
