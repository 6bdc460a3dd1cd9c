"""The recurrent cells, in networks that differ in nothing else."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from model_export.model.layer import GRULayer

CellName = Literal["rnn", "lstm", "gru_before", "gru_after"]
CELLS: tuple[CellName, ...] = get_args(CellName)
LABELS: dict[CellName, str] = {
    "rnn": "RNN (tanh)",
    "lstm": "LSTM",
    "gru_before": "GRU, reset before",
    "gru_after": "GRU, reset after",
}

_BLOCKS: dict[CellName, int] = {"rnn": 1, "lstm": 4, "gru_before": 3, "gru_after": 3}
"""Blocks of H rows in the weights, one for each gate or candidate."""

_KEEP_BLOCK = 1
"""Both nn.LSTM (input, forget, …) and GRULayer (reset, keep, …) have it second."""


class Recurrent(nn.Module):
    """One recurrent layer and a linear head.

    The state that a step hands to the next is [B, S]: the hidden vector, and for the LSTM behind
    it the cell vector, in which it remembers.
    """

    def __init__(
        self, cell: CellName, input_size: int, hidden_size: int, output_size: int, keep_bias: float
    ) -> None:
        super().__init__()
        self.cell = cell
        self.hidden_size = hidden_size
        self.layer = _layer(cell, input_size, hidden_size)
        self.head = nn.Linear(hidden_size, output_size)
        _initialise(self.layer, _BLOCKS[cell], keep_bias)

    @property
    def state_size(self) -> int:
        return self.hidden_size * (2 if self.cell == "lstm" else 1)

    def initial_state(self, batch: int) -> Tensor:
        """Zeros [B, S]."""
        return self.head.weight.new_zeros(batch, self.state_size)

    def forward(self, inputs: Tensor, answers: int) -> Tensor:
        """Outputs [A, B, O] of the last A = `answers` steps of inputs [T, B, I]."""
        hidden, _ = self.advance(inputs, self.initial_state(inputs.shape[1]))
        return self.answer(hidden[-answers:])

    def answer(self, hidden: Tensor) -> Tensor:
        """Outputs [..., O] of hidden vectors [..., H]."""
        outputs: Tensor = self.head(hidden)
        return outputs

    def advance(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden vectors [T, B, H] after each step, and the state [B, S] after the last one."""
        if isinstance(self.layer, GRULayer):
            hidden: Tensor = self.layer(inputs, state)
            return hidden, hidden[-1]
        if isinstance(self.layer, nn.LSTM):
            h, c = state.unsqueeze(0).chunk(2, -1)
            hidden, (h, c) = self.layer(inputs, (h.contiguous(), c.contiguous()))
            return hidden, torch.cat([h, c], -1).squeeze(0)
        hidden, last = self.layer(inputs, state.unsqueeze(0))
        return hidden, last.squeeze(0)


def parameter_count(cell: CellName, input_size: int, hidden_size: int, output_size: int) -> int:
    """Of `Recurrent`. nn.RNN, nn.LSTM and reset "after" have two biases, reset "before" one."""
    biases = 1 if cell == "gru_before" else 2
    layer = _BLOCKS[cell] * hidden_size * (input_size + hidden_size + biases)
    return layer + output_size * (hidden_size + 1)


def hidden_size_for(parameters: int, cell: CellName, input_size: int, output_size: int) -> int:
    """The hidden size whose network comes nearest to a number of parameters."""

    def distance(hidden_size: int) -> int:
        return abs(parameter_count(cell, input_size, hidden_size, output_size) - parameters)

    return min(range(1, 2 + math.isqrt(parameters)), key=distance)


def _layer(cell: CellName, input_size: int, hidden_size: int) -> nn.Module:
    if cell == "rnn":
        return nn.RNN(input_size, hidden_size)
    if cell == "lstm":
        return nn.LSTM(input_size, hidden_size)
    return GRULayer(input_size, hidden_size, "before" if cell == "gru_before" else "after")


@torch.no_grad()
def _initialise(layer: nn.Module, blocks: int, keep_bias: float) -> None:
    """The same for every cell: recurrent blocks orthogonal, input blocks Xavier, biases zero.

    What keeps the past, the LSTM's forget gate and the GRU's keep = 1 − update, begins with
    `keep_bias`: 1 for the LSTM is the advice of Gers, Schmidhuber & Cummins (2000) and
    Jozefowicz, Zaremba & Sutskever (2015), and the GRU gets the same.
    """
    for name, parameter in layer.named_parameters():
        for index, block in enumerate(parameter.chunk(blocks)):
            if name.startswith("weight_hh"):
                nn.init.orthogonal_(block)
            elif name.startswith("weight_ih"):
                nn.init.xavier_uniform_(block)
            else:
                keeps = blocks > 1 and index == _KEEP_BLOCK and name.startswith("bias_ih")
                block.fill_(keep_bias if keeps else 0.0)
