"""Wrappers around a state dict, and what else a file holds."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from model_export.imports.checkpoint.checkpoint import read_checkpoint
from model_export.imports.checkpoint.options import CheckpointOptions
from tests.unit.model_export.imports.checkpoint.conftest import Refusal, Save
from tests.unit.model_export.imports.checkpoint.models import BY_NAME, Model
from tests.unit.model_export.imports.checkpoint.test_models import assert_same

HEAD = CheckpointOptions(head="linear")
Wrap = Callable[[Model], Any]


def prefixed(prefix: str) -> Wrap:
    return lambda model: {prefix + name: tensor for name, tensor in model.state_dict().items()}


def training_state(model: Model) -> dict[str, Any]:
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.zeros(1, 1, 3)).sum().backward()
    optimizer.step()
    return {
        "epoch": 3,
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
        "loss": 0.25,
    }


def parts(model: Model) -> dict[str, Any]:
    return {name: child.state_dict() for name, child in model.named_children()}


WRAPPED: dict[str, Wrap] = {
    "plain": prefixed(""),
    "state_dict": lambda model: {"state_dict": model.state_dict()},
    "model": lambda model: {"model": model.state_dict(), "epoch": 1},
    "training state": training_state,
    "module.": prefixed("module."),
    "_orig_mod.": prefixed("_orig_mod."),
    "module._orig_mod.model.": prefixed("module._orig_mod.model."),
    "twice": lambda model: {"state": {"net": prefixed("module.")(model)}},
    "in a list": lambda model: [model.state_dict(), {"epoch": 2}],
    "one state dict for each module": parts,
    "parameters": lambda model: dict(model.named_parameters()),
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_wrapped_in(wrap: Wrap, save: Save) -> None:
    model = BY_NAME["every step"].make()
    file = save(wrap(model))
    assert_same(read_checkpoint(file, HEAD), model, BY_NAME["every step"].inputs(2, 4))


def test_a_compiled_module_keeps_its_name(save: Save) -> None:
    model = BY_NAME["every step"].make()
    state = {name.replace(".", "._orig_mod."): t for name, t in model.state_dict().items()}
    original = read_checkpoint(save(state), CheckpointOptions(head="linear:fc"))
    assert_same(original, model, torch.randn(1, 5, 3))


def test_a_bare_gru(save: Save) -> None:
    model = BY_NAME["bare"].make()
    file = save(model.get_submodule("gru").state_dict())
    assert_same(read_checkpoint(file, CheckpointOptions()), model, torch.randn(1, 5, 3))


def test_what_was_left_out_is_said(save: Save) -> None:
    notes = read_checkpoint(save(training_state(BY_NAME["every step"].make())), HEAD).notes
    assert notes[0] == ("left out, since only tensors are read: epoch, optimizer_state_dict, loss")


def test_what_is_left_out_is_named_as_a_whole(save: Save) -> None:
    """A character model's vocabulary is in its checkpoint, say."""
    state = BY_NAME["every step"].make().state_dict()
    content = {"state_dict": state, "ids": {"\n": 0, "a": 1}, "config": {"deep": [1, {"er": 2}]}}
    notes = read_checkpoint(save(content), HEAD).notes
    assert notes[0] == "left out, since only tensors are read: ids, config"


@pytest.mark.parametrize("name", ["fc\x1b[2J.weight", "fc\n.weight", "f" * 201 + ".weight"])
def test_names_that_cannot_be_shown(name: str, refusal: Refusal) -> None:
    state = {**BY_NAME["bare"].make().state_dict(), name: torch.zeros(2, 5)}
    assert "a tensor's name is too long or unprintable" in refusal(state, head="linear")


def test_tensors_that_share_their_storage(save: Save) -> None:
    """Tied weights, and views into one buffer."""
    model = BY_NAME["embedding"].make()
    flat = nn.utils.parameters_to_vector(model.parameters()).detach()
    shared, offset = {}, 0
    for name, tensor in model.state_dict().items():
        shared[name] = flat[offset : offset + tensor.numel()].view(tensor.shape)
        offset += tensor.numel()
    options = CheckpointOptions(head="linear,softmax")
    original = read_checkpoint(save(shared), options)
    assert_same(original, model, BY_NAME["embedding"].inputs(2, 3))


