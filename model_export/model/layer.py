"""One GRU layer, with the reset gate before or after the recurrent product."""

import math

import torch
from torch import Tensor, nn

from model_export.model.operator import gru
from model_export.model.recurrence import GRUWeights, gru_reset_after, gru_reset_before
from service.bundle.manifest import Reset


class GRULayer(nn.Module):
    """A layer whose parameters have nn.GRU's names and layout, so that its checkpoints fit.

    weight_ih [3H, I], weight_hh [3H, H] and bias_ih [3H] hold the blocks reset, keep, candidate;
    see model_export.convention for keep = 1 − update. bias_hh [3H] is a parameter with reset
    "after" only, where its candidate block is c_n; with reset "before" it would add nothing to
    bias_ih, and is a buffer of zeros that is not saved.
    """

    weight_ih: nn.Parameter
    weight_hh: nn.Parameter
    bias_ih: nn.Parameter
    bias_hh: Tensor

    def __init__(self, input_size: int, hidden_size: int, reset: Reset = "before") -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.reset = reset
        rows = 3 * hidden_size
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size))
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden_size))
        self.bias_ih = nn.Parameter(torch.empty(rows))
        if reset == "after":
            self.bias_hh = nn.Parameter(torch.empty(rows))
        else:
            self.register_buffer("bias_hh", torch.zeros(rows), persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform in ±1/√H, as nn.GRU does."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor, h0: Tensor) -> Tensor:
        """States [T, B, H] after each step of x [T, B, I], from the state h0 [B, H]."""
        weights = GRUWeights(self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        if torch.compiler.is_exporting():
            reset_after = int(self.reset == "after")
            states: Tensor = gru(x, h0, list(weights), reset_after)
            return states
        if self.reset == "after":
            return gru_reset_after(x, h0, weights)
        return gru_reset_before(x, h0, weights)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, reset={self.reset!r}"
