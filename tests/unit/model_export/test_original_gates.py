"""Every GRU through time of an imported model is held against the equations, whatever kind it is.

Against those of the original when it is made, and against its own weights whenever it is verified.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor, nn

from model_export.errors import ModelRefused
from model_export.imports.importing import Imported, import_original
from model_export.imports.onnx.file import read_onnx
from model_export.imports.options import ImportOptions
from model_export.publish import pack, publish
from model_export.rewrite.builder import Builder
from model_export.rewrite.cell import Cell, build_cell
from model_export.rewrite.gru_node import GruNode
from model_export.verify.verify import verify
from service.bundle.bundle import Bundle, read_bundle, sha256_of
from service.bundle.manifest import HIDDEN
from service.engine.engine import Engine
from service.engine.provider import Provider
from tests.bundles import plain_report
from tests.foreign import (
    BATCH_AND_TIME,
    Bidirectional,
    Conditioned,
    Convolved,
    Lanes,
    Streaming,
    Windowed,
    export,
)
from tests.oracle import assert_agrees
from tests.unit.model_export.gru_models import INPUTS, OnnxWeights, finished, run, stacked_model

FREE = {"x": BATCH_AND_TIME}
WINDOW = 7


class Packed(nn.Module):
    """One frame at a time; one tensor holds a convolution's past and the states of two layers, and
    a third layer has a state of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(3, 5, 3)
        self.first = nn.GRU(5, 8, batch_first=True)
        self.second = nn.GRU(8, 6, batch_first=True)
        self.third = nn.GRU(6, 4, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor, cache: Tensor, last: Tensor) -> tuple[Tensor, ...]:
        past = cache[:, :6].reshape(-1, 3, 2)
        one, two = cache[:, 6:14].unsqueeze(0), cache[:, 14:].unsqueeze(0)
        frames = torch.cat([past, x.transpose(1, 2)], 2)
        y = torch.relu(self.convolution(frames)).transpose(1, 2)
        y, one = self.first(y, one.contiguous())
        y, two = self.second(y, two.contiguous())
        y, last = self.third(y, last)
        kept = [frames[:, :, 1:].reshape(-1, 6), one.squeeze(0), two.squeeze(0)]
        return self.head(y), torch.cat(kept, 1), last


class Shrunk(nn.Module):
    """A convolution over the whole window: its layer runs over a single step."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(3, 5, WINDOW)
        self.gru = nn.GRU(5, 8, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        answered: Tensor = self.gru(self.convolution(x.transpose(1, 2)).transpose(1, 2))[0][:, -1]
        return answered


class Learnt(nn.Module):
    """Lanes that begin with a learnt state."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(1, 4, batch_first=True)
        self.begin = nn.Parameter(torch.randn(1, 1, 4))

    def forward(self, x: Tensor) -> Tensor:
        B, T, F = x.shape
        lanes = x.permute(0, 2, 1).reshape(B * F, T, 1)
        across = self.gru(lanes, self.begin.expand(1, B * F, 4).contiguous())[0]
        answered: Tensor = across.reshape(B, F, T, 4).permute(0, 2, 1, 3).reshape(B, T, F * 4)
        return answered


