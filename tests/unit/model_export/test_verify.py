"""Verification refuses every bundle that computes something else, and says what."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import GraphProto, helper, numpy_helper

from model_export.errors import ModelRefused
from model_export.verify.verify import SHAPES, verify
from service.bundle.bundle import read_bundle, sha256_of
from service.engine.golden import TOLERANCE
from service.engine.provider import Provider


@pytest.fixture(params=["weather", "letters-deep"])
def folder(request: pytest.FixtureRequest, repository: Path, tmp_path: Path) -> Path:
    name: str = request.param
    copy = tmp_path / name / "1"
    shutil.copytree(repository / name / "1", copy)
    return copy


def tamper(folder: Path, name: str, change: Callable[[GraphProto], None]) -> None:
    model = onnx.load(folder / name)
    change(model.graph)
    onnx.save(model, folder / name)


def verified(folder: Path) -> None:
    """With a manifest that agrees with whatever files are there."""
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text("utf-8"))
    manifest["files"] = {name: sha256_of(folder / name) for name in manifest["files"]}
    file.write_text(json.dumps(manifest), "utf-8")
    checks = verify(read_bundle(folder), Provider())
    assert all(check.deviation <= TOLERANCE for check in checks)
    for batch, time in SHAPES:
        assert any(check.name.endswith(f"B={batch} T={time}") for check in checks)


def test_a_sound_bundle(folder: Path) -> None:
    verified(folder)


def swap_outputs(graph: GraphProto, one: str, other: str) -> None:
    """Each of two outputs gives what the other should."""
    names = {one: other, other: one}
    for node in graph.node:
        node.output[:] = [names.get(name, name) for name in node.output]
        node.input[:] = [names.get(name, name) for name in node.input]


@pytest.mark.parametrize("pair", [("reset", "update"), ("update", "candidate")])
def test_swapped_gates(folder: Path, pair: tuple[str, str]) -> None:
    tamper(folder, "step.onnx", lambda graph: swap_outputs(graph, *pair))
    with pytest.raises(ModelRefused, match=rf"({pair[0]}|{pair[1]}) gate of a single step"):
        verified(folder)


def test_keep_in_place_of_update(folder: Path) -> None:
    def flip(graph: GraphProto) -> None:
        one = numpy_helper.from_array(np.array([1], np.float32), "one")
        graph.initializer.append(one)
        for node in graph.node:
            node.output[:] = ["written" if name == "update" else name for name in node.output]
            node.input[:] = ["written" if name == "update" else name for name in node.input]
        graph.node.append(helper.make_node("Sub", ["one", "written"], ["update"]))

    tamper(folder, "step.onnx", flip)
    with pytest.raises(ModelRefused, match="update gate of a single step is off by"):
        verified(folder)


def perturb(graph: GraphProto) -> None:
    """The largest weight, by one part in a hundred."""
    weights = [t for t in graph.initializer if t.data_type == 1 and len(t.dims) >= 2]
    largest = max(weights, key=lambda tensor: int(np.prod(tensor.dims)))
    array = numpy_helper.to_array(largest) * np.float32(1.01)
    largest.CopyFrom(numpy_helper.from_array(array, largest.name))


@pytest.mark.parametrize("name", ["step.onnx", "sequence.onnx"])
def test_perturbed_weights(folder: Path, name: str) -> None:
    tamper(folder, name, perturb)
    with pytest.raises(ModelRefused, match=f"verification failed: {folder}: .* is off by"):
        verified(folder)


def test_gates_swapped_together_with_their_golden_vectors(folder: Path) -> None:
    """Nothing but the equations can tell."""
    with np.load(folder / "golden.npz") as arrays:
        changed = dict(arrays)
    swapped = changed | {"reset": changed["update"], "update": changed["reset"]}
    np.savez(folder / "golden.npz", allow_pickle=False, **swapped)
    tamper(folder, "step.onnx", lambda graph: swap_outputs(graph, "reset", "update"))
    tamper(folder, "inspect.onnx", lambda graph: swap_outputs(graph, "reset", "update"))
    with pytest.raises(ModelRefused, match=r"reset of layer 0 against the equations, B=1: off"):
        verified(folder)
