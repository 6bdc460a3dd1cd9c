"""8-bit weights: rounded alike in both graphs, measured, and refused where they cost too much."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner, Result
from hypothesis import given, settings
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor, nn

from model_export.command_line import main
from model_export.errors import ModelRefused
from model_export.model.network import Network
from model_export.package import publish_trained
from model_export.quantize.blocks import BLOCK_SIZE, in_blocks
from model_export.quantize.graphs import quantized_step, rounded_sequence
from model_export.quantize.quantize import compare_scores
from model_export.recipes.characters import CharactersRecipe
from model_export.tasks.registry import load_task
from model_export.trained import Curve, TrainedModel
from model_export.verify.verify import verify
from service.bundle.bundle import Bundle, read_bundle, sha256_of
from service.bundle.desired import read_desired
from service.bundle.folders import read_repository
from service.bundle.manifest import Reset, Score
from service.engine.engine import Engine
from service.engine.golden import TOLERANCE
from service.engine.provider import Provider
from service.repository.models import load_models
from tests.bundles import PROVENANCE, plain_report, values_model
from tests.foreign import BATCH_AND_TIME, Windowed, export

SIZE = 256
"""The smallest that is worth it."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 1 of three large models, of both reset variants; tests publish under names of theirs.

    In `narrow`, the weights of 300 inputs to 100 units are large enough with three gates in one
    product, and not with one.
    """
    folder = tmp_path_factory.mktemp("large")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model_export.publish.write_report", plain_report)
        publish_trained(values_model("before", hidden_sizes=(SIZE, 300)), folder)
        publish_trained(values_model("after", reset="after", hidden_sizes=(SIZE,)), folder)
        publish_trained(values_model("narrow", reset="after", hidden_sizes=(300, 100)), folder)
    return folder


def quantize(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["quantize", str(folder), *options])


def quantized(folder: Path, *options: str) -> Bundle:
    result = quantize(folder, *options)
    assert result.exit_code == 0, result.output
    return read_bundle(Path(result.stdout.split("published ")[1].strip()))


def refused(folder: Path, *options: str) -> str:
    """The error, after a look that the repository is as it was."""
    before = sorted(folder.parents[1].rglob("*"))
    result = quantize(folder, *options)
    assert result.exit_code == 1, result.output
    assert sorted(folder.parents[1].rglob("*")) == before
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


matrices = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 2 * BLOCK_SIZE + 1), st.integers(1, 3)),
    elements=st.floats(-100, 100, width=32, allow_subnormal=False),
)


@settings(max_examples=50, derandomize=True)
@given(matrices)
def test_rounding(weights: NDArray[np.float32]) -> None:
    """To the nearest of 255 levels; the other sign is rounded alike."""
    blocks = in_blocks(weights)
    rounded = blocks.rounded()
    scales = np.repeat(blocks.scales, BLOCK_SIZE, axis=1)[:, : len(weights)].T
    assert np.all(np.abs(rounded - weights) <= 0.5001 * scales)
    np.testing.assert_array_equal(in_blocks(-weights).rounded(), -rounded)


@pytest.mark.parametrize("reset", ["before", "after"])
def test_a_large_model(large: Path, reset: Reset) -> None:
    source = read_bundle(large / reset / "1")
    bundle = quantized(source.folder, "--name", f"{reset}-8bit")
    recorded = bundle.manifest.quantization
    assert recorded is not None
    assert (recorded.source, recorded.bits) == (f"{reset}/1", 8)
    assert 1e-5 < recorded.state_difference < recorded.tolerance < 0.05
    assert recorded.output_difference > 0
    assert bundle.step_graph.stat().st_size < 0.35 * source.step_graph.stat().st_size
    engine = load_models([bundle], Provider()).default(f"{reset}-8bit")
    checks = verify(engine.bundle, Provider())
    assert max(check.deviation for check in checks) <= recorded.tolerance
    assert f"{recorded.tolerance:.2g}" in (bundle.folder / "report.html").read_text("utf-8")


@pytest.mark.parametrize("name", ["before", "after", "narrow"])
def test_what_there_is_to_look_inside(large: Path, name: str) -> None:
    """The graph to inspect and the cells have the weights of the step graph."""
    source = read_bundle(large / name / "1")
    bundle = quantized(source.folder, "--name", f"{name}-inside")
    allowed = {check.name: check.allowed for check in verify(bundle, Provider())}
    names = ["state of the sequence graph against the equations, B=2 T=64"] + [
        f"candidate_history of layer {index} against the equations, in float64, B=2"
        for index in range(len(bundle.manifest.layers))
    ]
    assert {allowed[name] for name in names} == {TOLERANCE}
    inspect = "inspect.onnx"
    before, after = ((one.folder / inspect).stat().st_size for one in (source, bundle))
    assert after < 0.45 * before
    with np.load(source.folder / "cells.npz") as old, np.load(bundle.folder / "cells.npz") as new:
        assert old.keys() == new.keys()
        changed = {key for key in old if old[key].tobytes() != new[key].tobytes()}
        for key in changed:
            rounded = [in_blocks(gate.T).rounded().T for gate in old[key]]
            np.testing.assert_array_equal(new[key], rounded)
    expected = {"before": {"0/U", "1/W", "1/U"}, "after": {"0/U"}, "narrow": {"0/U", "1/W"}}
    assert changed == expected[name]


def test_as_a_candidate(large: Path) -> None:
    options = ("--name", "beside", "--candidate")
    result = quantize(large / "after" / "1", *options)
    assert f"published {large / 'beside' / '1'} as a candidate" in result.stdout
    assert f"models default beside 1 --repository {large}" in result.stdout
    assert read_desired(large / "beside").chosen([1]) is None
    quantize(large / "after" / "1", "--name", "beside")
    assert read_desired(large / "beside").chosen([1, 2]) == 2


def test_it_becomes_the_next_version(large: Path) -> None:
    quantized(large / "after" / "1", "--name", "again")
    named = quantized(large / "after" / "1", "--name", "again")
    assert named.folder == large / "again" / "2"
    assert [bundle for bundle in read_repository(large) if bundle.folder == named.folder]
    assert "has 8-bit weights already" in refused(named.folder)


def test_refused_where_nothing_gains(repository: Path) -> None:
    assert "smaller ones are faster in float32" in refused(repository / "letters-deep" / "1")


def test_refused_above_the_bound(large: Path) -> None:
    message = refused(large / "after" / "1", "--max-deviation", "0.0001")
    assert "is off by" in message
    assert "allowed is 0.0001" in message


@pytest.fixture(scope="module")
def hamlet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A character model with random weights, scored on `text.txt` beside the repository.

    It has the vocabulary of another model that it went on from, not that of the text.
    """
    folder = tmp_path_factory.mktemp("hamlet")
    text = folder / "text.txt"
    text.write_text("to be or not to be " * 30)
    recipe = CharactersRecipe(
        data=str(text), name="hamlet", hidden_size=SIZE, batch_size=2, time_steps=5
    )
    task = load_task(recipe, vocabulary=(*"uqtrsnoeb ", "z"))
    torch.manual_seed(0)
    network = Network(task.config)
    provenance = PROVENANCE.model_copy(
        update={"data_sha256": task.source.sha256, "hyperparameters": recipe.to_dict()}
    )
    trained = TrainedModel(
        network=network,
        name="hamlet",
        task="characters",
        input=task.input,
        output=task.output,
        scores=task.test_scores(network),
        baselines=task.baselines,
        provenance=provenance,
        curve=Curve("loss", (1.0,), (1.0,)),
        samples=task.samples,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model_export.publish.write_report", plain_report)
        publish_trained(trained, folder / "models")
    return folder


@pytest.fixture
def scored(hamlet: Path, tmp_path: Path) -> Path:
    """A copy of its version 1, trained on a copy of its text."""
    copy = tmp_path / "hamlet"
    shutil.copytree(hamlet, copy)
    folder = copy / "models" / "hamlet" / "1"
    change_manifest(folder, str(hamlet), str(copy))
    return folder


def change_manifest(folder: Path, old: str, new: str) -> None:
    file = folder / "manifest.json"
    assert old in file.read_text("utf-8")
    file.write_text(file.read_text("utf-8").replace(old, new), "utf-8")


def test_scores_are_those_of_the_step_graph(scored: Path) -> None:
    before = read_bundle(scored).manifest.scores
    manifest = quantized(scored).manifest
    assert manifest.quantization is not None
    assert manifest.quantization.scores_before == before
    for old, new in zip(before, manifest.scores, strict=True):
        assert new.model == pytest.approx(old.model, rel=1e-3)
        assert new.model != old.model
        assert new.baselines == old.baselines


def test_a_score_that_gets_worse_is_refused(scored: Path) -> None:
    """As if it had been better before."""
    score = read_bundle(scored).manifest.scores[0].model
    change_manifest(scored, f'"model": {score}', f'"model": {0.9 * score}')
    assert "bits/char on the held-out data goes from" in refused(scored)
    quantized(scored, "--max-score-loss", "0.2")


def test_a_higher_score_that_gets_lower_is_refused() -> None:
    def scores(recall: float) -> tuple[Score, ...]:
        return (Score(metric="recall@20", unit="", model=recall, baselines={}, better="higher"),)

    compare_scores(scores(0.5), scores(0.9), 0.01)
    compare_scores(scores(0.5), scores(0.496), 0.01)
    with pytest.raises(ModelRefused, match=r"from 0\.5 to 0\.49, which is more than 1\.0% worse"):
        compare_scores(scores(0.5), scores(0.49), 0.01)


def test_without_its_data_it_is_refused_or_unscored(scored: Path) -> None:
    text = scored.parents[2] / "text.txt"
    moved = text.rename(text.with_name("moved.txt"))
    assert "cannot read" in refused(scored)
    text.write_text("set on one stone " * 30)
    assert "is not the data that the model was trained on" in refused(scored)
    assert quantized(scored, "--data", str(moved)).manifest.scores
    unscored = quantized(scored, "--unscored")
    assert unscored.manifest.scores == ()
    assert "not measured" in (unscored.folder / "report.html").read_text("utf-8")


def tampered(bundle: Bundle, name: str, kind: str, factor: float) -> Bundle:
    """With some numbers of a graph multiplied, and a manifest that agrees."""
    file = bundle.folder / name
    model = onnx.load(file)
    for tensor in model.graph.initializer:
        if tensor.name.endswith(kind):
            array = numpy_helper.to_array(tensor) * np.float32(factor)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    onnx.save(model, file)
    return resealed(bundle, name)


def resealed(bundle: Bundle, name: str) -> Bundle:
    found = sha256_of(bundle.folder / name)
    change_manifest(bundle.folder, bundle.manifest.files[name], found)
    return read_bundle(bundle.folder)


@pytest.mark.parametrize(("name", "kind"), [("step.onnx", "scales"), ("sequence.onnx", "rounded")])
def test_verification_finds_other_weights(large: Path, name: str, kind: str) -> None:
    """The graphs differ from each other, and one of them from PyTorch."""
    bundle = quantized(large / "after" / "1", "--name", f"tampered-{kind}")
    with pytest.raises(ModelRefused, match="is off by"):
        verify(tampered(bundle, name, kind, 1.1), Provider())


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("sequence.onnx", "rounded", "state of the sequence graph against the equations, B=1 T=1"),
        ("step.onnx", "scales", "state of the sequence graph against the equations, B=1 T=1"),
        ("inspect.onnx", "scales", "of layer 0 against the equations, in float64, B=1"),
    ],
)
def test_weights_are_held_more_closely_than_the_rounding_allows(
    large: Path, name: str, kind: str, message: str
) -> None:
    """A difference of a thousandth is far below what rounding activations costs."""
    bundle = quantized(large / "after" / "1", "--name", f"closely-{name}")
    with pytest.raises(ModelRefused, match=message):
        verify(tampered(bundle, name, kind, 1.001), Provider())


