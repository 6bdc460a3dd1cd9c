"""Files that are damaged, or made to do harm: one clear line, bounded, and nothing written."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from tests.unit.model_export.gru_models import FIRST, stacked_model
from tests.unit.model_export.imports.onnx.around import around, node
from tests.unit.model_export.imports.onnx.limited import LimitedImports

WHOLE = stacked_model().SerializeToString()
HUGE = (10**12, 10**9, -3, -(2**63), 2**63 - 1)


@pytest.fixture(scope="module")
def imports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LimitedImports]:
    started = LimitedImports(tmp_path_factory.mktemp("imports"))
    yield started
    started.close()


@pytest.fixture
def refused(imports: LimitedImports, tmp_path: Path) -> Callable[[onnx.ModelProto | bytes], str]:
    """What is said about a file, which must be one line."""

    def refused(content: onnx.ModelProto | bytes) -> str:
        file = tmp_path / "model.onnx"
        if isinstance(content, onnx.ModelProto):
            content = content.SerializeToString()
        file.write_bytes(content)
        return message_about(imports, file)

    return refused


def message_about(imports: LimitedImports, file: Path) -> str:
    outcome, repository = imports.run(file)
    assert outcome.status == 1, outcome
    lines = outcome.errors.splitlines()
    assert len(lines) == 1, outcome.errors
    assert lines[0].startswith("Error: ")
    assert not repository.exists() or not list(repository.iterdir())
    return lines[0]


def test_what_is_not_damaged_is_imported(imports: LimitedImports, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(WHOLE)
    outcome, repository = imports.run(file)
    assert (outcome.status, outcome.errors) == (0, "")
    assert (repository / "hostile" / "1" / "manifest.json").exists()


@pytest.mark.parametrize("missing", [True, False])
def test_no_file(*, missing: bool, imports: LimitedImports, tmp_path: Path) -> None:
    outcome, _ = imports.run(tmp_path / "nothing" if missing else tmp_path)
    assert outcome.status == 2
    assert str(tmp_path) in outcome.errors.splitlines()[-1]


@pytest.mark.parametrize(
    "content",
    [b"", b"to be or not to be\n" * 99, bytes(1000), np.random.default_rng(0).bytes(5000)],
    ids=["empty", "text", "zeros", "random"],
)
def test_something_else(content: bytes, refused: Callable[[bytes], str]) -> None:
    assert "model.onnx is not an ONNX" in refused(content)


def test_a_file_that_was_cut_off(
    refused: Callable[[bytes], str], subtests: pytest.Subtests
) -> None:
    for end in (*range(0, len(WHOLE), len(WHOLE) // 50), len(WHOLE) - 1):
        with subtests.test(end=end):
            assert "model.onnx is not an ONNX" in refused(WHOLE[:end])


def test_bytes_that_changed(imports: LimitedImports, tmp_path: Path) -> None:
    """Some make a weight another number: such a file is a model like any other."""

    @settings(
        max_examples=25,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=4))
    def is_imported_or_refused(changes: Sequence[tuple[int, int]]) -> None:
        content = bytearray(WHOLE)
        for place, byte in changes:
            content[place] = byte
        file = tmp_path / "model.onnx"
        file.write_bytes(content)
        outcome, _ = imports.run(file)
        assert outcome.status in (0, 1), outcome
        assert "Traceback" not in outcome.errors
        assert not outcome.status or outcome.errors.splitlines()[-1].startswith("Error: ")

    is_imported_or_refused()


# Weights beside the file.


def beside(folder: Path, **entries: object) -> Path:
    """A model in a folder of its own, whose W is said to be in another file."""
    model = around()
    weights = model.graph.initializer[0]
    (folder / "outside.bin").write_bytes(weights.raw_data)
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        weights.external_data.add(key=key, value=str(value))
    inside = folder / "inside"
    inside.mkdir()
    (inside / "model.onnx").write_bytes(model.SerializeToString())
    return inside


@pytest.mark.parametrize(
    "entries",
    [
        {"location": "../outside.bin"},
        {"location": "/dev/zero"},
        {"location": "missing.bin"},
        {"location": "."},
        {"location": ""},
        {},
        {"location": "w.bin", "offset": 10**6},
        {"location": "w.bin", "offset": 10**18},
        {"location": "w.bin", "offset": -5},
        {"location": "w.bin", "offset": "abc"},
        {"location": "w.bin", "length": 3 * 10**9},
        {"location": "w.bin", "length": 4},
    ],
    ids=str,
)
def test_external_data(entries: dict[str, Any], imports: LimitedImports, tmp_path: Path) -> None:
    folder = beside(tmp_path, **entries)
    (folder / "w.bin").write_bytes((tmp_path / "outside.bin").read_bytes())
    message = message_about(imports, folder / "model.onnx")
    assert "model.onnx: its external data" in message or "W" in message


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_external_data_that_a_link_leads_to(
    link: Callable[[Path, Path], None], imports: LimitedImports, tmp_path: Path
) -> None:
    folder = beside(tmp_path, location="w.bin")
    link(tmp_path / "outside.bin", folder / "w.bin")
    assert "its external data cannot be read" in message_about(imports, folder / "model.onnx")


@pytest.mark.parametrize("length", [10, 1000])
def test_external_data_of_another_length(
    length: int, imports: LimitedImports, tmp_path: Path
) -> None:
    folder = beside(tmp_path, location="w.bin")
    (folder / "w.bin").write_bytes(bytes(length))
    assert "W" in message_about(imports, folder / "model.onnx")


def test_more_than_a_file_may_have(imports: LimitedImports, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    with file.open("wb") as stream:
        stream.truncate(2**31 + 5)
    assert "at most 2147483647 are read" in message_about(imports, file)


# Sizes.


@pytest.mark.parametrize(
    "dims", [[10**6, 10**6], [-1, 12, 3], [2**62, 4, 2**62]], ids=["10¹²", "negative", "overflow"]
)
def test_a_stored_tensor_of_absurd_size(
    dims: list[int], refused: Callable[[onnx.ModelProto], str]
) -> None:
    model = around()
    model.graph.initializer[0].dims[:] = dims
    assert "W" in refused(model)


def absurd(op_type: str, number: int) -> list[onnx.NodeProto]:
    """Nodes that make `absurd` of stored numbers, and join them to x."""
    made = {
        "ConstantOfShape": node("ConstantOfShape", "many", "absurd"),
        "Expand": node("Expand", "number many", "absurd"),
        "Tile": node("Tile", "number many", "absurd"),
        "OneHot": node("OneHot", "place many both", "absurd"),
        "Reshape": node("Reshape", "x to", "absurd"),
        "Conv": node("Conv", "turned kernel", "absurd", pads=[number, 0]),
        "Pad": node("Pad", "x around", "absurd"),
    }[op_type]
    turned = node("Transpose", "x", "turned", perm=[0, 2, 1])
    return [turned, made, node("ReduceSum", "absurd", "sum", keepdims=0), node("Add", "x sum", "a")]


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize(
    "op_type", ["ConstantOfShape", "Expand", "Tile", "OneHot", "Reshape", "Conv", "Pad"]
)
def test_operators_that_make_absurdly_much(
    op_type: str, number: int, refused: Callable[[onnx.ModelProto], str]
) -> None:
    constants = {
        "many": np.array([number]),
        "number": np.ones(1, np.float32),
        "place": np.array([0]),
        "both": np.array([0, 1], np.float32),
        "to": np.array([0, 0, number]),
        "around": np.array([0, 0, number, 0, 0, 0]),
        "kernel": np.ones((1, 3, 2), np.float32),
    }
    assert refused(around(absurd(op_type, number), constants=constants))


def test_very_many_nodes(refused: Callable[[onnx.ModelProto], str]) -> None:
    chain = [node("Relu", "x", "n0")]
    chain += [node("Relu", f"n{index}", f"n{index + 1}") for index in range(100_000)]
    model = around([*chain, node("Identity", "n100000", "a")])
    assert "nodes or more, at most 5000 are read" in refused(model)


# Functions and graphs.


def with_functions(*bodies: tuple[str, list[str]]) -> onnx.ModelProto:
    """Functions by name, each a chain of calls; the first is called by the model."""
    model = around([helper.make_node(bodies[0][0], ["x"], ["a"], domain="own")])
    model.opset_import.append(helper.make_opsetid("own", 1))
    for name, calls in bodies:
        nodes = [
            helper.make_node(
                call,
                ["in" if at == 0 else f"v{at}"],
                ["out" if at == len(calls) - 1 else f"v{at + 1}"],
                domain="" if call == "Relu" else "own",
            )
            for at, call in enumerate(calls)
        ]
        opsets = list(model.opset_import)
        model.functions.append(helper.make_function("own", name, ["in"], ["out"], nodes, opsets))
    return model


def test_functions_that_call_themselves(refused: Callable[[onnx.ModelProto], str]) -> None:
    assert "recursive" in refused(with_functions(("A", ["B"]), ("B", ["A"])))


def test_functions_that_stand_for_very_many_nodes(
    refused: Callable[[onnx.ModelProto], str],
) -> None:
    doubled = [(f"F{index}", [f"F{index - 1}"] * 2) for index in range(30, 0, -1)]
    assert "at most 5000 are read" in refused(with_functions(*doubled, ("F0", ["Relu"])))


@pytest.mark.parametrize(
    ("nodes", "named"),
    [
        ([node("Add", "x b", "c"), node("Relu", "c", "b"), node("Identity", "b", "a")], "'b'"),
        ([node("Add", "x a", "a")], "'a'"),
        ([node("Relu", "x", "a"), node("Tanh", "x", "a")], "'a'"),
        ([node("Strange", "x", "a")], "Strange"),
        ([node("Strange", "x", "a", domain="somewhere")], "somewhere"),
    ],
    ids=["a cycle", "itself", "twice", "an unknown operator", "an unknown domain"],
)
def test_graphs_that_are_none(
    nodes: list[onnx.NodeProto], named: str, refused: Callable[[onnx.ModelProto], str]
) -> None:
    assert named in refused(around(nodes))


@pytest.mark.parametrize("version", [None, 0, -1, 5, 29, 10**9])
def test_opsets_that_there_are_not(
    version: int | None, refused: Callable[[onnx.ModelProto], str]
) -> None:
    model = around()
    del model.opset_import[:]
    if version is not None:
        model.opset_import.append(helper.make_opsetid("", version))
    message = refused(model)
    assert "opset" in message or "domain_version" in message or "schema" in message


# Weights.


def nan(array: np.ndarray[Any, Any], number: float) -> np.ndarray[Any, Any]:
    changed = array.copy()
    changed.flat[0] = number
    return changed


@pytest.mark.parametrize(
    "weights",
    [
        {"W": nan(FIRST.W, np.nan)},
        {"R": nan(FIRST.R, np.inf)},
        {"B": nan(FIRST.B, -np.inf)},
        {"W": FIRST.W[0]},
        {"W": FIRST.W[:, :9]},
        {"R": FIRST.R[:, :, :3]},
        {"B": FIRST.B[:, :10]},
        {"W": np.repeat(FIRST.W, 2, axis=0)},
        {"W": np.zeros((1, 0, 3), np.float32), "R": np.zeros((1, 0, 0), np.float32)},
        {"W": FIRST.W.astype(np.int32)},
    ],
    ids=lambda weights: " ".join(f"{key} {one.dtype}{one.shape}" for key, one in weights.items()),
)
def test_weights_that_do_not_fit(
    weights: dict[str, Any], refused: Callable[[onnx.ModelProto], str]
) -> None:
    model = around()
    for tensor in model.graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name], tensor.name))
    assert "GRU node 'gru'" in refused(model)


@pytest.mark.parametrize(
    "attributes",
    [
        {"hidden_size": 0},
        {"hidden_size": 10**9},
        {"hidden_size": "four"},
        {"direction": "sideways"},
        {"activations": ["Sigmoid", "Strange"]},
        {"clip": -1.0},
        {"strange": 1},
    ],
    ids=str,
)
def test_attributes_that_do_not_fit(
    attributes: dict[str, Any], refused: Callable[[onnx.ModelProto], str]
) -> None:
    model = around()
    gru = next(one for one in model.graph.node if one.op_type == "GRU")
    kept = [one for one in gru.attribute if one.name not in attributes]
    del gru.attribute[:]
    gru.attribute.extend(kept)
    gru.attribute.extend(helper.make_attribute(*pair) for pair in attributes.items())
    assert "gru" in refused(model)


@pytest.mark.parametrize("index", [1, 2])
def test_weights_that_are_absent(index: int, refused: Callable[[onnx.ModelProto], str]) -> None:
    model = around()
    gru = next(one for one in model.graph.node if one.op_type == "GRU")
    gru.input[index] = ""
    assert "gru" in refused(model)
