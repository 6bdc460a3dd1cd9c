"""Files that are damaged, hostile, or something else; nothing in them is ever executed."""

import argparse
import json
import os
import pickle
import struct
import sys
import types
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from model_export.imports.checkpoint import file as checkpoint_file
from model_export.imports.checkpoint.checkpoint import read_checkpoint
from model_export.imports.checkpoint.options import CheckpointOptions
from tests.unit.model_export.imports.checkpoint.conftest import Refusal, Save
from tests.unit.model_export.imports.checkpoint.models import BY_NAME

HEAD = CheckpointOptions(head="linear")


def state_dict() -> dict[str, torch.Tensor]:
    return BY_NAME["every step"].make().state_dict()


class Executed:
    """Creates a file when it is unpickled."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self._call


@pytest.mark.parametrize("old", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("call", ["os.mkdir", "builtins.eval", "builtins.exec"])
def test_code_in_a_pickle_does_not_run(
    call: str, old: bool, tmp_path: Path, refusal: Refusal
) -> None:
    trace = tmp_path / "executed"
    hostile = {
        "os.mkdir": Executed(os.mkdir, str(trace)),
        "builtins.eval": Executed(eval, f"__import__('os').mkdir({str(trace)!r})"),
        "builtins.exec": Executed(exec, f"import os; os.mkdir({str(trace)!r})"),
    }[call]
    file = tmp_path / "model.pt"
    content = {"state_dict": state_dict(), "epoch": hostile}
    torch.save(content, file, _use_new_zipfile_serialization=not old)
    message = refusal(file, head="linear")
    assert call.partition(".")[2] in message
    assert "execute code" in message
    assert not trace.exists()
    # The file does what it threatens to.
    torch.load(file, weights_only=False)
    assert trace.exists()


class AttributeDict(dict[str, object]):
    """As PyTorch Lightning has one, were it hostile."""

    def __new__(cls, *_arguments: object) -> "AttributeDict":
        Path(TRACE[0]).touch()
        return super().__new__(cls)


TRACE = [""]


def test_what_lies_beside_the_weights_is_not_called(
    tmp_path: Path, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "pytorch_lightning.utilities.parsing"
    module = types.ModuleType(name)
    monkeypatch.setattr(module, "AttributeDict", AttributeDict, raising=False)
    monkeypatch.setattr(AttributeDict, "__module__", name)
    for parent in ("pytorch_lightning", "pytorch_lightning.utilities"):
        monkeypatch.setitem(sys.modules, parent, types.ModuleType(parent))
    monkeypatch.setitem(sys.modules, name, module)
    TRACE[0] = str(tmp_path / "first")
    beside = {
        "hyper_parameters": AttributeDict({"lr": 0.1}),
        "path": Path("runs"),
        "loss": np.float64(0.25),
        "scores": np.zeros(3),
        "args": argparse.Namespace(epochs=3),
    }
    file = save({"state_dict": state_dict(), **beside})
    TRACE[0] = str(tmp_path / "executed")
    notes = read_checkpoint(file, HEAD).notes
    assert notes[0].endswith("hyper_parameters, path, loss, scores, args")
    assert not Path(TRACE[0]).exists()
    torch.load(file, weights_only=False)
    assert Path(TRACE[0]).exists()


@pytest.mark.parametrize("old", [False, True], ids=["zip", "legacy"])
def test_a_whole_module(old: bool, tmp_path: Path, refusal: Refusal) -> None:
    file = tmp_path / "model.pth"
    torch.save(nn.GRU(3, 4), file, _use_new_zipfile_serialization=not old)
    message = refusal(file)
    assert "a pickled torch.nn.modules.rnn.GRU" in message
    assert 'torch.load("model.pth", weights_only=False)' in message
    assert 'torch.save(model.state_dict(), "state_dict.pt")' in message


def test_torchscript(tmp_path: Path, refusal: Refusal) -> None:
    file = tmp_path / "model.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(nn.Linear(3, 2)).save(str(file))
    message = refusal(file)
    assert "TorchScript" in message
    assert 'torch.jit.load("model.pt")' in message


def test_legacy_format_is_read(tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    torch.save(state_dict(), file, _use_new_zipfile_serialization=False)
    x = np.ones((1, 2, 3), np.float32)
    found = read_checkpoint(file, HEAD).answer({"input": x})["output"]
    file.unlink()
    torch.save(state_dict(), file)
    assert np.array_equal(read_checkpoint(file, HEAD).answer({"input": x})["output"], found)


def rewritten(
    file: Path, change: Callable[[bytes], bytes], *, pack: int = zipfile.ZIP_STORED
) -> Path:
    """The same archive with another data.pkl."""
    with zipfile.ZipFile(file) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(file, "w", pack) as archive:
        for name, content in entries.items():
            archive.writestr(name, change(content) if name.endswith("data.pkl") else content)
    return file


def test_weights_from_a_gpu_are_read_on_the_cpu(save: Save) -> None:
    here, there = b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0"
    file = rewritten(save(state_dict()), lambda pickled: pickled.replace(here, there))
    with pytest.raises(RuntimeError, match="CUDA"):
        torch.load(file, weights_only=True)
    read_checkpoint(file, HEAD)


def test_a_storage_that_claims_to_be_larger(save: Save, refusal: Refusal) -> None:
    file = save({"gru.weight_ih_l0": torch.zeros(7)})
    rewritten(file, lambda pickled: pickled.replace(b"K\x07t", b"M\x00\x40t"))
    assert "damaged" in refusal(file)


def test_a_tensor_that_repeats_one_number_without_end(refusal: Refusal) -> None:
    huge = torch.zeros(1).expand(2**20, 2**20)
    assert "more than 268,435,456 numbers" in refusal({"gru.weight_ih_l0": huge})


def test_a_zip_bomb(tmp_path: Path, refusal: Refusal) -> None:
    file = tmp_path / "model.pt"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/data.pkl", b"\x80\x02}.")
        archive.writestr("model/data/0", b"\0" * 10_000_000)
    message = refusal(file)
    assert "would unpack to 10,000,004 bytes" in message


def test_a_pickle_that_holds_itself(refusal: Refusal) -> None:
    endless: dict[str, object] = {}
    endless["again"] = endless
    assert "nests more than" in refusal(endless)


def test_a_pickle_that_doubles_and_doubles(refusal: Refusal) -> None:
    wide: list[object] = [0] * 100
    for _ in range(4):
        wide = [wide] * 100
    assert "1,000,000 entries" in refusal(wide)


def test_too_large(save: Save, refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_file, "MAX_BYTES", 1000)
    assert "without the optimizer" in refusal(save(state_dict()))


@pytest.mark.parametrize("old", [False, True], ids=["zip", "legacy"])
def test_cut_off_anywhere(old: bool, tmp_path: Path, refusal: Refusal) -> None:
    file = tmp_path / "model.pt"
    torch.save(state_dict(), file, _use_new_zipfile_serialization=not old)
    whole = file.read_bytes()
    for length in range(0, len(whole) - 1, 37):
        file.write_bytes(whole[:length])
        refusal(file, head="linear")


def test_any_byte_changed(save: Save) -> None:
    """Read as something, or refused; nothing else happens."""
    file = save(state_dict())
    whole = file.read_bytes()
    for place in range(0, len(whole), 13):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read_checkpoint(file, HEAD)
        except Exception as error:
            assert type(error).__name__ == "ModelRefused", (place, error)


def safetensors(tmp_path: Path, header: object, data: bytes) -> Path:
    encoded = json.dumps(header).encode()
    file = tmp_path / "model.safetensors"
    file.write_bytes(struct.pack("<Q", len(encoded)) + encoded + data)
    return file


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [3, 1], "data_offsets": [0, 4000]},
        {"dtype": "F32", "shape": [3, 1], "data_offsets": [4, 16]},
        {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 12]},
        {"dtype": "F32", "shape": [3, 1], "data_offsets": [12, 0]},
        {"dtype": "X7", "shape": [3, 1], "data_offsets": [0, 12]},
        {"shape": "none"},
    ],
)
def test_a_safetensors_header_that_lies(
    entry: dict[str, object], tmp_path: Path, refusal: Refusal
) -> None:
    file = safetensors(tmp_path, {"gru.weight_ih_l0": entry}, bytes(12))
    assert "damaged .safetensors" in refusal(file)


def test_safetensors_cut_off_anywhere(tmp_path: Path, refusal: Refusal) -> None:
    file = tmp_path / "model.safetensors"
    save_file(state_dict(), file)
    whole = file.read_bytes()
    for length in range(0, len(whole) - 1, 41):
        file.write_bytes(whole[:length])
        refusal(file, head="linear")


def test_shared_storage_of_safetensors(tmp_path: Path) -> None:
    """save_model writes one of the tensors that share, and names the others in the metadata."""
    model = BY_NAME["embedding"].make()
    tensors = dict(model.state_dict())
    del tensors["gru.bias_ih_l0"]
    file = tmp_path / "model.safetensors"
    save_file(tensors, file, metadata={"gru.bias_ih_l0": "gru.bias_hh_l0"})
    read_checkpoint(file, HEAD)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("model.pt", b"", "is empty"),
        ("model.pt", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("model.pt", b"<!DOCTYPE html><html></html>", "a web page"),
        ("model.pt", b"GGUF\x03\0\0\0 and more", "a GGUF file"),
        ("model.pt", b"\x93NUMPY\x01\0", "a NumPy array"),
        ("model.onnx", b"\x08\x0a\x12\x07pytorch", "use import-onnx"),
        ("model.pt", b"no pickle at all, only text", "not a checkpoint"),
        ("model.pt", pickle.dumps({"gru": 1}, protocol=4), "not by torch.save"),
        ("model.pt", pickle.dumps({"gru": 1}, protocol=2), "not by torch.save"),
    ],
)
def test_other_formats(
    name: str, content: bytes, expected: str, tmp_path: Path, refusal: Refusal
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    assert expected in refusal(file)


def test_keras_files_are_told(tmp_path: Path, refusal: Refusal) -> None:
    file = tmp_path / "model.pt"
    with h5py.File(file, "w") as opened:
        opened["weights"] = [1.0]
    assert "use import-keras" in refusal(file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", b"")
    assert "use import-keras" in refusal(file)


def test_another_zip_archive(tmp_path: Path, refusal: Refusal) -> None:
    file = tmp_path / "weights.pt"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "weights are elsewhere")
    assert "not one that torch.save wrote" in refusal(file)


def test_missing_file_and_folder(tmp_path: Path, refusal: Refusal) -> None:
    assert "is not there" in refusal(tmp_path / "none.pt")
    assert "is a folder" in refusal(tmp_path)


def test_no_warning_of_torch_reaches_the_user(tmp_path: Path) -> None:
    """Protocol 3 makes torch.load warn, and warnings are errors in tests."""
    file = tmp_path / "model.pt"
    torch.save(state_dict(), file, pickle_protocol=3)
    with pytest.warns(UserWarning, match="pickle protocol"):
        torch.load(file, weights_only=True)
    read_checkpoint(file, HEAD)
