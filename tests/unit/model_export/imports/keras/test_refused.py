"""Keras files that are damaged, hostile, or hold what cannot be carried over: one line each."""

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from model_export.errors import ModelRefused
from model_export.imports.keras import file as keras_file
from model_export.imports.keras import read_keras, rehearsal
from tests.unit.model_export.imports.keras.altered import (
    FUNCTIONAL,
    HDF5,
    SEQUENTIAL,
    Config,
    altered,
    layer,
    replaced,
    zipped,
)

KERNEL = "layers/gru/cell/vars/0"


def refusal(file: Path) -> str:
    """The message, which names the file and is one line."""
    with pytest.raises(ModelRefused) as refused:
        read_keras(file)
    message = str(refused.value)
    assert message.startswith(f"{file}: ")
    assert "\n" not in message
    return message


def add_layer(**entry: object) -> Callable[[Config], None]:
    def change(config: Config) -> None:
        config["config"]["layers"].append(entry)

    return change


def test_what_was_not_altered_is_read(tmp_path: Path) -> None:
    for file in (SEQUENTIAL, FUNCTIONAL):
        assert read_keras(altered(tmp_path, of=file)).model.graph.node


# Files that are no Keras files, or not whole.


def test_no_file(tmp_path: Path) -> None:
    assert "there is no such file" in refusal(tmp_path / "model.keras")
    assert "cannot be read" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"])
