"""Opening graphs: one that is not what its manifest says is refused by name."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from service.bundle.bundle import Bundle, read_bundle, sha256_of
from service.bundle.manifest import is_laid_out_alike
from service.engine.engine import Engine
from service.engine.golden import TOLERANCE, deviation, replay
from service.engine.provider import Provider
from service.errors import BundleCorrupt, GoldenMismatch, ProviderUnavailable
from service.repository.models import Models


@pytest.fixture
def folder(repository: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "weather" / "1"
    shutil.copytree(repository / "weather" / "1", copy)
    return copy


def resealed(folder: Path, **changes: object) -> Bundle:
    """The bundle with a manifest that agrees with whatever files are there."""
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text("utf-8")) | changes
    manifest["files"] = {name: sha256_of(folder / name) for name in manifest["files"]}
    file.write_text(json.dumps(manifest), "utf-8")
    return read_bundle(folder)


@pytest.mark.parametrize("name", ["step.onnx", "sequence.onnx"])
@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08\x0a"])
def test_a_file_that_is_no_graph(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(BundleCorrupt, match=str(folder)):
        Engine(resealed(folder), Provider())


@pytest.mark.parametrize(
    ("name", "lost"),
    [("step.onnx", "update"), ("step.onnx", "next_state"), ("sequence.onnx", "states")],
)
def test_a_graph_that_lacks_an_output(folder: Path, name: str, lost: str) -> None:
    model = onnx.load(folder / name)
    kept = [output for output in model.graph.output if output.name != lost]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    onnx.save(model, folder / name)
    with pytest.raises(BundleCorrupt, match=f"{name} lacks {lost}"):
        Engine(resealed(folder), Provider())


def test_graphs_in_each_others_place(folder: Path) -> None:
    (folder / "step.onnx").rename(folder / "other")
    (folder / "sequence.onnx").rename(folder / "step.onnx")
    (folder / "other").rename(folder / "sequence.onnx")
    with pytest.raises(BundleCorrupt, match=r"step.onnx lacks next_state, reset"):
        Engine(resealed(folder), Provider())


def test_a_graph_of_another_state_size(folder: Path) -> None:
    bundle = resealed(
        folder,
        layers=[{"offset": 0, "hidden_size": 7, "reset": "before", "segment": "layer 0"}],
        state=[{"name": "layer 0", "kind": "gru", "shape": [1, 7]}],
    )
    with pytest.raises(BundleCorrupt, match=r"has the shape .*6\], the manifest says 7 wide"):
        Engine(bundle, Provider())


def test_a_graph_of_another_input_width(folder: Path) -> None:
    signature = {"kind": "values", "names": ["a", "b"], "units": ["", ""]}
    with pytest.raises(BundleCorrupt, match=r"input has the shape .*3\], the manifest says 2 wide"):
        Engine(resealed(folder, input=signature), Provider())


def test_an_operator_that_onnx_runtime_does_not_know(folder: Path) -> None:
    unknown = helper.make_graph(
        [helper.make_node("Nonsense", ["input"], ["output"])],
        "unknown",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 3])],
    )
    onnx.save(helper.make_model(unknown), folder / "step.onnx")
    with pytest.raises(BundleCorrupt, match="refuses the graph"):
        Engine(resealed(folder), Provider())


@pytest.mark.parametrize("name", ["output", "states", "reset", "update", "candidate"])
def test_golden_vectors_that_do_not_replay(folder: Path, name: str) -> None:
    with np.load(folder / "golden.npz") as arrays:
        changed = dict(arrays)
    changed[name][-1, -1, -1] += 5 * TOLERANCE * max(1, np.abs(changed[name][..., -1]).max())
    np.savez(folder / "golden.npz", allow_pickle=False, **changed)
    engine = Engine(resealed(folder), Provider())
    what = {"output": "output", "states": "state"}.get(name, f"{name} gate")
    with pytest.raises(GoldenMismatch, match=rf"{folder}: {what} .*single step is off by \d.*e-05"):
        replay(engine)


def test_golden_vectors_that_replay(models: Models) -> None:
    for engine in models:
        assert replay(engine) <= TOLERANCE


def as_format_1(repository: Path, name: str, folder: Path) -> Bundle:
    """A version as it was written before format 2: float32 golden vectors, nothing to inspect."""
    shutil.copytree(repository / name / "1", folder)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    for file in ("inspect.onnx", "cells.npz"):
        (folder / file).unlink()
        del manifest["files"][file]
    with np.load(folder / "golden.npz") as arrays:
        golden = {
            key: array.astype(np.float32) if array.dtype == np.float64 else array
            for key, array in arrays.items()
        }
    np.savez(folder / "golden.npz", allow_pickle=False, **golden)
    kept = ("name", "version", "task", "opset", "input", "output", "scores", "provenance", "files")
    written = {key: manifest[key] for key in kept} | {
        "format": 1,
        "reset": manifest["layers"][0]["reset"],
        "layers": [
            {"offset": layer["offset"], "hidden_size": layer["hidden_size"]}
            for layer in manifest["layers"]
        ],
    }
    (folder / "manifest.json").write_text(json.dumps(written), "utf-8")
    return resealed(folder)


@pytest.mark.parametrize("name", ["weather", "weather-deep", "letters", "letters-deep"])
def test_a_bundle_of_format_1_answers_as_before(
    repository: Path, models: Models, name: str, tmp_path: Path
) -> None:
    """Its float32 golden vectors replay; steps, gates and sequences are the same bits."""
    new = models.default(name)
    old = Engine(as_format_1(repository, name, tmp_path / name / "1"), Provider())
    assert replay(old) <= TOLERANCE
    assert old.manifest.layers[0].reset == new.manifest.layers[0].reset
    assert is_laid_out_alike(old.manifest, new.manifest), "its sessions can move to the new one"
    rows, state = new.example[:1], new.bundle.golden()["state"][:1].astype(np.float32)
    one, other = (engine.step(rows, state, gates=True) for engine in (old, new))
    assert one.gates is not None
    assert other.gates is not None
    assert one.gates.names == other.gates.names
    pairs = zip(
        (one.output, one.state, *one.gates.tensors),
        (other.output, other.state, *other.gates.tensors),
        strict=True,
    )
    assert all(np.array_equal(found, expected) for found, expected in pairs)
    sequences = [engine.sequence(new.example[np.newaxis], state) for engine in (old, new)]
    assert all(map(np.array_equal, *sequences))


def test_golden_vectors_of_format_1_that_do_not_replay(repository: Path, tmp_path: Path) -> None:
    """Relative to the larger of one and what is expected, as format 1 was written."""
    bundle = as_format_1(repository, "letters", tmp_path / "letters" / "1")
    with np.load(bundle.folder / "golden.npz") as arrays:
        changed = dict(arrays)
    changed["update"][0, 3, 2] += 5 * TOLERANCE
    np.savez(bundle.folder / "golden.npz", allow_pickle=False, **changed)
    with pytest.raises(GoldenMismatch, match="update gate of a single step is off by"):
        replay(Engine(resealed(bundle.folder), Provider()))


@pytest.mark.parametrize(
    ("found", "expected", "off"),
    [
        ([1.0], [1.0], 0.0),
        ([0.5], [0.25], 1.0),
        ([-0.5, 3.0], [0.25, -1.0], 4.0),
        ([1010.0], [1000.0], 0.01),
        ([np.nan], [0.0], np.inf),
        ([0.0], [np.nan], np.inf),
        ([np.inf], [np.inf], np.inf),
        ([np.nan, 1.0], [np.nan, 1.0], 0.0),
        ([1.0, 2.0], [1.0], np.inf),
        ([], [], 0.0),
    ],
)
def test_deviation(found: list[float], expected: list[float], off: float) -> None:
    with np.errstate(invalid="ignore"):
        assert deviation(np.array(found), np.array(expected)) == pytest.approx(off)


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(),
    reason="this ONNX Runtime is built for CUDA, and speaks for itself where it finds none",
)
def test_a_device_that_is_not_there(repository: Path) -> None:
    bundle = read_bundle(repository / "weather" / "1")
    with pytest.raises(ProviderUnavailable, match="cannot use CUDA here"):
        Engine(bundle, Provider("cuda"))
    assert Engine(bundle, Provider("auto")).provider == "CPUExecutionProvider"