def test_several_models(save: Save, refusal: Refusal) -> None:
    model, average = BY_NAME["every step"].make(1), BY_NAME["every step"].make(2)
    content = {"model": model.state_dict(), "ema": average.state_dict(), "epoch": 1}
    message = refusal(content, head="linear")
    assert "model, ema; choose with --state-dict model" in message
    original = read_checkpoint(save(content), CheckpointOptions(head="linear", state_dict="ema"))
    assert_same(original, average, torch.randn(1, 3, 3))
    assert "left out by --state-dict ema: model, epoch" in original.notes
    assert "the file has model, ema, epoch" in refusal(content, state_dict="best")


def test_parts_of_one_model(save: Save) -> None:
    model = BY_NAME["gru1 to gru4"].make()
    options = CheckpointOptions(head="linear", state_dict=".")
    assert_same(read_checkpoint(save(parts(model)), options), model, torch.randn(1, 3, 3))


def test_left_over_tensors(save: Save, refusal: Refusal) -> None:
    model = BY_NAME["every step"].make()
    content = {**model.state_dict(), "aux.weight": torch.ones(2, 2), "scale": torch.ones(3)}
    message = refusal(content, head="linear")
    assert "the top level (scale [3]) cannot be imported" in message
    assert "--ignore scale" in message
    message = refusal(content, head="linear", ignore=("scale",))
    assert "not used: aux (linear, 2 to 2)" in message
    assert "--ignore aux." in message
    options = CheckpointOptions(head="linear", ignore=("aux.", "scale"))
    original = read_checkpoint(save(content), options)
    assert_same(original, model, torch.randn(1, 3, 3))
    assert "left out by --ignore: aux., scale" in original.notes
    assert "no tensor's name begins so" in refusal(content, head="linear", ignore=("auy",))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({}, "an empty dict"),
        ([], "a list"),
        (None, "a NoneType"),
        ({"epoch": 3, "name": "gru"}, "a dict with epoch, name"),
        ({"gru.weight_ih_l0": [1.0, 2.0]}, "a dict with NumPy arrays or other objects"),
        ({"gru.weight_ih_l0": np.zeros(3)}, "NumPy arrays"),
        (torch.zeros(3), "no GRU in it"),
        ({"a": {"b.c": torch.zeros(1)}, "a.b": {"c": torch.zeros(1)}}, "both called a.b.c"),
    ],
)
def test_no_state_dict(content: object, expected: str, refusal: Refusal) -> None:
    assert expected in refusal(content)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite(value: float, refusal: Refusal) -> None:
    state = BY_NAME["every step"].make().state_dict()
    state["gru.weight_hh_l0"][3, 2] = value
    assert "gru.weight_hh_l0 holds NaN or infinity" in refusal(state, head="linear")


def test_a_weight_beyond_float32(refusal: Refusal) -> None:
    state = BY_NAME["every step"].make().double().state_dict()
    state["fc.bias"][0] = 1e39
    assert "fc.bias holds values beyond float32" in refusal(state, head="linear")


@pytest.mark.parametrize(
    "convert",
    [
        lambda tensor: tensor.to(torch.int32),
        lambda tensor: tensor.to(torch.complex64),
        lambda tensor: tensor.to_sparse(),
        lambda tensor: tensor.to("meta"),
    ],
    ids=["integers", "complex", "sparse", "meta"],
)
def test_tensors_without_plain_numbers(
    convert: Callable[[torch.Tensor], torch.Tensor], refusal: Refusal
) -> None:
    state = BY_NAME["every step"].make().state_dict()
    state["fc.weight"] = convert(state["fc.weight"])
    assert "fc.weight has no plain real numbers" in refusal(state, head="linear")