class Spoken(nn.Module):
    """Tokens in; the state comes and goes."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 4)
        self.gru = nn.GRU(4, 8, num_layers=2, batch_first=True)
        self.head = nn.Linear(8, 11)

    def forward(self, x: Tensor, h0: Tensor) -> tuple[Tensor, Tensor]:
        y, hn = self.gru(self.embedding(x), h0)
        return torch.softmax(self.head(y), -1), hn


class Named(nn.Module):
    """A session is told who speaks: one whole number."""

    def __init__(self) -> None:
        super().__init__()
        self.speakers = nn.Embedding(5, 8)
        self.gru = nn.GRU(3, 8, batch_first=True)

    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        answered: Tensor = self.gru(x, self.speakers(speaker).unsqueeze(0))[0]
        return answered


def named() -> bytes:
    torch.manual_seed(0)
    axes = {**FREE, "speaker": {0: "batch"}}
    inputs = torch.randn(2, 7, 3), torch.randint(0, 5, (2,))
    return export(Named(), *inputs, names=("x", "speaker"), axes=axes)


def spoken(*, one_by_one: bool) -> bytes:
    torch.manual_seed(0)
    names: dict[str, Any] = {"names": ("x", "h0"), "outputs": ("y", "hn")}
    if one_by_one:
        inputs = torch.randint(0, 11, (1, 7)), torch.zeros(2, 1, 8)
        return export(Spoken(), *inputs, axes={"x": {1: "time"}}, **names)
    inputs = torch.randint(0, 11, (2, 7)), torch.zeros(2, 2, 8)
    return export(Spoken(), *inputs, axes={**FREE, "h0": {1: "batch"}}, **names)


def with_lengths() -> bytes:
    """A window of a file that says in numbers how long its sequences are."""
    model = stacked_model()
    for values in (model.graph.input, model.graph.output):
        values[0].type.tensor_type.shape.dim[0].dim_value = 1
        values[0].type.tensor_type.shape.dim[1].dim_value = WINDOW
    lengths = helper.make_tensor("lengths", TensorProto.INT32, [1], [WINDOW])
    model.graph.initializer.append(lengths)
    for node in model.graph.node:
        if node.op_type == "GRU":
            node.input.append("lengths")
    return serialised(model)


def activations() -> bytes:
    """Gates that are no sigmoids, a clip, and both reset variants."""
    first = {
        "activations": ["HardSigmoid", "Softsign"],
        "activation_alpha": [0.3],
        "activation_beta": [0.4],
        "clip": 0.6,
    }
    return serialised(stacked_model(first=first, second={"linear_before_reset": 1, "clip": 0.7}))


def in_one_tensor() -> bytes:
    """A GRU whose state comes and goes as a half of one tensor; the other half is a counter."""
    weights = OnnxWeights.random(INPUTS, 4, seed=5)
    nodes = [
        helper.make_node("Slice", ["cache", "0", "4", "1"], ["begun"]),
        helper.make_node("Slice", ["cache", "4", "5", "1"], ["counted"]),
        helper.make_node("Unsqueeze", ["begun", "0"], ["h0"]),
        helper.make_node("Transpose", ["x"], ["by_time"], perm=[1, 0, 2]),
        helper.make_node(
            "GRU", ["by_time", "W", "R", "B", "", "h0"], ["Y", "Y_h"], "gru", hidden_size=4
        ),
        helper.make_node("Squeeze", ["Y_h", "0"], ["h"]),
        helper.make_node("Mul", ["h", "half"], ["kept"]),
        helper.make_node("Add", ["counted", "one"], ["more"]),
        helper.make_node("Concat", ["kept", "more"], ["cache_out"], axis=1),
        helper.make_node("MatMul", ["h", "head"], ["answer"]),
        helper.make_node("Unsqueeze", ["answer", "1"], ["y"]),
    ]
    constants: dict[str, NDArray[Any]] = {
        **{str(number): np.array([number]) for number in (0, 1, 4, 5)},
        **{"W": weights.W, "R": weights.R, "B": weights.B},
        "half": np.array([0.5], np.float32),
        "one": np.array([1], np.float32),
        "head": np.eye(4, 2, dtype=np.float32),
    }
    model = finished(nodes, constants)
    graph = model.graph
    graph.input[0].type.tensor_type.shape.dim[1].dim_value = 1
    graph.output[0].type.tensor_type.shape.dim[1].dim_value = 1
    for values, name in ((graph.input, "cache"), (graph.output, "cache_out")):
        values.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 5]))
    return serialised(model)


def serialised(model: onnx.ModelProto) -> bytes:
    content: bytes = model.SerializeToString()
    return content


@dataclass(frozen=True)
class Kind:
    """A file, and how it is imported."""

    content: Callable[[], bytes]
    options: dict[str, Any] = field(default_factory=dict)
    hidden_in_state: bool = True


def exported(module: Callable[[], nn.Module], *shapes: tuple[int, ...], **names: Any) -> bytes:  # noqa: ANN401  # those of `export`
    torch.manual_seed(0)
    return export(module(), *(torch.randn(shape) for shape in shapes), **names)


def streaming() -> bytes:
    shapes = (1, 9, 1, 2), (1, 2, 2, 9), (1, 1, 8), (1, 1, 6)
    outputs = ("y", "conv_out", "one_out", "two_out")
    return exported(Streaming, *shapes, names=("x", "conv", "one", "two"), outputs=outputs)


def packed() -> bytes:
    outputs = ("y", "cache_out", "last_out")
    shapes = (1, 1, 3), (1, 20), (1, 1, 4)
    return exported(Packed, *shapes, names=("x", "cache", "last"), outputs=outputs)


def conditioned() -> bytes:
    axes = {**FREE, "speaker": {0: "batch"}}
    return exported(Conditioned, (2, 7, 3), (2, 4), names=("x", "speaker"), axes=axes)


def windowed(*, free: bool) -> bytes:
    return exported(Windowed, (2, WINDOW, 3), axes=FREE if free else {"x": {0: "batch"}})


AS_WINDOW: dict[str, Any] = {"session": "window", "window": WINDOW}
KINDS = {
    "head on the last step": Kind(lambda: windowed(free=True)),
    "window": Kind(lambda: windowed(free=False), {}, hidden_in_state=False),
    "window of a single step": Kind(
        lambda: exported(Shrunk, (2, WINDOW, 3), axes={"x": {0: "batch"}}),
        AS_WINDOW,
        hidden_in_state=False,
    ),
    "window of lanes that begin with a learnt state": Kind(
        lambda: exported(Learnt, (2, WINDOW, 3), axes=FREE), AS_WINDOW, hidden_in_state=False
    ),
    "window of other activations": Kind(activations, AS_WINDOW, hidden_in_state=False),
    "window of a given length": Kind(with_lengths, AS_WINDOW, hidden_in_state=False),
    "tokens, and states that come and go": Kind(lambda: spoken(one_by_one=False)),
    "tokens, one sequence at a time": Kind(lambda: spoken(one_by_one=True)),
    "lanes": Kind(lambda: exported(Lanes, (2, 7, 9), axes=FREE)),
    "lanes that begin with a learnt state": Kind(lambda: exported(Learnt, (2, 7, 3), axes=FREE)),
    "other activations, clip, both reset variants": Kind(activations),
    "causal convolution": Kind(
        lambda: exported(lambda: Convolved(causal=True), (2, 7, 3), axes=FREE)
    ),
    "delay": Kind(
        lambda: exported(lambda: Convolved(causal=False), (2, 7, 3), axes=FREE), {"delay": 2}
    ),
    "constants": Kind(conditioned),
    "a constant that is one whole number": Kind(named),
    "streams of their own": Kind(streaming),
    "packed cache": Kind(packed, {}, hidden_in_state=False),
    "packed cache that holds something else": Kind(in_one_tensor, {}, hidden_in_state=False),
}
kinds = pytest.mark.parametrize("name", KINDS)


def imported(name: str, folder: Path) -> Imported:
    kind, file = KINDS[name], folder / "model.onnx"
    file.write_bytes(kind.content())
    return import_original(read_onnx(file), ImportOptions(name="model", **kind.options))


@dataclass(frozen=True)
class Made:
    """A model that was imported, and published."""

    imported: Imported
    bundle: Bundle


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    """Each kind by name, made when it is asked for."""
    known: dict[str, Made] = {}

    def make(name: str) -> Made:
        if name not in known:
            folder = tmp_path_factory.mktemp("imported")
            model = imported(name, folder)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("model_export.publish.write_report", plain_report)
                known[name] = Made(model, read_bundle(publish(model.draft, folder / "models")))
        return known[name]

    return make


@kinds
def test_against_the_original(made: Callable[[str], Made], name: str) -> None:
    """All gates and the hidden state of all layers; against the bundle's own weights as well."""
    one = made(name)
    manifest = one.bundle.manifest
    assert manifest.layers
    assert manifest.hidden_in_state == KINDS[name].hidden_in_state
    compared = " | ".join(
        c.name for c in one.imported.draft.compare(Engine(one.bundle, Provider()))
    )
    verified = " | ".join(check.name for check in verify(one.bundle, Provider()))
    for index, layer in enumerate(manifest.layers):
        for shown in (*layer.gates, HIDDEN):
            assert f"{shown} of {layer.name!r} against the original and the equations" in compared
            assert f"{shown} of layer {index} against the equations, B=3" in verified


