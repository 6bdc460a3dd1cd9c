"""Which recurrent layers are GRUs, and in which order they come."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from model_export.imports.checkpoint.checkpoint import read_checkpoint
from model_export.imports.checkpoint.options import CheckpointOptions
from tests.unit.model_export.imports.checkpoint.conftest import Refusal, Save
from tests.unit.model_export.imports.checkpoint.models import BY_NAME, Model, fc, gru
from tests.unit.model_export.imports.checkpoint.test_models import assert_same

State = dict[str, Tensor]


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (
            nn.LSTM(3, 4),
            "the top level is an nn.LSTM: weight_hh_l0 is [16, 4], and a GRU's is [12, 4]",
        ),
        (nn.LSTM(3, 4, proj_size=2), "an nn.LSTM with projections (weight_hr_l0)"),
        (nn.RNN(3, 4), "an nn.RNN: weight_hh_l0 is [4, 4]"),
        (nn.LSTMCell(3, 4), "an nn.LSTM: weight_hh is [16, 4]"),
        (nn.RNNCell(3, 4), "an nn.RNN: weight_hh is [4, 4]"),
        (
            nn.TransformerEncoderLayer(4, 2),
            "no GRU in it (no tensor is called weight_ih_l0 or "
            "weight_ih); it has attention: self_attn.in_proj_weight",
        ),
        (nn.Sequential(nn.Conv1d(3, 4, 2), nn.Linear(4, 2)), "no GRU in it"),
        (nn.ModuleDict({"conv": nn.Conv1d(3, 4, 2)}), "it has convolutions: conv.weight"),
    ],
)
def test_other_models(module: nn.Module, expected: str, refusal: Refusal) -> None:
    assert expected in refusal(module.state_dict())


def test_an_lstm_beside_a_gru(refusal: Refusal) -> None:
    model = nn.ModuleDict({"gru": gru(), "rnn": nn.LSTM(5, 4)})
    assert "rnn is an nn.LSTM: rnn.weight_hh_l0" in refusal(model.state_dict())


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
@pytest.mark.parametrize(
    ("norm", "tensor"),
    [
        (nn.utils.weight_norm, "gru.weight_hh_l0_g"),
        (nn.utils.parametrizations.weight_norm, "gru.parametrizations.weight_hh_l0.original0"),
    ],
)
def test_weight_norm(norm: Callable[..., nn.Module], tensor: str, refusal: Refusal) -> None:
    model = nn.ModuleDict({"gru": norm(gru(), "weight_hh_l0")})
    message = refusal(model.state_dict())
    assert f"{tensor} belongs to weights that are computed" in message
    assert "fold them before saving" in message


def changed(change: Callable[[State], object]) -> State:
    state = dict(BY_NAME["bidirectional stack, last step"].make().state_dict())
    change(state)
    return state


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda s: s.pop("gru.weight_ih_l0"), "gru.weight_ih_l0 is missing"),
        (lambda s: s.pop("gru.weight_hh_l1"), "gru.weight_hh_l1 is missing"),
        (lambda s: s.pop("gru.bias_hh_l0"), "gru.bias_hh_l0 is missing"),
        (
            lambda s: s.update({"gru.bias_hh_l0": torch.zeros(14)}),
            "gru.bias_hh_l0 is [14]; a GRU needs [15]",
        ),
        (
            lambda s: s.update({"gru.weight_ih_l1": torch.zeros(15, 5)}),
            "gru.weight_ih_l1 is [15, 5]; a GRU needs [15, 10]",
        ),
        (lambda s: s.update({"gru.weight_ih_l0": torch.zeros(12, 3)}), "needs [15, inputs]"),
        (lambda s: s.update({"gru.weight_ih_l0": torch.zeros(15)}), "gru.weight_ih_l0 is [15]"),
        (
            lambda s: s.update({"gru.weight_ih_l0": torch.zeros(())}),
            "gru.weight_ih_l0 is []; a GRU needs [15, inputs]",
        ),
        (
            lambda s: s.update({"gru.weight_ih_l0": torch.zeros(15, 0)}),
            "gru.weight_ih_l0 is [15, 0]",
        ),
        (
            lambda s: s.update({"gru.weight_hh_l0": torch.zeros(15)}),
            "gru.weight_hh_l0 is [15]; a GRU needs [3H, H]",
        ),
        (lambda s: s.update({"gru.weight_hh_l0": torch.zeros(16, 5)}), "no layer of PyTorch"),
        (lambda s: s.update({"gru.weight_ih_l0_reverse": torch.zeros(15, 4)}), "differ in shape"),
        (
            lambda s: s.update({"gru.weight_ih_l3": s["gru.weight_ih_l1"]}),
            "layers [0, 1, 3]; some are missing",
        ),
        (lambda s: s.update({"gru.weight_ih": s["gru.weight_ih_l0"]}), "mixes the names"),
        (
            lambda s: s.update({"gru.weight_ih_l01": s["gru.weight_ih_l0"]}),
            "no parameter of nn.GRU",
        ),
        (lambda s: s.update({"gru.h0": torch.zeros(1, 5)}), "gru.h0 is no parameter of nn.GRU"),
        (lambda s: s.update({"gru.weight_hh_l0_g": torch.zeros(15, 1)}), "weight or spectral norm"),
    ],
)
def test_wrong_weights(change: Callable[[State], object], expected: str, refusal: Refusal) -> None:
    assert expected in refusal(changed(change), head="last,linear")


def test_one_direction_missing(refusal: Refusal) -> None:
    def drop(which: str) -> State:
        return changed(lambda s: [s.pop(name) for name in list(s) if name.endswith(which)])

    assert "layer 1 lacks the weights of one direction" in refusal(drop("_l1_reverse"))
    one_layer = {n: t for n, t in drop("_l0").items() if "_l1" not in n}
    assert "layer 0 lacks the weights of one direction" in refusal(one_layer)


def test_a_cell_is_said_to_run_over_the_inputs(save: Save) -> None:
    file = save(BY_NAME["cell"].make().state_dict())
    notes = read_checkpoint(file, CheckpointOptions(head="linear")).notes
    assert "gru_cell is an nn.GRUCell; it is taken to run over the inputs in order" in notes


def test_an_encoder_and_its_decoder_are_not_taken_for_a_chain(refusal: Refusal) -> None:
    state = nn.ModuleDict({"encoder": gru(5, 5), "decoder": gru(5, 5)}).state_dict()
    message = refusal(state)
    assert "how encoder and decoder are connected" in message
    assert "--layers-order encoder,decoder" in message
    assert "has to name each GRU once" in refusal(state, layers_order=("encoder",))
    assert "has to name each GRU once" in refusal(state, layers_order=("encoder", "encoder"))
    assert "'other' names no module of the file: encoder, decoder" in refusal(
        state, layers_order=("encoder", "other")
    )


def test_names_in_alphabetical_order_are_no_chain(refusal: Refusal) -> None:
    state = nn.ModuleDict({"left": gru(5, 5), "right": gru(5, 5)}).state_dict()
    assert "how left and right are connected" in refusal(state)


def test_numbers_against_the_order_of_the_file(refusal: Refusal) -> None:
    state = nn.ModuleDict({"gru2": gru(5, 5), "gru1": gru(5, 5)}).state_dict()
    assert "--layers-order" in refusal(state)


def test_more_than_nine_layers_in_safetensors(tmp_path: Path) -> None:
    """Whose names are sorted as text: gru10 before gru2."""
    layers = nn.ModuleDict({f"gru{index}": gru(5, 5) for index in range(1, 12)})
    file = tmp_path / "model.safetensors"
    save_file(layers.state_dict(), file)

    class Chain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = layers

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers.values():
                x = layer(x)[0]
            return x

    assert_same(read_checkpoint(file, CheckpointOptions()), Chain().eval(), torch.randn(1, 4, 5))


def test_widths_that_do_not_chain(refusal: Refusal) -> None:
    state = nn.ModuleDict({"gru1": gru(3, 5), "gru2": gru(4, 5)}).state_dict()
    message = refusal(state)
    assert "gru takes 4 values (gru2.weight_hh_l0 [15, 5]), but 5 come from" in message
    assert "gru1.weight_hh_l0 [15, 5]" in message


def test_layers_of_different_sizes(save: Save) -> None:
    """nn.GRU has none; who writes such a stack by hand still names its weights like this."""
    model = Model(
        {"gru1": gru(3, 6), "gru2": gru(6, 4), "fc": fc(4, 2)},
        lambda m, x: m["fc"](m["gru2"](m["gru1"](x)[0])[0]),
    ).eval()
    state = {
        re.sub(r"gru(\d)(.*)_l0", lambda found: f"gru{found[2]}_l{int(found[1]) - 1}", name): tensor
        for name, tensor in model.state_dict().items()
    }
    assert "gru.weight_hh_l1" in state
    original = read_checkpoint(save(state), CheckpointOptions(head="linear"))
    assert_same(original, model, torch.randn(2, 3, 3))


def test_layers_in_another_order_than_the_file(save: Save) -> None:
    """Only their numbers count."""
    model = BY_NAME["three layers"].make()
    state: Mapping[str, Tensor] = dict(reversed(model.state_dict().items()))
    original = read_checkpoint(save(dict(state)), CheckpointOptions(head="linear"))
    assert_same(original, model, torch.randn(2, 3, 3))
