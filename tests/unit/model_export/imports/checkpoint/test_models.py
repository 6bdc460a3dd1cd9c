"""State dicts of torch's own modules come out as torch computes them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import nn

from model_export.float64.graph import Float64Graph
from model_export.imports.checkpoint.checkpoint import read_checkpoint
from model_export.imports.checkpoint.options import CheckpointOptions
from model_export.original import Original
from tests.unit.model_export.imports.checkpoint.models import (
    BY_NAME,
    INPUTS,
    KINDS,
    Kind,
    Model,
    gru,
    lively,
)

SHAPES = ((1, 1), (1, 2), (3, 9))
"""Batches and numbers of time steps."""


def in_onnx(original: Original, inputs: NDArray[Any]) -> NDArray[Any]:
    session = onnxruntime.InferenceSession(original.model.SerializeToString())
    found: NDArray[Any] = session.run(["output"], {"input": inputs})[0]
    return found


def off(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """The largest difference, relative to the scale of what is expected."""
    assert found.shape == expected.shape
    scale = max(1.0, float(np.abs(expected).max()))
    return float(np.abs(found - expected).max()) / scale


def assert_same(original: Original, model: nn.Module, inputs: torch.Tensor) -> None:
    """The reading is torch in float64, the ONNX file is torch in float32."""
    with torch.no_grad():
        in_float32 = model(inputs).numpy()
        exact_inputs = inputs if inputs.dtype == torch.int64 else inputs.double()
        exact = model.double()(exact_inputs).numpy()
        model.float()
    array = inputs.numpy()
    assert off(original.answer({"input": array})["output"], exact) <= 1e-10
    assert off(in_onnx(original, array), in_float32) <= 1e-5
    inside = original.inside({"input": array})
    graph = Float64Graph(original.model.SerializeToString(), inside=True).run({"input": array})
    for name, value in inside.items():
        assert off(graph[name].reshape(value.shape), value) <= 1e-5


def options_of(kind: Kind) -> CheckpointOptions:
    return CheckpointOptions(head=kind.head, **kind.options)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_state_dict_of(kind: Kind, tmp_path: Path) -> None:
    model = kind.make()
    file = tmp_path / "model.pt"
    torch.save(model.state_dict(), file)
    original = read_checkpoint(file, options_of(kind))
    for batch, time in SHAPES:
        assert_same(original, model, kind.inputs(batch, time))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_note_is_a_head_that_says_the_same(kind: Kind, tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    torch.save(kind.make().state_dict(), file)
    first = read_checkpoint(file, options_of(kind))
    note = next(note for note in first.notes if note.startswith("the model is read as --head"))
    again = read_checkpoint(file, CheckpointOptions(head=note.split('"')[1]))
    assert again.model == first.model


@pytest.mark.parametrize("kind", KINDS[:30], ids=lambda kind: kind.name)
def test_safetensors_of(kind: Kind, tmp_path: Path) -> None:
    """Where the order of the file decides nothing: names that count, or widths."""
    model = kind.make()
    file = tmp_path / "model.safetensors"
    save_file(model.state_dict(), file)
    assert_same(read_checkpoint(file, options_of(kind)), model, kind.inputs(2, 5))


@st.composite
def heads(draw: st.DrawFn) -> tuple[list[nn.Module], str]:
    """Parts behind a GRU of 4, as modules of torch and in the language of --head."""
    activations: Mapping[str, type[nn.Module]] = {
        "relu": nn.ReLU,
        "tanh": nn.Tanh,
        "sigmoid": nn.Sigmoid,
        "elu": nn.ELU,
        "silu": nn.SiLU,
    }
    width, modules, words = 4, list[nn.Module](), list[str]()
    for word in draw(
        st.lists(st.sampled_from(["linear", "layernorm(1)", *activations]), max_size=6)
    ):
        if word == "linear":
            to = draw(st.integers(1, 6))
            modules.append(nn.Linear(width, to, bias=draw(st.booleans())))
            width = to
        elif word == "layernorm(1)":
            # A smaller eps makes rounding errors of float32 as large as one likes.
            modules.append(nn.LayerNorm(width, eps=1))
        else:
            modules.append(activations[word]())
        words.append(word)
    return modules, ",".join(words)


@settings(max_examples=40)
@given(heads(), st.integers(1, 4), st.integers(1, 3), st.booleans())
def test_any_chain(
    tmp_path_factory: pytest.TempPathFactory,
    head: tuple[list[nn.Module], str],
    inputs: int,
    layers: int,
    last: bool,
) -> None:
    modules, words = head
    model = Model(
        {"gru": gru(inputs, 4, num_layers=layers), "head": nn.Sequential(*modules)},
        lambda m, x: m["head"](m["gru"](x)[0][:, -1] if last else m["gru"](x)[0]),
    ).eval()
    lively(model)
    file = tmp_path_factory.mktemp("chain") / "model.pt"
    torch.save(model.state_dict(), file)
    words = ",".join(filter(None, ["last" if last else "", words]))
    original = read_checkpoint(file, CheckpointOptions(head=words))
    assert_same(original, model, torch.randn(2, 5, inputs))


def test_signature_of_the_onnx_model(tmp_path: Path) -> None:
    kind = BY_NAME["last step"]
    file = tmp_path / "model.pt"
    torch.save(kind.make().state_dict(), file)
    original = read_checkpoint(file, options_of(kind))
    session = onnxruntime.InferenceSession(original.model.SerializeToString())
    [into], [out] = session.get_inputs(), session.get_outputs()
    assert (into.name, into.type, into.shape) == ("input", "tensor(float)", ["batch", "time", 3])
    assert (out.name, out.type, out.shape) == ("output", "tensor(float)", ["batch", 2])
    assert [node.op_type for node in original.model.graph.node].count("GRU") == 1
    assert (original.file, original.framework) == (file, "PyTorch")


def test_tokens_come_as_integers(tmp_path: Path) -> None:
    kind = BY_NAME["embedding"]
    file = tmp_path / "model.pt"
    torch.save(kind.make().state_dict(), file)
    session = onnxruntime.InferenceSession(
        read_checkpoint(file, options_of(kind)).model.SerializeToString()
    )
    [into], [out] = session.get_inputs(), session.get_outputs()
    assert (into.type, into.shape) == ("tensor(int64)", ["batch", "time"])
    assert out.shape == ["batch", "time", 11]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_other_precisions(dtype: torch.dtype, suffix: str, tmp_path: Path) -> None:
    model = BY_NAME["every step"].make().to(dtype)
    file = tmp_path / f"model.{suffix}"
    (save_file if suffix == "safetensors" else torch.save)(model.state_dict(), file)
    original = read_checkpoint(file, CheckpointOptions(head="linear"))
    if dtype == torch.float64:
        assert_close_in_float64(original, model)
    else:
        assert_same(original, model.float(), torch.randn(2, 6, INPUTS))
    name = str(dtype).removeprefix("torch.")
    assert f"weights in {name} are served in float32" in original.notes


def assert_close_in_float64(original: Original, model: nn.Module) -> None:
    """Weights in float64 are not rounded for the reading, and are for the ONNX file."""
    inputs = torch.randn(2, 6, INPUTS)
    expected = model(inputs.double()).detach().numpy()
    assert off(original.answer({"input": inputs.numpy()})["output"], expected) <= 1e-14
    assert off(in_onnx(original, inputs.numpy()), expected) <= 1e-5
