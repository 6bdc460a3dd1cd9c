"""What a user says about an imported model, and where it differs from its original."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from model_export.errors import ModelRefused
from model_export.golden import initial_states
from model_export.imports.importing import import_original
from model_export.imports.onnx.file import read_onnx
from model_export.imports.options import ImportOptions
from model_export.imports.signatures import Signatures
from model_export.original import Arrays, Original
from model_export.publish import publish
from model_export.rewrite.graphs import write_graphs, write_window
from model_export.rewrite.normalise import normalise
from model_export.rewrite.roles import Hints, find_roles
from model_export.verify.asked import Asked
from model_export.verify.parting import Parting
from service.bundle.bundle import read_bundle
from tests.foreign import BATCH_AND_TIME, Windowed, export, write_all


class Tokens(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(5, 4)
        self.gru = torch.nn.GRU(4, 6, batch_first=True)
        self.head = torch.nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answered: torch.Tensor = self.head(self.gru(self.embedding(x))[0])
        return answered


class Lanes(torch.nn.Module):
    """Three lanes, each of which begins with what it learnt; a head on the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = torch.nn.GRU(2, 4, batch_first=True)
        self.begin = torch.nn.Parameter(torch.randn(1, 1, 3, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        B, T, _ = x.shape
        lanes = x.reshape(B, T, 3, 2).permute(0, 2, 1, 3).reshape(B * 3, T, 2)
        begun = self.begin.expand(1, B, 3, 4).reshape(1, B * 3, 4)
        ended: torch.Tensor = self.gru(lanes, begun)[0].reshape(B, 3, T, 4)[:, :, -1]
        return ended.reshape(B, 12)


class Several(torch.nn.Module):
    """Outputs of which one takes all steps at once, and one looks back."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = torch.nn.GRU(3, 4, batch_first=True)
        self.convolution = torch.nn.Conv1d(4, 4, 3)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = self.gru(x)[0]
        shifted = torch.nn.functional.pad(y, (0, 0, 1, 0), value=0.5)[:, :-1]
        back = torch.nn.functional.pad(y.transpose(1, 2), (2, 0))
        return y * 2, torch.softmax(shifted, 1), self.convolution(back).transpose(1, 2), shifted


class Cancelling(torch.nn.Module):
    """What is left of a number beside a million is not what float32 can tell."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = torch.nn.GRU(3, 4, batch_first=True)
        self.large = torch.nn.Parameter(torch.full((4,), 1e6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        lifted: torch.Tensor = self.gru(x)[0] + self.large
        return lifted - self.large


class Pairs(torch.nn.Module):
    """Two tokens a step, both ways through time."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(5, 2)
        self.gru = torch.nn.GRU(4, 6, batch_first=True, bidirectional=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answered: torch.Tensor = self.gru(self.embedding(x).flatten(2))[0]
        return answered


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    torch.manual_seed(0)
    made = {
        "last step": (Windowed(), torch.randn(2, 7, 3)),
        "tokens": (Tokens(), torch.randint(0, 5, (2, 7))),
        "pairs": (Pairs(), torch.randint(0, 5, (2, 7, 2))),
        "cancelling": (Cancelling(), torch.randn(2, 7, 3)),
        "learnt lanes": (Lanes(), torch.randn(2, 7, 6)),
    }
    for name, (module, x) in made.items():
        content = export(module, x, axes={"x": BATCH_AND_TIME})
        (folder / f"{name}.onnx").write_bytes(content)
    return write_all(folder) | {name: folder / f"{name}.onnx" for name in made}


COLUMNS = np.zeros((99, 3), np.float32)


@pytest.mark.parametrize(
    ("file", "options", "expected"),
    [
        ("last step", {"names": ("a", "b")}, "--names has 2 entries, the input has 3 columns"),
        ("last step", {"units": ("a", "b")}, "--units has 2 entries"),
        ("last step", {"output_names": ("a",)}, "--output-names has 1 entries, the output has 2"),
        ("last step", {"vocabulary": Path("v.txt")}, "--vocabulary: the inputs are numbers"),
        ("tokens", {"names": ("a",)}, "--names and --units: the inputs are tokens"),
        ("last step", {"sample": COLUMNS[:, :2]}, "--sample has the shape [99, 2]"),
        ("last step", {"sample": COLUMNS[:9]}, "--sample has 9 steps, 64 are needed"),
        ("last step", {"sample": np.zeros(99, np.int64)}, "the model takes numbers [T, 3]"),
        ("narrowed", {"sample": COLUMNS[:60]}, "--sample has 60 steps, 64 are needed"),
        ("pairs", {}, "the input 'x' takes 2 tokens a step"),
        ("tokens", {"sample": COLUMNS}, "the model takes tokens"),
        ("tokens", {"sample": np.full(99, 5)}, "token 5 at step 1; there are 5 tokens"),
    ],
)
def test_options_that_do_not_fit(
    files: dict[str, Path], file: str, options: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ModelRefused) as refused:
        import_original(read_onnx(files[file]), ImportOptions("m", **options))
    assert expected in str(refused.value)


def test_a_sample_is_what_golden_vectors_are_made_on(files: dict[str, Path]) -> None:
    sample = np.random.default_rng(0).normal(400, 20, (200, 3)).astype(np.float32)
    options = ImportOptions("m", sample=sample, names=("a", "b", "c"), units=("ppm",))
    draft = import_original(read_onnx(files["last step"]), options).draft
    np.testing.assert_array_equal(draft.golden["input"], [sample[:64], sample[136:]])
    assert draft.manifest.input.model_dump()["units"] == ("ppm", "ppm", "ppm")


def test_golden_vectors_hold_answers_however_late_they_come(
    files: dict[str, Path], tmp_path: Path
) -> None:
    options = ImportOptions("m", session="window", window=70)
    folder = publish(import_original(read_onnx(files["last step"]), options).draft, tmp_path)
    output = read_bundle(folder).golden()["output"]
    assert np.isnan(output[:, :69]).all()
    assert np.isfinite(output[:, 69:]).all()
    assert output.shape[1] > 80


@pytest.mark.parametrize("window", [None, 5])
def test_lanes_that_begin_with_what_they_learnt(
    files: dict[str, Path], tmp_path: Path, window: int | None
) -> None:
    session: Any = "carry" if window is None else "window"
    options = ImportOptions("m", session=session, window=window)
    publish(import_original(read_onnx(files["learnt lanes"]), options).draft, tmp_path)


def _changed(content: bytes, initializer: str) -> bytes:
    """The same graph with other weights in one place."""
    model = onnx.load_from_string(content)
    tensor = next(one for one in model.graph.initializer if one.name.startswith(initializer))
    array = numpy_helper.to_array(tensor)
    tensor.CopyFrom(numpy_helper.from_array(array * np.float32(1.5), tensor.name))
    return bytes(model.SerializeToString())


def _node(model: onnx.ModelProto, op_type: str) -> onnx.NodeProto:
    node: onnx.NodeProto = next(node for node in model.graph.node if node.op_type == op_type)
    return node


def _parted(original: Original, *, changed: str = "", window: int | None = None) -> tuple[str, str]:
    """Where sessions and graphs part when the step graph has other weights in one place."""
    model = normalise(original.model)
    roles = find_roles(model, Hints())
    graphs = write_graphs(model, roles) if window is None else write_window(model, roles, window)
    assert graphs.step is not None
    if changed:
        graphs = replace(graphs, step=_changed(graphs.step, changed))
    parting = Parting(Asked(original, roles, graphs.output), graphs, model)
    signatures = Signatures(model, graphs, ImportOptions("m"))
    constants = signatures.constants(2)
    rows = signatures.rows(2, 9)
    state = initial_states(graphs, 2, constants)
    between = "" if graphs.sequence_gives is None else parting.of_graphs(rows, state)
    return parting.of_session(rows, constants, state), between


@pytest.mark.parametrize("file", ["causal", "conditioned", "lanes", "last step", "streaming"])
def test_nothing_is_said_where_nothing_differs(files: dict[str, Path], file: str) -> None:
    assert _parted(read_onnx(files[file])) == ("", "")


def test_nothing_is_said_of_a_window_where_nothing_differs(files: dict[str, Path]) -> None:
    session, _ = _parted(read_onnx(files["windowed"]), window=7)
    assert not session


@pytest.mark.parametrize(
    ("file", "op_type", "weights"),
    [
        ("causal", "Conv", "convolution.weight"),
        ("causal", "GRU", "/gru/GRU/cell/constant_4"),
        ("causal", "Add", "head.bias"),
        ("streaming", "Conv", "convolution.weight"),
        ("lanes", "MatMul", "onnx::MatMul_"),
    ],
)
def test_a_step_graph_that_differs_is_told_by_the_operator(
    files: dict[str, Path], file: str, op_type: str, weights: str
) -> None:
    session, between = _parted(read_onnx(files[file]), changed=weights)
    assert session.startswith(f"a session parts from whole sequences first at {op_type} node '/")
    assert session.endswith("at step 1")
    if file != "streaming":
        assert between == session.replace("a session", "the step graph").replace(
            "whole sequences", "the sequence graph"
        )


def test_an_original_that_computes_something_else(files: dict[str, Path]) -> None:
    original = read_onnx(files["causal"])
    relu = _node(original.model, "Relu")

    def inside(inputs: Arrays) -> Arrays:
        return {
            name: one * (1 + (name == relu.output[0]))
            for name, one in original.inside(inputs).items()
        }

    session, _ = _parted(replace(original, inside=inside))
    assert session == f"the original parts from its model in ONNX first at Relu node {relu.name!r}"


def test_publishing_says_where(files: dict[str, Path], tmp_path: Path) -> None:
    original = read_onnx(files["causal"])
    other = onnx.ModelProto()
    other.CopyFrom(original.model)
    head = _node(other, "MatMul")
    weights = next(one for one in other.graph.initializer if one.name == head.input[1])
    weights.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weights) * 2, weights.name))
    file = tmp_path / "other.onnx"
    onnx.save(other, file)
    lying = replace(original, answer=read_onnx(file).answer, inside=read_onnx(file).inside)
    draft = import_original(lying, ImportOptions("m")).draft
    with pytest.raises(ModelRefused) as refused:
        publish(draft, tmp_path / "models")
    assert f"first at MatMul node {head.name!r}" in str(refused.value)
    assert not any((tmp_path / "models").glob("m/*"))


def test_what_float32_cannot_tell_is_named(files: dict[str, Path], tmp_path: Path) -> None:
    original = read_onnx(files["cancelling"])
    sub = _node(original.model, "Sub")
    with pytest.raises(ModelRefused) as refused:
        publish(import_original(original, ImportOptions("m")).draft, tmp_path)
    assert f"first at Sub node {sub.name!r}" in str(refused.value)


def test_nothing_is_carried_for_other_outputs(tmp_path: Path) -> None:
    content = export(
        Several(),
        torch.randn(2, 7, 3),
        outputs=("y", "all", "back", "shifted"),
        axes={"x": BATCH_AND_TIME},
    )
    (tmp_path / "several.onnx").write_bytes(content)
    carried = {}
    for output in ("y", "back", "all", "shifted"):
        options = ImportOptions("m", hints=Hints(output=output))
        imported = import_original(read_onnx(tmp_path / "several.onnx"), options)
        publish(imported.draft, tmp_path / "models")
        carried[output] = [piece.name for piece in imported.graphs.segments]
    gru = "/gru/GRU"
    assert carried == {
        "y": [gru],
        "back": [gru, "/convolution/Conv/past"],
        "all": [],
        "shifted": [],
    }