@kinds
def test_a_wrong_rewrite(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the rewriter confused two gates: the answers are right, and what is shown is not."""

    def wrong(builder: Builder, x: ir.Value, hidden: ir.Value, gru: GruNode) -> Cell:
        cell = build_cell(builder, x, hidden, gru)
        return replace(cell, reset=cell.update, update=cell.reset)

    monkeypatch.setattr("model_export.rewrite.writer.build_cell", wrong)
    draft = imported(name, tmp_path).draft
    bundle = pack(draft, tmp_path_in(tmp_path), draft.manifest)
    failed = [check.name for check in draft.compare(Engine(bundle, Provider())) if not check.passed]
    layers = {layer.name for layer in draft.manifest.layers}
    wanted = {(gate, layer) for gate in ("reset", "update") for layer in layers}
    found = {
        (gate, layer)
        for gate, layer in wanted
        if any(name.startswith(f"{gate} of {layer!r} against the original") for name in failed)
    }
    assert found == wanted
    assert all(" against the original and the equations" in name for name in failed)


def tmp_path_in(folder: Path) -> Path:
    made = folder / "bundle"
    made.mkdir()
    return made


def copied(bundle: Bundle, folder: Path) -> Path:
    place = tmp_path_in(folder)
    for file in bundle.folder.iterdir():
        (place / file.name).write_bytes(file.read_bytes())
    return place


def verified(folder: Path) -> None:
    """With a manifest that agrees with whatever files are there."""
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text("utf-8"))
    manifest["files"] = {name: sha256_of(folder / name) for name in manifest["files"]}
    file.write_text(json.dumps(manifest), "utf-8")
    verify(read_bundle(folder), Provider())


def change_arrays(file: Path, change: Callable[[dict[str, NDArray[Any]]], object]) -> None:
    with np.load(file) as arrays:
        changed = dict(arrays)
    change(changed)
    np.savez(file, allow_pickle=False, **changed)


@kinds
def test_other_weights_beside_the_graphs(
    made: Callable[[str], Made], name: str, tmp_path: Path
) -> None:
    """Of the last layer alone: each is looked at. A window of one step never uses U."""
    bundle = made(name).bundle
    last = len(bundle.manifest.layers) - 1
    folder = copied(bundle, tmp_path)

    def change(cells: dict[str, NDArray[Any]]) -> None:
        for which in ("W", "U"):
            cells[f"{last}/{which}"] = cells[f"{last}/{which}"] * np.float32(1.01)

    change_arrays(folder / "cells.npz", change)
    with pytest.raises(ModelRefused, match=rf"of layer {last} against the equations, B=1: off by"):
        verified(folder)


def negate(file: Path, output: str) -> None:
    model = onnx.load(file)
    for node in model.graph.node:
        node.output[:] = ["right" if name == output else name for name in node.output]
        node.input[:] = ["right" if name == output else name for name in node.input]
    model.graph.node.append(helper.make_node("Neg", ["right"], [output]))
    onnx.save(model, file)


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if not kind.hidden_in_state])
def test_another_hidden_state(made: Callable[[str], Made], name: str, tmp_path: Path) -> None:
    """In all graphs and golden vectors alike: nothing but the equations can tell."""
    folder = copied(made(name).bundle, tmp_path)
    negate(folder / "step.onnx", HIDDEN)
    with pytest.raises(ModelRefused, match="hidden state of a single step is off by"):
        verified(folder)
    change_arrays(folder / "golden.npz", lambda golden: golden.update({HIDDEN: -golden[HIDDEN]}))
    with pytest.raises(ModelRefused, match="hidden of the graph to inspect against the step graph"):
        verified(folder)
    negate(folder / "inspect.onnx", HIDDEN)
    with pytest.raises(ModelRefused, match="hidden of layer 0 against the equations, B=1: off by"):
        verified(folder)


def test_another_first_state(made: Callable[[str], Made], tmp_path: Path) -> None:
    folder = copied(made("constants").bundle, tmp_path)
    negate(folder / "initial.onnx", "state")
    with pytest.raises(ModelRefused, match="the state that constants begin with"):
        verified(folder)


@pytest.mark.parametrize("name", ["window", "delay"])
def test_another_graph_of_whole_sequences(
    made: Callable[[str], Made], name: str, tmp_path: Path
) -> None:
    folder = copied(made(name).bundle, tmp_path)
    negate(folder / "sequence.onnx", "output")
    what = {"window": "the window up to step 7", "delay": "whole sequences"}[name]
    with pytest.raises(ModelRefused, match=f"{what} against a session: off by"):
        verified(folder)


def test_golden_vectors_that_end_before_the_first_answer(
    made: Callable[[str], Made], tmp_path: Path
) -> None:
    """All of them are NaN: they would agree with anything."""
    folder = copied(made("window").bundle, tmp_path)

    def cut(golden: dict[str, NDArray[Any]]) -> None:
        for name, array in golden.items():
            golden[name] = array if name == "state" else array[:, : WINDOW - 2]

    change_arrays(folder / "golden.npz", cut)
    with pytest.raises(
        ModelRefused, match="golden vectors end after step 5, the first answer comes"
    ):
        verified(folder)


@pytest.mark.parametrize("name", ["inspect.onnx", "cells.npz"])
def test_weights_or_a_graph_alone(made: Callable[[str], Made], name: str, tmp_path: Path) -> None:
    folder = copied(made("window").bundle, tmp_path)
    manifest = (folder / "manifest.json").read_text("utf-8")
    listed = json.loads(manifest)
    del listed["files"][name]
    (folder / "manifest.json").write_text(json.dumps(listed), "utf-8")
    with pytest.raises(ModelRefused, match="are of use together alone"):
        verified(folder)


@pytest.mark.parametrize("name", ["activations", "parameters", "clip", "reset"])
def test_cells_that_say_something_else(
    made: Callable[[str], Made], name: str, tmp_path: Path
) -> None:
    bundle = made("other activations, clip, both reset variants").bundle
    folder = copied(bundle, tmp_path)
    change_arrays(
        folder / "cells.npz", lambda cells: cells.update({f"0/{name}": cells[f"1/{name}"]})
    )
    with pytest.raises(
        ModelRefused, match=rf"cells.npz has the {name} .* of layer 0, the manifest"
    ):
        verified(folder)


def left_alone(bundle: Bundle, batch: int) -> dict[str, NDArray[np.float32]]:
    """Masks and values with which no gate is interfered with."""
    names = [f"{gate}_{what}" for gate in bundle.manifest.gate_names for what in ("mask", "value")]
    return {name: np.zeros((batch, bundle.manifest.gate_size), np.float32) for name in names}


def test_a_gate_of_a_window_that_is_set_from_outside(made: Callable[[str], Made]) -> None:
    """The answer is that of a model whose top layer ends so; the session goes on as before."""
    bundle = made("window").bundle
    inspect = (bundle.folder / "inspect.onnx").read_bytes()
    golden = bundle.golden()
    rows, state = golden["input"][:, 20], golden["states"][:, 19].astype(np.float32)
    feed = left_alone(bundle, len(rows))
    plain = run(inspect, input=rows, state=state, **feed)
    top = bundle.manifest.layers[1].span
    feed["update_mask"][:, top] = 1
    kept = run(inspect, input=rows, state=state, **feed)
    torch.manual_seed(0)
    module = Windowed()
    expected = kept["layer_state_1"] @ module.head.weight.detach().numpy().T
    assert_agrees(kept["hidden"][:, top], plain["layer_state_1"])
    assert_agrees(kept["output"], expected + module.head.bias.detach().numpy())
    assert np.abs(kept["output"] - plain["output"]).max() > 1e-3
    np.testing.assert_array_equal(kept["next_state"], plain["next_state"])


def test_a_window_that_is_not_full_shows_nothing(made: Callable[[str], Made]) -> None:
    bundle = made("window").bundle
    inspect = (bundle.folder / "inspect.onnx").read_bytes()
    rows, state = bundle.golden()["input"][:, 0], bundle.golden()["state"].astype(np.float32)
    feed = left_alone(bundle, len(rows))
    found = run(inspect, input=rows, state=state, **feed)
    for name in (*bundle.manifest.shown_names, "output", "candidate_pre", "candidate_history"):
        assert np.isnan(found[name]).all(), name


def test_a_window_without_a_gate_has_nothing_to_look_inside(tmp_path: Path) -> None:
    """Its one layer runs both ways: it has no last step of its own."""
    file = tmp_path / "model.onnx"
    file.write_bytes(exported(Bidirectional, (2, WINDOW, 3), axes=FREE))
    draft = import_original(read_onnx(file), ImportOptions(name="model", **AS_WINDOW)).draft
    assert draft.manifest.sessions
    assert draft.manifest.layers == ()
    assert set(draft.graphs) == {"step.onnx", "sequence.onnx"}
    assert not draft.cells


def test_golden_vectors_of_a_long_window(tmp_path: Path) -> None:
    """Longer than golden vectors commonly are: there are answers among them all the same."""
    file = tmp_path / "model.onnx"
    file.write_bytes(windowed(free=True))
    options = ImportOptions(name="model", session="window", window=80)
    golden = import_original(read_onnx(file), options).draft.golden
    assert np.isfinite(golden["output"]).any()
    assert np.isfinite(golden["reset"][:, -1]).all()
