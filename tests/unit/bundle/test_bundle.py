"""Reading a bundle: what is wrong with it is said by file and by name."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.bundle.bundle import read_bundle, sha256_of
from service.bundle.folders import read_repository
from service.bundle.manifest import GRU_GATES, Manifest
from service.bundle.signatures import Tokens
from service.errors import BundleCorrupt, BundleIncomplete


@pytest.fixture
def folder(repository: Path, tmp_path: Path) -> Path:
    """A sound version that a test may damage."""
    copy = tmp_path / "models" / "weather" / "1"
    shutil.copytree(repository / "weather" / "1", copy)
    return copy


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text("utf-8"))
    change(manifest)
    file.write_text(json.dumps(manifest), "utf-8")


def test_a_sound_bundle(folder: Path) -> None:
    bundle = read_bundle(folder)
    assert (bundle.manifest.name, bundle.manifest.version) == ("weather", 1)
    assert bundle.step_graph == folder / "step.onnx"
    assert bundle.sequence_graph == folder / "sequence.onnx"
    assert set(bundle.golden()) == {"input", "state", "output", "states", *GRU_GATES}


@pytest.mark.parametrize("name", ["manifest.json", "step.onnx", "sequence.onnx", "golden.npz"])
def test_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleIncomplete, match=f"{folder / name} is missing"):
        read_bundle(folder)


@pytest.mark.parametrize("name", ["step.onnx", "sequence.onnx", "golden.npz", "report.html"])
def test_a_changed_file(folder: Path, name: str) -> None:
    before = sha256_of(folder / name)
    with (folder / name).open("ab") as file:
        file.write(b" ")
    after = sha256_of(folder / name)
    with pytest.raises(BundleCorrupt) as raised:
        read_bundle(folder)
    for part in (str(folder / name), before[:12], after[:12]):
        assert part in str(raised.value)


@pytest.mark.parametrize("name", ["step.onnx", "sequence.onnx", "golden.npz"])
def test_a_manifest_that_does_not_list_a_file(folder: Path, name: str) -> None:
    change_manifest(folder, lambda manifest: manifest["files"].pop(name))
    with pytest.raises(BundleIncomplete, match=f"lists no {name}"):
        read_bundle(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'"text"'])
def test_a_manifest_that_is_no_record(folder: Path, content: bytes) -> None:
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(BundleCorrupt, match=r"manifest.json: the file: "):
        read_bundle(folder)


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("format", lambda m: m.update(format=3)),
        ("name", lambda m: m.update(name="../elsewhere")),
        ("version", lambda m: m.update(version=0)),
        ("layers.0.reset", lambda m: m["layers"][0].update(reset="sideways")),
        ("the file", lambda m: m.update(layers=[])),
        ("the file", lambda m: m.update(state=[])),
        ("the file", lambda m: m.update(reason="it looks ahead")),
        ("the file", lambda m: m.update(sessions=False, reason="it looks ahead")),
        ("the file", lambda m: m.update(state=m["state"] * 2)),
        ("state.0", lambda m: m["state"][0].update(initial=[0.0])),
        ("input", lambda m: m["input"].update(kind="images")),
        ("input.values", lambda m: m["input"].update(units=["°C"])),
        ("colour", lambda m: m.update(colour="red")),
        ("the file", lambda m: m["layers"][0].update(offset=1)),
        ("task", lambda m: m.pop("task")),
    ],
)
def test_a_manifest_that_says_something_impossible(
    folder: Path, place: str, change: Callable[[dict[str, Any]], object]
) -> None:
    change_manifest(folder, change)
    with pytest.raises(BundleCorrupt, match=f"manifest.json: {place}: ") as raised:
        read_bundle(folder)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "name",
    [
        *("../secret", "..", ".", "", "a/b", "a/../../secret", "/etc/hostname", "a/", "./a"),
        *("..\\secret", "C:\\secret", "C:secret", "a\0b", "a\nb", ".hidden", "~", "x" * 300),
    ],
)
def test_a_manifest_that_lists_what_is_not_in_its_folder(folder: Path, name: str) -> None:
    """Also where such a file is there, and has the very hash."""
    (folder.parent / "secret").write_bytes(b"secret")
    digest = sha256_of(folder.parent / "secret")
    change_manifest(folder, lambda manifest: manifest["files"].update({name: digest}))
    with pytest.raises(BundleCorrupt, match=r"manifest.json: files: .* is no plain file name"):
        read_bundle(folder)


def test_golden_vectors_that_lack_an_array(folder: Path) -> None:
    with np.load(folder / "golden.npz") as arrays:
        kept = {name: arrays[name] for name in arrays if name not in ("update", "states")}
    np.savez(folder / "golden.npz", allow_pickle=False, **kept)
    digest = sha256_of(folder / "golden.npz")
    change_manifest(folder, lambda manifest: manifest["files"].update({"golden.npz": digest}))
    with pytest.raises(BundleCorrupt, match=r"golden.npz lacks an array: states"):
        read_bundle(folder).golden()


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"not an archive", "is not an archive of arrays"), (None, "update is int64, not float64")],
)
def test_golden_vectors_that_are_no_golden_vectors(
    folder: Path, content: bytes | None, reason: str
) -> None:
    file = folder / "golden.npz"
    with np.load(file) as arrays:
        kept = dict(arrays) | {"update": np.zeros(3, np.int64)}
    if content is None:
        np.savez(file, allow_pickle=False, **kept)
    else:
        file.write_bytes(content)
    digest = sha256_of(file)
    change_manifest(folder, lambda manifest: manifest["files"].update({"golden.npz": digest}))
    with pytest.raises(BundleCorrupt, match=reason):
        read_bundle(folder).golden()


def test_a_repository_by_name_and_version(repository: Path, tmp_path: Path) -> None:
    for version in (2, 10, 1):
        place_copy(repository / "weather" / "1", tmp_path / "weather" / str(version))
    shutil.copytree(repository / "letters", tmp_path / "letters")
    found = [(b.manifest.name, b.manifest.version) for b in read_repository(tmp_path)]
    assert found == [("letters", 1), ("weather", 1), ("weather", 2), ("weather", 10)]


def test_what_is_no_version_is_passed_over(folder: Path) -> None:
    repository = folder.parent.parent
    (repository / ".staging-1" / "1").mkdir(parents=True)
    (repository / "README.md").touch()
    (repository / "weather" / "notes").mkdir()
    (repository / "weather" / "2").touch()
    assert [bundle.folder for bundle in read_repository(repository)] == [folder]


def test_a_version_in_the_wrong_place(folder: Path) -> None:
    folder.rename(folder.parent / "2")
    with pytest.raises(
        BundleCorrupt, match="its manifest says weather/1, its place says weather/2"
    ):
        read_repository(folder.parent.parent)


def test_one_bad_version_is_an_error_and_not_a_gap(folder: Path) -> None:
    (folder.parent / "2").mkdir()
    with pytest.raises(BundleIncomplete, match=r"2/manifest.json is missing"):
        read_repository(folder.parent.parent)


def test_an_empty_repository(tmp_path: Path) -> None:
    with pytest.raises(BundleIncomplete, match="holds no model; make one with"):
        read_repository(tmp_path)
    with pytest.raises(BundleIncomplete, match="is not a folder"):
        read_repository(tmp_path / "none")


FORMAT_1: dict[str, Any] = {
    "format": 1,
    "name": "old",
    "version": 1,
    "task": "forecast",
    "reset": "after",
    "opset": 20,
    "input": {"kind": "values", "names": ["a"], "units": ["1"]},
    "output": {"kind": "values", "names": ["a"], "units": ["1"]},
    "layers": [
        {"offset": 0, "hidden_size": 3},
        {"offset": 3, "hidden_size": 5},
        {"offset": 8, "hidden_size": 2},
    ],
    "files": {},
}


def test_format_1_is_read_as_what_it_is() -> None:
    """All segments GRU layers that begin with zeros; gates as wide as the state."""
    manifest = Manifest.model_validate(FORMAT_1)
    assert [layer.span for layer in manifest.layers] == [slice(0, 3), slice(3, 8), slice(8, 10)]
    assert {layer.reset for layer in manifest.layers} == {"after"}
    assert [(one.kind, one.size, one.initial) for one in manifest.state] == [
        ("gru", size, "zeros") for size in (3, 5, 2)
    ]
    assert manifest.gate_size == manifest.state_size == 10
    assert manifest.hidden_in_state
    assert (manifest.tolerance.step, manifest.tolerance.floor) == (1e-5, 1.0)
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest


@pytest.mark.parametrize("layers", [None, [], "three", [1], [{"offset": 1, "hidden_size": 3}]])
def test_format_1_with_impossible_layers(layers: object) -> None:
    with pytest.raises(ValueError, match="layer"):
        Manifest.model_validate(FORMAT_1 | {"layers": layers})


def test_a_vocabulary_has_one_text_for_each_token() -> None:
    assert Tokens(size=2, vocabulary=("a", "b")).ids == {"a": 0, "b": 1}
    for vocabulary in (("a",), ("a", "a"), ("a", "b", "c")):
        with pytest.raises(ValueError, match="the vocabulary needs 2 different entries"):
            Tokens(size=2, vocabulary=vocabulary)


def place_copy(source: Path, target: Path) -> None:
    """A version under another number."""
    shutil.copytree(source, target)
    change_manifest(target, lambda manifest: manifest.update(version=int(target.name)))
    assert Manifest.model_validate_json((target / "manifest.json").read_bytes())


def test_the_sample_is_what_training_held_out(folder: Path) -> None:
    bundle = read_bundle(folder)
    with np.load(folder / "sample.npz") as arrays:
        np.testing.assert_array_equal(bundle.sample(), arrays["input"])
    # A version from before has the first sequence of its golden vectors.
    change_manifest(folder, lambda manifest: manifest["files"].pop("sample.npz"))
    np.testing.assert_array_equal(read_bundle(folder).sample(), bundle.golden()["input"][0])


@pytest.mark.parametrize("arrays", [{}, {"input": np.zeros((3, 3))}])
def test_a_sample_that_is_none(folder: Path, arrays: dict[str, NDArray[np.float64]]) -> None:
    np.savez(folder / "sample.npz", allow_pickle=False, **arrays)
    digest = sha256_of(folder / "sample.npz")
    change_manifest(folder, lambda manifest: manifest["files"].update({"sample.npz": digest}))
    with pytest.raises(BundleCorrupt, match=r"sample.npz has no array `input` of float32"):
        read_bundle(folder).sample()


@pytest.mark.parametrize("ranges", [[[0, 1]], [[0, 1]] * 4])
def test_ranges_of_other_inputs(folder: Path, ranges: list[list[float]]) -> None:
    change_manifest(folder, lambda manifest: manifest.update(input_ranges=ranges))
    with pytest.raises(BundleCorrupt, match="a range for each input, or none"):
        read_bundle(folder)