def test_something_else(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "model.keras"
    file.write_bytes(content)
    assert "no HDF5 file, or is damaged" in refusal(file)


@pytest.mark.parametrize("whole", [SEQUENTIAL, HDF5], ids=lambda path: path.suffix)
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_truncated(whole: Path, part: float, tmp_path: Path) -> None:
    content = whole.read_bytes()
    file = tmp_path / whole.name
    file.write_bytes(content[: int(part * len(content))])
    assert "damaged" in refusal(file)


def test_a_changed_byte_in_the_archive(tmp_path: Path) -> None:
    content = bytearray(SEQUENTIAL.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file = tmp_path / "model.keras"
    file.write_bytes(content)
    assert "the zip archive is damaged: Bad CRC-32" in refusal(file)


def test_a_file_on_which_the_hdf5_library_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last text in the file's heap is longer than the heap."""
    content = bytearray(HDF5.read_bytes())
    at, length = content.index(b"GCOL") + 16, 0
    while content[at : at + 2] != b"\0\0":
        length = at + 8
        at += 16 + (int.from_bytes(content[length : length + 8], "little") + 7) // 8 * 8
    content[length] = 254
    file = tmp_path / "model.h5"
    file.write_bytes(content)
    monkeypatch.setattr(rehearsal, "SECONDS", 3.0)
    assert "the HDF5 library hangs or crashes on it" in refusal(file)


def test_an_archive_without_weights(tmp_path: Path) -> None:
    file = zipped(tmp_path, {"config.json": b"{}", "metadata.json": b"{}"})
    assert "lacks model.weights.h5; it holds config.json, metadata.json" in refusal(file)


def test_weights_alone(tmp_path: Path) -> None:
    file = tmp_path / "model.weights.h5"
    with h5py.File(file, "w") as root:
        root.create_dataset("kernel", data=np.ones(3))
    assert "weights only" in refusal(file)


def test_members_that_inflate_beyond_all_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = b" " * (keras_file.LONGEST_JSON + 1)
    assert "config.json would take 33,554,433 bytes" in refusal(
        zipped(tmp_path, {"config.json": bomb, "metadata.json": b"{}", "model.weights.h5": b""})
    )
    monkeypatch.setattr(keras_file, "LARGEST_WEIGHTS", 1000)
    assert "model.weights.h5 would take" in refusal(SEQUENTIAL)
    monkeypatch.setattr(keras_file, "LARGEST_FILE", 1000)
    assert "more than 1,000 bytes" in refusal(HDF5)


@pytest.mark.parametrize(
    ("text", "mention"),
    [
        (b"{", "no JSON"),
        (b"[]", "no JSON object"),
        (b"[" * 100_000, "no JSON"),
        (b"\xff", "no JSON"),
    ],
)
def test_an_architecture_that_is_no_json(text: bytes, mention: str, tmp_path: Path) -> None:
    members = {"config.json": text, "metadata.json": b"{}", "model.weights.h5": b""}
    assert mention in refusal(zipped(tmp_path, members))


@pytest.mark.parametrize("version", [None, "1.2.2", "4.0.0", 3])
def test_versions_with_unknown_formulas(version: object, tmp_path: Path) -> None:
    file = altered(tmp_path, metadata={"keras_version": version})
    assert "versions 2 and 3 can be read" in refusal(file)


# Weights.


def nan(root: h5py.File) -> None:
    root[KERNEL][0, 0] = np.nan


def linked(root: h5py.File) -> None:
    del root[KERNEL]
    root[KERNEL] = h5py.ExternalLink("/etc/hostname", "/x")


def soft_linked(root: h5py.File) -> None:
    del root[KERNEL]
    root[KERNEL] = h5py.SoftLink("/layers/gru_1/cell/vars/0")


def external(root: h5py.File) -> None:
    replaced(root, KERNEL, shape=(3, 9), dtype="f4", external=[("/etc/passwd", 0, 108)])


def virtual(root: h5py.File) -> None:
    layout = h5py.VirtualLayout((3, 9), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (3, 9))
    del root[KERNEL]
    root.create_virtual_dataset(KERNEL, layout)


def renamed(root: h5py.File) -> None:
    root["layers/gru/vars"].attrs["name"] = "another"


WEIGHTS: dict[str, tuple[Callable[[h5py.File], object], tuple[str, ...]]] = {
    "not finite": (nan, ("layer 'gru_1' (GRU)", "'kernel'", "NaN or infinity")),
    "a link to another file": (linked, ("layer 'gru_1' (GRU)", "links are not followed")),
    "a link within the file": (soft_linked, ("links are not followed",)),
    "values in another file": (external, ("lies in another file",)),
    "a view of another file": (virtual, ("lies in another file",)),
    "another layer's": (renamed, ("belong to layer 'another', not to 'gru_1'",)),
    "none of a layer": (
        lambda root: root.pop("layers/gru"),
        ("layer 'gru_1' (GRU)", "lacks the weights"),
    ),
    "one too few": (
        lambda root: root.pop("layers/dense/vars/1"),
        ("layer 'dense_7' (Dense)", "holds 1 weights", "kernel, bias"),
    ),
    "another shape": (
        lambda root: replaced(root, KERNEL, data=np.ones((3, 12))),
        ("layer 'gru_1' (GRU)", "'kernel' is [3, 12] in the file, not [3, 9]"),
    ),
    "other features": (
        lambda root: replaced(root, KERNEL, data=np.ones((4, 9))),
        ("layer 'gru_1' (GRU)", "weights are for 4 features, and its input has 3"),
    ),
    "text": (
        lambda root: replaced(root, KERNEL, data=b"x"),
        ("'kernel' is no array of numbers",),
    ),
    "a group": (
        lambda root: (root.pop(KERNEL), root.create_group(KERNEL)),
        ("'kernel' is no array of numbers",),
    ),
    "a shape alone": (
        lambda root: replaced(root, KERNEL, shape=(3, 9), dtype="f4"),
        ("'kernel' has a shape and no values",),
    ),
    "too many": (
        lambda root: replaced(root, KERNEL, shape=(10**6, 10**6), dtype="f4", chunks=(100, 100)),
        ("take more than 1,073,741,824 bytes",),
    ),
    "too large for float32": (
        lambda root: replaced(root, KERNEL, data=np.full((3, 9), 1e300)),
        ("layer 'gru_1'", "do not fit float32"),
    ),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights(case: str, tmp_path: Path) -> None:
    change, mentions = WEIGHTS[case]
    message = refusal(altered(tmp_path, weights=change))
    for mention in mentions:
        assert mention in message


# Architectures.


def test_code_is_never_executed(tmp_path: Path) -> None:
    """Neither what Keras would unpickle nor what it would import."""
    trace = tmp_path / "trace"
    code = {"class_name": "__lambda__", "config": {"code": f"open({str(trace)!r}, 'w')"}}
    evil = add_layer(class_name="Lambda", config={"name": "evil", "function": code})
    assert "layer 'evil' (Lambda)" in refusal(altered(tmp_path, config=evil))
    evil = add_layer(module="os", class_name="system", config={"name": "evil", "command": "true"})
    message = refusal(altered(tmp_path, config=evil))
    assert "layer 'evil' (system): its class is of 'os', whose code is not in the file" in message
    assert not trace.exists()


def test_a_layer_without_a_rule(tmp_path: Path) -> None:
    new = add_layer(module="keras.layers", class_name="Newest", config={"name": "new"})
    message = refusal(altered(tmp_path, config=new))
    assert "layer 'new' (Newest): it cannot be imported: there is no rule" in message
    assert "known layers: Activation, " in message


@pytest.mark.parametrize(
    "whose", [{"module": "mine.layers"}, {"registered_name": "mine>GRU"}], ids=str
)
def test_a_class_that_shares_the_name_of_one_of_keras(
    whose: dict[str, str], tmp_path: Path
) -> None:
    def change(config: Config) -> None:
        config["config"]["layers"][1].update(whose)

    assert "layer 'gru_1' (GRU): its class is of 'mine" in refusal(altered(tmp_path, config=change))


def test_an_activation_that_is_not_of_keras(tmp_path: Path) -> None:
    def change(config: Config) -> None:
        layer(config, "gru_1")["activation"] = {"class_name": "function", "config": "my_own"}

    message = refusal(altered(tmp_path, config=change))
    assert "layer 'gru_1' (GRU): its activation {'class_name': 'function'" in message


FIELDS = [
    ("units", 4, "weight 'kernel' is [3, 9] in the file, not [3, 12]"),
    ("units", -1, "its field 'units' is -1"),
    ("units", 10**40, "its field 'units' is 1000"),
    ("units", None, "its field 'units' is None"),
    ("reset_after", False, "weight 'bias' is [2, 9] in the file, not [9]"),
    ("use_bias", False, "holds 3 weights for cell, not 2"),
    ("use_bias", "yes", "its field 'use_bias' is 'yes'"),
    ("time_major", True, "'time_major' is set"),
    ("shiny_new_option", 3, "its field 'shiny_new_option' (3) is not known here"),
    ("dtype", "int8", "its field 'dtype' is 'int8'"),
    ("dtype", {"config": {"name": ["float32"]}}, "its field 'dtype'"),
    ("return_sequences", False, "(Dense)"),
]


@pytest.mark.parametrize(("key", "value", "mention"), FIELDS)
def test_fields_of_a_gru(key: str, value: object, mention: str, tmp_path: Path) -> None:
    def change(config: Config) -> None:
        layer(config, "gru_1")[key] = value

    if key == "return_sequences":
        mention = "layer 'gru' (GRU): it works on 3 axes"
    assert mention in refusal(altered(tmp_path, config=change))


def nested(depth: int) -> Config:
    inner: Config = {"name": "dense", "units": 3, "activation": "linear"}
    entry: Config = {"class_name": "Dense", "config": inner}
    for level in range(depth):
        entry = {"class_name": "Sequential", "config": {"name": f"m{level}", "layers": [entry]}}
    return entry


def test_models_within_models_without_end(tmp_path: Path) -> None:
    def change(config: Config) -> None:
        config["config"]["layers"][1:] = [nested(50)]

    def make_groups(root: h5py.File) -> None:
        root.create_group("layers/sequential" + "/layers/sequential" * 50)

    message = refusal(altered(tmp_path, config=change, weights=make_groups))
    assert "models stand within models more than 10 deep" in message


def test_more_layers_than_are_read(tmp_path: Path) -> None:
    def change(config: Config) -> None:
        config["config"]["layers"] *= 1000

    assert "the model has 6000 layers" in refusal(altered(tmp_path, config=change))


def test_two_layers_of_one_name(tmp_path: Path) -> None:
    def change(config: Config) -> None:
        layer(config, "dense")["name"] = "gru"

    assert "two layers have the name 'gru'" in refusal(altered(tmp_path, config=change))


def tensor(name: str) -> Config:
    return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}


@pytest.mark.parametrize("name", ["dense", "nowhere"])
def test_a_layer_that_is_called_with_what_nothing_makes(name: str, tmp_path: Path) -> None:
    """Its own output, or that of a layer that does not exist."""

    def change(config: Config) -> None:
        entry = next(e for e in config["config"]["layers"] if e["name"] == "dense")
        entry["inbound_nodes"][0]["args"] = [tensor(name)]

    message = refusal(altered(tmp_path, config=change, of=FUNCTIONAL))
    assert "layer 'dense' is called with a tensor that no layer makes" in message


def test_a_model_without_a_gru(tmp_path: Path) -> None:
    def change(config: Config) -> None:
        layers = config["config"]["layers"]
        config["config"]["layers"] = [layers[0], layers[2]]

    assert "has no GRU; its layers are dense_7" in refusal(altered(tmp_path, config=change))


def test_a_model_whose_structure_is_code(tmp_path: Path) -> None:
    def change(config: Config) -> None:
        config["class_name"] = "MyModel"

    assert "of class MyModel, whose structure is code" in refusal(altered(tmp_path, config=change))


def test_a_name_that_breaks_the_message(tmp_path: Path) -> None:
    def change(config: Config) -> None:
        layer(config, "gru_1")["name"] = "a\nb\ud800"

    assert json.dumps("a\nb")[1:5] in refusal(altered(tmp_path, config=change))
