"""What `--head` says, and when it has to be asked for."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from model_export.errors import ModelRefused
from model_export.imports.checkpoint.checkpoint import read_checkpoint
from model_export.imports.checkpoint.head import Part, parse_head
from model_export.imports.checkpoint.options import CheckpointOptions
from tests.unit.model_export.imports.checkpoint.conftest import Refusal, Save
from tests.unit.model_export.imports.checkpoint.models import BY_NAME, Model, Parts, fc, gru
from tests.unit.model_export.imports.checkpoint.test_models import assert_same


def test_a_head_as_people_write_it() -> None:
    assert parse_head(" last, fc:head.0 ,LeakyReLU(0.2), dropout,bn(1e-3), softmax") == (
        Part("last"),
        Part("linear", "head.0"),
        Part("leaky_relu", None, 0.2, value_given=True),
        Part("batchnorm", None, 1e-3, value_given=True),
        Part("softmax"),
    )
    assert parse_head("") == ()
    assert parse_head("gru,dropout,final") == (Part("gru"), Part("final"))
    assert parse_head("elu,layernorm") == (Part("elu", value=1.0), Part("layernorm", value=1e-5))


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("linear,relo", "'relo' is not understood; did you mean relu?"),
        ("conv", "known are last, final"),
        ("linear,,relu", "'' is not understood"),
        ("linear:", "'linear:' is not understood"),
        ("relu:act", "relu has no weights"),
        ("relu(1)", "takes no number"),
        ("linear(1)", "takes no number"),
        ("elu()", "needs a number from 0 on"),
        ("elu(x)", "needs a number from 0 on"),
        ("elu(nan)", "needs a number from 0 on"),
        ("elu(-1)", "needs a number from 0 on"),
        ("batchnorm(inf)", "needs a number from 0 on"),
        ("flatten,linear", "put last, mean or max before it"),
        ("last,last", "last needs every step, and last left only one"),
        ("gru,last,gru", "gru needs every step, and last left only one"),
        ("gru,relu,final", "relu cannot precede it"),
        ("relu,embedding,gru", "relu cannot precede it"),
        (",".join(["relu"] * 65), "65 parts"),
    ],
)
def test_a_head_that_says_nothing(head: str, expected: str) -> None:
    with pytest.raises(ModelRefused, match="--head") as caught:
        parse_head(head)
    assert expected in str(caught.value)


def test_one_linear_layer_is_asked_about(refusal: Refusal) -> None:
    message = refusal(BY_NAME["every step"].make().state_dict())
    assert "where fc (linear, 5 to 2) is applied" in message
    assert "--head linear answers after every step" in message
    assert "--head last,linear after the last step" in message


def test_more_than_one_is_asked_about(refusal: Refusal) -> None:
    message = refusal(BY_NAME["batch norm and three linear layers"].make().state_dict())
    assert "bn (batchnorm of 5), fc1 (linear, 5 to 4)" in message
    assert '--head "last,batchnorm,…,linear,…,linear,…,linear,…"' in message


def test_an_embedding_of_another_name_is_asked_about(refusal: Refusal) -> None:
    message = refusal(BY_NAME["embedding by head"].make().state_dict())
    assert "If encoder is an embedding in front, begin with it: embedding,gru,…" in message


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("last,batchnorm,linear", "not used: fc2 (linear, 4 to 4), fc3 (linear, 4 to 1)"),
        ("last,linear,linear,linear", "not used: bn (batchnorm of 5)"),
        (
            "linear,batchnorm,linear,linear",
            "batchnorm takes 5 values (bn.weight [5]), but 4 come from fc1.weight [4, 5]",
        ),
        (
            "batchnorm,linear:fc2,linear,linear",
            "linear:fc2 takes 4 values (fc2.weight [4, 4]), but 5 come from bn.weight [5]",
        ),
        ("batchnorm,linear,linear,linear,linear", "asks for 4 of linear, and the file has 3: fc1"),
        ("layernorm,linear", "asks for 1 of layernorm, and the file has 0: none"),
        ("linear:fc9", "'fc9' names no module of the file"),
        ("linear:fc1,linear:fc1", "names fc1 twice"),
        ("linear:bn", "linear:bn cannot be bn (batchnorm of 5)"),
        ("gru,gru,linear", "asks for 2 of gru, and the file has 1"),
        ("embedding,gru,last", "asks for 1 of embedding"),
    ],
)
def test_a_head_that_the_file_cannot_have(head: str, expected: str, refusal: Refusal) -> None:
    model = BY_NAME["batch norm and three linear layers"].make()
    assert expected in refusal(model.state_dict(), head=head)


def test_a_head_that_begins_at_the_input_without_a_gru(refusal: Refusal) -> None:
    state = BY_NAME["embedding"].make().state_dict()
    assert "so gru has to follow" in refusal(state, head="embedding,last,linear")


def lettered(order: str) -> Model:
    """Three linear layers of one width, whose names say nothing."""
    return Model(
        {"gru": gru(), "a": fc(5, 5), "b": fc(5, 5), "c": fc(5, 5)},
        lambda m, x: m[order[2]](m[order[1]](m[order[0]](m["gru"](x)[0]))),
    ).eval()


def test_safetensors_keep_no_order(tmp_path: Path, refusal: Refusal) -> None:
    model = lettered("bca")
    file = tmp_path / "model.safetensors"
    save_file(model.state_dict(), file)
    message = refusal(file, head="linear,linear,linear")
    assert "linear number 2 could be b or c, and the file does not say which" in message
    original = read_checkpoint(file, CheckpointOptions(head="linear:b,linear:c,linear:a"))
    assert_same(original, model, torch.randn(2, 3, 3))


def test_numbers_count_in_safetensors(tmp_path: Path) -> None:
    """fc10 comes after fc9, though not as text."""
    names = [f"fc{index}" for index in range(1, 12)]

    def forward(m: Parts, x: torch.Tensor) -> torch.Tensor:
        x = m["gru"](x)[0]
        for name in names:
            x = m[name](x)
        return x

    model = Model({"gru": gru(), **{name: fc(5, 5) for name in names}}, forward).eval()
    file = tmp_path / "model.safetensors"
    save_file(model.state_dict(), file)
    original = read_checkpoint(file, CheckpointOptions(head=",".join(["linear"] * 11)))
    assert_same(original, model, torch.randn(2, 3, 3))


def test_widths_decide_where_names_do_not(tmp_path: Path) -> None:
    model = Model(
        {"gru": gru(), "a": fc(2, 1), "b": fc(5, 3), "c": fc(3, 2)},
        lambda m, x: m["a"](m["c"](m["b"](m["gru"](x)[0]))),
    ).eval()
    file = tmp_path / "model.safetensors"
    save_file(model.state_dict(), file)
    original = read_checkpoint(file, CheckpointOptions(head="linear,linear,linear"))
    assert_same(original, model, torch.randn(2, 3, 3))
    assert original.notes[0] == 'the model is read as --head "gru:gru,linear:b,linear:c,linear:a"'


def test_too_many_ways(refusal: Refusal) -> None:
    """Twelve layers of one width that all fit, but never to the end."""
    layers = nn.ModuleDict({letter: fc(5, 5) for letter in "abcdefghijkl"})
    state = {**nn.ModuleDict({"gru": gru()}).state_dict(), **layers.state_dict()}
    state["out.weight"] = torch.zeros(2, 7)
    message = refusal(state, head=",".join(["linear"] * 12 + ["linear:out"]))
    assert "too many ways" in message


def test_a_name_of_two_modules(refusal: Refusal) -> None:
    model = nn.ModuleDict(
        {"gru": gru(), "a": nn.ModuleDict({"fc": fc()}), "b": nn.ModuleDict({"fc": fc()})}
    )
    message = refusal(model.state_dict(), head="linear:fc")
    assert "'fc' names several modules: a.fc, b.fc" in message


def test_an_eps_that_the_file_does_not_say(save: Save) -> None:
    file = save(BY_NAME["layer norm"].make().state_dict())
    notes = read_checkpoint(file, CheckpointOptions(head="layernorm,linear")).notes
    assert any("1e-05 is torch's default" in note for note in notes)
    notes = read_checkpoint(file, CheckpointOptions(head="layernorm(1e-5),linear")).notes
    assert not any("eps" in note for note in notes)


def test_the_last_step_of_both_directions_is_explained(save: Save) -> None:
    file = save(BY_NAME["bidirectional"].make().state_dict())
    notes = read_checkpoint(file, CheckpointOptions(head="last,linear")).notes
    assert any("for h_n write final" in note for note in notes)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"bn.running_var": -torch.ones(5)}, "bn.running_var holds a negative variance"),
        (
            {"bn.running_var": torch.ones(4)},
            "bn (weight [5], bias [5], running_mean [5], running_var [4]",
        ),
        ({"bn.running_mean": torch.ones(())}, "running_mean [], running_var [5]"),
        ({"fc1.weight": torch.ones(4, 0)}, "fc1 (weight [4, 0], bias [4])"),
        ({"fc1.bias": torch.ones(3)}, "fc1 (weight [4, 5], bias [3])"),
        ({"fc1.weight": torch.ones(4, 5, 1)}, "fc1 (weight [4, 5, 1], bias [4])"),
    ],
)
def test_wrong_shapes_in_the_head(
    change: dict[str, torch.Tensor], expected: str, refusal: Refusal
) -> None:
    kind = BY_NAME["batch norm and three linear layers"]
    assert expected in refusal({**kind.make().state_dict(), **change}, head=kind.head)