def test_cells_are_held_more_closely_than_the_rounding_allows(large: Path) -> None:
    bundle = quantized(large / "after" / "1", "--name", "closely-cells")
    file = bundle.folder / "cells.npz"
    with np.load(file) as arrays:
        changed = dict(arrays)
    changed["0/U"] *= np.float32(1.001)
    np.savez(file, allow_pickle=False, **changed)
    with pytest.raises(ModelRefused, match="of layer 0 against the equations, in float64, B=1"):
        verify(resealed(bundle, "cells.npz"), Provider())


class Begun(nn.Module):
    """A constant decides where it begins; an answer belongs to the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.begin = nn.Linear(2, SIZE)
        self.gru = nn.GRU(3, SIZE, batch_first=True)
        self.head = nn.Linear(SIZE, 1)

    def forward(self, x: Tensor, where: Tensor) -> Tensor:
        answered: Tensor = self.head(self.gru(x, self.begin(where).unsqueeze(0))[0][:, -1])
        return answered


def test_a_model_of_somebody_else(tmp_path: Path) -> None:
    """It keeps how its sessions begin, and its sequence graph that gives states only."""
    torch.manual_seed(0)
    axes = {"x": BATCH_AND_TIME, "where": {0: "batch"}}
    inputs = torch.randn(2, 5, 3), torch.randn(2, 2)
    file = tmp_path / "begun.onnx"
    file.write_bytes(export(Begun(), *inputs, names=("x", "where"), axes=axes))
    folder = tmp_path / "models" / "begun"
    arguments = [str(file), "--name", "begun", "--repository", str(folder.parent)]
    assert CliRunner().invoke(main, ["import-onnx", *arguments]).exit_code == 0
    bundle = quantized(folder / "1")
    assert bundle.manifest.sequence == "states"
    engines = [Engine(read_bundle(folder / version), Provider()) for version in ("1", "2")]
    constants = {"where": inputs[1].numpy()}
    begun = [engine.initial_states(2, constants) for engine in engines]
    np.testing.assert_array_equal(begun[0], begun[1])
    assert begun[0].any()


def test_a_window_cannot_have_8_bits(tmp_path: Path) -> None:
    file = tmp_path / "windowed.onnx"
    file.write_bytes(export(Windowed(), torch.randn(2, 7, 3), axes={"x": {0: "batch"}}))
    folder = tmp_path / "models" / "windowed"
    arguments = [str(file), "--name", "windowed", "--repository", str(folder.parent)]
    assert CliRunner().invoke(main, ["import-onnx", *arguments]).exit_code == 0
    assert "this one has windows, caches, a delay or no sessions" in refused(folder / "1")


def graph_of(*nodes: onnx.NodeProto) -> bytes:
    """x [batch, 256] to y [batch, 256] by nodes that may use `weight` [256, 256] and `bias`."""
    random = np.random.default_rng(0)
    weight = random.normal(size=(SIZE, SIZE)).astype(np.float32)
    sizes: Sequence[str | int] = ["batch", SIZE]
    graph = helper.make_graph(
        list(nodes),
        "products",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, sizes)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, sizes)],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(weight[0], "bias")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    serialised: bytes = made.SerializeToString()
    return serialised


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("MatMul", ["x", "weight"], ["y"]),
        helper.make_node("Gemm", ["x", "weight"], ["y"]),
        helper.make_node("Gemm", ["x", "weight", "bias"], ["y"], transB=1),
    ],
    ids=["MatMul", "Gemm", "Gemm with the weights transposed"],
)
def test_products_of_other_models(node: onnx.NodeProto) -> None:
    graph = graph_of(node)
    x = np.random.default_rng(1).uniform(-1, 1, (5, SIZE)).astype(np.float32)
    rounded = Provider().open(rounded_sequence(graph)).run(["y"], {"x": x})[0]
    found = Provider().open(quantized_step(graph)).run(["y"], {"x": x})[0]
    exact = Provider().open(graph).run(["y"], {"x": x})[0]
    scale = np.abs(exact).max()
    assert 0 < np.abs(found - rounded).max() < 0.02 * scale
    assert 0 < np.abs(rounded - exact).max() < 0.02 * scale


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("Gemm", ["x", "weight"], ["y"], alpha=0.5),
        helper.make_node("Gemm", ["x", "weight", "bias"], ["y"], beta=0.5),
        helper.make_node("MatMul", ["x", "x"], ["y"]),
    ],
    ids=["alpha", "beta", "no constant"],
)
def test_products_that_stay(node: onnx.NodeProto) -> None:
    with pytest.raises(ModelRefused, match="no product in the step graph"):
        quantized_step(graph_of(node))
