"""Traces of models that others trained: windows, lanes, whole sequences only; and of versions that
were published without a graph to inspect."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from shutil import copytree

import httpx
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from model_export.command_line import main
from service.bundle.folders import read_repository
from service.engine.provider import Provider
from service.repository.models import Models, load_models
from tests.foreign import write_all
from tests.unit.edges.inspector.asking import Query, drawn, refused, shown, traced
from tests.unit.edges.inspector.service import served

NAMES = ("bidirectional", "lanes", "windowed")


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imported")
    files = write_all(folder)
    for name in NAMES:
        given = ["import-onnx", str(files[name]), "--name", name]
        result = CliRunner().invoke(main, [*given, "--repository", str(folder / "models")])
        assert result.exit_code == 0, result.output
    return folder / "models"


@pytest.fixture(scope="module")
def others(imported: Path) -> Models:
    return load_models(read_repository(imported), Provider())


@pytest.fixture
async def client(imported: Path, others: Models) -> AsyncIterator[httpx.AsyncClient]:
    async with served(imported, others) as client:
        yield client


async def window(client: httpx.AsyncClient, trace_id: str, **query: Query) -> NDArray[np.float64]:
    values = (await shown(client, trace_id, "window", **query))["values"]
    return np.array(values, np.float64)


async def test_a_window_shows_its_last_step_and_hands_nothing_on(
    client: httpx.AsyncClient, others: Models
) -> None:
    trace = await traced(client, model="windowed", sample=True)
    engine = others.default("windowed")
    inputs, state = engine.bundle.sample(), engine.initial_states(1)
    gates = engine.gates_of(inputs, state[0], engine.sequence(inputs[np.newaxis], state)[1][0])
    for layer in (0, 1):
        span = engine.manifest.layers[layer].span
        for name in ("update", "hidden"):
            found = await window(client, trace["trace_id"], tensor=name, layer=layer)
            assert np.isnan(found[:6]).all()
            np.testing.assert_allclose(found[6:], gates[name][6:, span], atol=1e-5)
    assert "age" not in trace["layers"][0]["tensors"]
    outputs = await shown(client, trace["trace_id"], "outputs")
    assert outputs["outputs"][:6] == [None] * 6
    path = f"/v1/traces/{trace['trace_id']}"
    assert "anew at every step" in await refused(client, f"{path}/attribution", 422)
    assert "shows no 'age'" in await refused(client, f"{path}/window", 422, tensor="age")
    statistics = await shown(client, trace["trace_id"], "statistics")
    assert statistics["steps"] == len(inputs)


async def test_what_a_window_depends_on_is_found_by_replacing(
    client: httpx.AsyncClient, others: Models
) -> None:
    trace = await traced(client, model="windowed", sample=True)
    found = await shown(client, trace["trace_id"], "sensitivity", step=30, output=1, depth=12)
    assert (found["method"], found["from"], found["size"]) == ("perturbation", 19, None)
    engine = others.default("windowed")
    inputs = engine.bundle.sample()
    usual = inputs.mean(axis=0)
    expected = []
    for step in range(19, 31):
        replaced = inputs[: 30 + 1].copy()
        replaced[step] = usual
        ends = [
            engine.sequence(one[np.newaxis], engine.initial_states(1))[0][0, -1, 1]
            for one in (inputs[: 30 + 1], replaced)
        ]
        expected.append(ends[0] - ends[1])
    np.testing.assert_allclose(found["influence"], expected, atol=1e-5)
    # It sees its last seven inputs and no other.
    np.testing.assert_allclose(found["influence"][:5], 0, atol=1e-6)
    said = await refused(
        client, f"/v1/traces/{trace['trace_id']}/sensitivity", 413, step=30, depth=300
    )
    assert "200 at most" in said


async def test_lanes_are_units_side_by_side(client: httpx.AsyncClient, others: Models) -> None:
    trace = await traced(client, model="lanes", sample=True)
    layer = others.default("lanes").manifest.layers[0]
    assert trace["layers"][0]["units"] == layer.lanes * layer.hidden_size == 36
    hidden = await window(client, trace["trace_id"])
    held = await shown(client, trace["trace_id"], "attribution", unit=35, step=20)
    candidate = await window(client, trace["trace_id"], tensor="candidate")
    before = hidden[held["from"] - 1, 35] if held["from"] else 0.0
    rebuilt = held["weights"] @ candidate[held["from"] : 21, 35] + held["rest"] * before
    assert rebuilt == pytest.approx(hidden[20, 35], abs=1e-5)


async def test_whole_sequences_have_no_trace(client: httpx.AsyncClient, others: Models) -> None:
    answer = await client.post("/v1/traces", json={"model": "bidirectional", "sample": True})
    assert (answer.status_code, answer.json()["code"]) == (409, "sessions_unsupported")
    reason = others.default("bidirectional").manifest.reason
    assert reason is not None
    assert reason in answer.json()["detail"]


async def test_a_version_without_a_graph_to_inspect_shows_its_gates(
    repository: Path, tmp_path: Path
) -> None:
    copytree(repository / "weather", tmp_path / "weather")
    file = tmp_path / "weather" / "1" / "manifest.json"
    manifest = json.loads(file.read_text("utf-8"))
    for name in ("inspect.onnx", "cells.npz"):
        del manifest["files"][name]
    file.write_text(json.dumps(manifest), "utf-8")
    models = load_models(read_repository(tmp_path), Provider())
    async with served(tmp_path, models) as client:
        trace = await traced(client, model="weather", inputs=drawn("weather").tolist())
        tensors = ["reset", "update", "candidate", "hidden", "keep"]
        assert trace["layers"][0]["tensors"] == tensors
        update = await window(client, trace["trace_id"], tensor="update")
        assert update.shape == (50, 6)
        path = f"/v1/traces/{trace['trace_id']}"
        for view in ("statistics", "attribution", "order"):
            assert "publish it again" in await refused(client, f"{path}/{view}", 422)
        body = {
            "trace_id": trace["trace_id"],
            "interventions": [{"gate": "update", "value": 0}],
        }
        answer = await client.post("/v1/traces", json=body)
        assert answer.status_code == 422
        assert "publish it again" in answer.json()["detail"]
        found = await shown(client, trace["trace_id"], "sensitivity", depth=5)
        assert found["method"] == "perturbation"
