"""Four models of others in the real service: each step their original's, each gate the oracle's."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import httpx
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from numpy.typing import NDArray
from torch import nn

from model_export.command_line import main
from tests.foreign import Lanes, Packed, Regressor, export
from tests.oracle import Layer, keras_layer, run_layer, torch_layer
from tests.service_process import running_service

KERAS = Path(__file__).parents[1] / "unit/model_export/imports/keras/recorded/keras_3"
STEPS = 12
TOLERANCE = 1e-5

Arrays = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def modules() -> dict[str, nn.Module]:
    torch.manual_seed(7)
    return {"packed": Packed().eval(), "lanes": Lanes().eval(), "regressor": Regressor().eval()}


@pytest.fixture(scope="module")
def repository(modules: dict[str, nn.Module], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imported")
    files = {name: folder / f"{name}.onnx" for name in ("packed", "lanes")}
    width = sum(Packed.SIZES)
    files["packed"].write_bytes(
        export(
            modules["packed"],
            torch.randn(2, 1, 5),
            torch.zeros(2, width),
            names=("x", "cache"),
            outputs=("y", "cache_out"),
            axes={name: {0: "batch"} for name in ("x", "cache", "y", "cache_out")},
        )
    )
    free = {"x": {0: "batch", 1: "time"}}
    files["lanes"].write_bytes(export(modules["lanes"], torch.randn(2, 7, 9), axes=free))
    files["regressor"] = folder / "regressor.pt"
    torch.save(modules["regressor"].state_dict(), files["regressor"])
    files["keras"] = KERAS / "mixed_names.keras"
    commands = {"packed": "onnx", "lanes": "onnx", "regressor": "checkpoint", "keras": "keras"}
    for name, kind in commands.items():
        given = [f"import-{kind}", str(files[name]), "--name", name]
        given += ["--head", Regressor.HEAD] if name == "regressor" else []
        result = CliRunner().invoke(main, [*given, "--repository", str(folder / "models")])
        assert result.exit_code == 0, result.output
    return folder / "models"


@pytest.fixture(scope="module")
def client(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("service")
    store = f"sqlite:///{folder / 's.db'}"
    with (
        running_service(repository, store, folder / "log") as service,
        httpx.Client(base_url=service.url, timeout=30) as client,
    ):
        yield client


def rows(width: int) -> NDArray[np.float32]:
    return np.random.default_rng(3).standard_normal((STEPS, width)).astype(np.float32)


def stepped(
    client: httpx.Client, model: str, inputs: NDArray[np.float32]
) -> tuple[list[Any], list[Arrays]]:
    """The answers to one request for each step, and the gates of each layer over all steps."""
    answer = client.post("/v1/sessions", json={"model": model})
    assert answer.status_code == 201, answer.text
    outputs: list[Any] = []
    shown: list[list[dict[str, Any]]] = []
    for row in inputs:
        body = {"inputs": [row.tolist()], "gates": True}
        answer = client.post(f"/v1/sessions/{answer_id(answer)}/steps", json=body)
        assert answer.status_code == 200, answer.text
        outputs += answer.json()["outputs"]
        shown.append(answer.json()["gates"]["layers"])
    layers = [
        {
            name: np.array([step[name][0] for step in steps], np.float64)
            for name in ("reset", "update", "candidate", "hidden")
        }
        for steps in zip(*shown, strict=True)
    ]
    return outputs, layers


def answer_id(answer: httpx.Response) -> str:
    session_id: str = answer.json()["session_id"]
    return session_id


def assert_close(found: object, expected: NDArray[Any]) -> None:
    np.testing.assert_allclose(np.array(found, np.float64), expected, rtol=0, atol=TOLERANCE)


def assert_gates(found: Arrays, layer: Layer, x: NDArray[Any]) -> None:
    """`found` [T, N · H] for each gate, against the equations over x [N, T, I] from zeros."""
    for name, expected in run_layer(layer, x).items():
        np.testing.assert_allclose(found[name], expected, rtol=0, atol=TOLERANCE, err_msg=name)


def parameters_of(module: nn.Module) -> Arrays:
    return {name: one.detach().double().numpy() for name, one in module.state_dict().items()}


def watched(module: nn.Module, layer: nn.Module) -> list[NDArray[np.float64]]:
    """What a layer is given from now on, call by call."""
    seen: list[NDArray[np.float64]] = []
    layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().numpy()))
    module.double()
    return seen


def test_a_keras_file_with_a_head_on_the_last_step(client: httpx.Client) -> None:
    with np.load(KERAS / "answers.npz") as answers:
        inputs, expected = (
            answers["mixed_names/input/keras_tensor"],
            answers["mixed_names/output/0"],
        )
    with zipfile.ZipFile(KERAS / "mixed_names.keras") as file:
        stored = h5py.File(io.BytesIO(file.read("model.weights.h5")))
    for x, answer in zip(inputs, expected, strict=True):
        outputs, layers = stepped(client, "keras", x)
        assert outputs[:-1] == [None] * (len(x) - 1)
        assert len(layers) == 3
        assert_close(outputs[-1], answer)
        below: NDArray[Any] = x[np.newaxis].astype(np.float64)
        for index, found in enumerate(layers):
            suffix = f"_{index}" if index else ""
            cell = [np.array(stored[f"layers/gru{suffix}/cell/vars/{part}"]) for part in range(3)]
            whole = run_layer(keras_layer(*cell), below)
            for name, value in whole.items():
                assert_close(found[name][-1], value[-1])
            if index < len(layers) - 1:
                kernel, bias = (stored[f"layers/dense{suffix}/vars/{part}"] for part in (0, 1))
                below = (whole["hidden"] @ np.array(kernel) + np.array(bias))[np.newaxis]


def test_a_state_dict_with_batch_norm_and_three_linear_layers(
    client: httpx.Client, modules: dict[str, nn.Module]
) -> None:
    module, x = modules["regressor"], rows(3)
    outputs, layers = stepped(client, "regressor", x)
    module.double()
    with torch.no_grad():
        prefixes = [module(torch.from_numpy(x[np.newaxis, : t + 1]).double()) for t in range(STEPS)]
    assert_close(outputs, torch.cat(prefixes).numpy())
    parameters = parameters_of(module)
    below: NDArray[Any] = x[np.newaxis]
    for index, found in enumerate(layers):
        layer = torch_layer(parameters, "gru.", f"_l{index}")
        assert_gates(found, layer, below)
        below = run_layer(layer, below)["hidden"][np.newaxis]


def test_a_packed_cache_and_causal_convolutions(
    client: httpx.Client, modules: dict[str, nn.Module]
) -> None:
    module, x = modules["packed"], rows(5)
    assert isinstance(module, Packed)
    outputs, layers = stepped(client, "packed", x)
    into = [watched(module, layer) for layer in (module.first, module.second)]
    expected, cache = [], torch.zeros(1, sum(Packed.SIZES), dtype=torch.float64)
    with torch.no_grad():
        for row in x:
            y, cache = module(torch.from_numpy(row[np.newaxis, np.newaxis]).double(), cache)
            expected.append(y.numpy().ravel())
    assert_close(outputs, np.array(expected))
    parameters = parameters_of(module)
    for found, seen, name in zip(layers, into, ("first", "second"), strict=True):
        assert_gates(found, torch_layer(parameters, f"{name}.", "_l0"), np.concatenate(seen, 1))


def test_grus_along_frequency_inside_a_frame(
    client: httpx.Client, modules: dict[str, nn.Module]
) -> None:
    module, x = modules["lanes"], rows(9)
    assert isinstance(module, Lanes)
    outputs, layers = stepped(client, "lanes", x)
    seen = watched(module, module.across)
    with torch.no_grad():
        expected = module(torch.from_numpy(x[np.newaxis]).double()).numpy()[0]
    assert_close(outputs, expected)
    (found,) = layers
    assert_gates(found, torch_layer(parameters_of(module), "across.", "_l0"), seen[0])
