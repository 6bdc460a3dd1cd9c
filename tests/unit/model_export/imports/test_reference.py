"""`import-onnx --reference`: the file against what the module itself computed."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner, Result
from onnx import helper

from model_export.command_line import main
from tests.foreign import BATCH_AND_TIME, Windowed, export


@pytest.fixture
def module() -> Windowed:
    torch.manual_seed(0)
    return Windowed()


@pytest.fixture
def reference(module: Windowed, tmp_path: Path) -> Path:
    x = torch.randn(2, 7, 3)
    with torch.no_grad():
        np.savez(tmp_path / "reference.npz", x=x.numpy(), y=module(x).numpy())
    return tmp_path / "reference.npz"


def exported(module: Windowed, *, as_old_exporters: bool = False) -> bytes:
    """`as_old_exporters`: with the variant of the reset gate that some of them wrote."""
    content = export(module, torch.randn(2, 7, 3), axes={"x": BATCH_AND_TIME})
    if not as_old_exporters:
        return content
    model = onnx.load_from_string(content)
    for node in model.graph.node:
        if node.op_type == "GRU":
            kept = [one for one in node.attribute if one.name != "linear_before_reset"]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute("linear_before_reset", 0)])
    return bytes(model.SerializeToString())


def imported(folder: Path, content: bytes, *options: str) -> Result:
    file = folder / "model.onnx"
    file.write_bytes(content)
    given = ["import-onnx", str(file), "--name", "m", "--repository", str(folder / "models")]
    return CliRunner().invoke(main, [*given, *options])


def test_a_file_that_computes_what_the_module_computes(
    module: Windowed, reference: Path, tmp_path: Path
) -> None:
    result = imported(tmp_path, exported(module), "--reference", str(reference))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "models/m/1/manifest.json").exists()


def test_the_other_reset_variant_is_warned_about_and_found_by_the_reference(
    module: Windowed, reference: Path, tmp_path: Path
) -> None:
    content = exported(module, as_old_exporters=True)
    warned = imported(tmp_path / ".", content)
    assert warned.exit_code == 0
    assert "says linear_before_reset=0" in warned.output
    refused = imported(tmp_path, content, "--reference", str(reference))
    assert refused.exit_code == 1
    assert "'y' is off by" in refused.output
    assert "export it again" in refused.output
    assert not (tmp_path / "models/m/2").exists()


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"y": np.zeros((2, 2))}, "lacks 'x'"),
        ({"x": np.zeros((2, 7, 3))}, "lacks every output"),
        ({"x": np.zeros((2, 7, 4)), "y": np.zeros((2, 2))}, "reference.npz does not fit"),
        ({"x": np.zeros((2, 7, 3)), "y": np.zeros((2, 5))}, "'y' is float64 [2, 5]"),
        ({"x": np.zeros((2, 7, 3)), "y": np.array(["a"])}, "'y' is <U1 [1]"),
        ({"x": np.array(["a"]), "y": np.zeros((2, 2))}, "reference.npz does not fit"),
    ],
)
def test_arrays_that_are_not_the_models(
    module: Windowed, tmp_path: Path, arrays: dict[str, np.ndarray], expected: str
) -> None:
    file = tmp_path / "reference.npz"
    np.savez(file, allow_pickle=False, **arrays)
    result = imported(tmp_path, exported(module), "--reference", str(file))
    assert result.exit_code == 1
    assert expected in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "models/m").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"\x93NUMPY\x01\x00", b"[1]"])
def test_a_file_that_is_no_archive(module: Windowed, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "reference.npz"
    file.write_bytes(content)
    result = imported(tmp_path, exported(module), "--reference", str(file))
    assert result.exit_code == 1
    assert "is not an archive of arrays" in result.output
