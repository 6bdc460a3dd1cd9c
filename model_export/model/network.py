"""A whole model: front, stacked GRU layers, head."""

import torch
from torch import Tensor, nn

from model_export.model.config import (
    NetworkConfig,
    ResidualHead,
    SoftmaxHead,
    TokensFront,
    ValuesFront,
)
from model_export.model.layer import GRULayer

__all__ = [
    "Network",
    "NetworkConfig",
    "ResidualHead",
    "SoftmaxHead",
    "TokensFront",
    "ValuesFront",
]


class Network(nn.Module):
    """Maps inputs and a flat state to next-step outputs and all later states.

    The state [B, S] holds the layers' hidden vectors behind each other, first layer first.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.front = _front(config)
        widths = (config.front.features, *config.hidden_sizes)
        self.layers = nn.ModuleList(
            GRULayer(width, hidden_size, config.reset)
            for width, hidden_size in zip(widths, config.hidden_sizes, strict=False)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(widths[-1], config.head.width)
        if isinstance(config.head, ResidualHead):
            self.register_buffer("output_scale", torch.tensor(config.head.scale))

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs [B, T, O] in the user's units, or probabilities, and states [B, T, S].

        `inputs` is [B, T, F] float32 or [B, T] int64, `state` [B, S]. states[:, t] is the state
        after step t, output[:, t] what is expected at step t + 1.
        """
        scores, states = self.scores(inputs, state)
        if isinstance(self.config.head, SoftmaxHead):
            return scores.softmax(-1), states
        return inputs + self.get_buffer("output_scale") * scores, states

    def scores(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, with V h + c in place of the output: logits, or the scaled residual."""
        x = self.front(inputs.transpose(0, 1))  # time-major once, for all layers
        history = []
        for layer, h0 in zip(self.layers, self._slices(state), strict=True):
            history.append(layer(x, h0))
            x = self.dropout(history[-1])
        states = history[0] if len(history) == 1 else torch.cat(history, dim=-1)
        return self.head(x).transpose(0, 1), states.transpose(0, 1)

    def initial_state(self, batch: int) -> Tensor:
        """Zeros [B, S]."""
        return self.head.weight.new_zeros(batch, self.config.state_size)

    def _slices(self, state: Tensor) -> tuple[Tensor, ...]:
        if len(self.layers) == 1:
            return (state,)
        return torch.split(state, list(self.config.hidden_sizes), dim=1)


class _Normalisation(nn.Module):
    """(x − mean) / scale, per feature."""

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: tuple[float, ...], scale: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("scale", torch.tensor(scale))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.scale


def _front(config: NetworkConfig) -> nn.Module:
    if isinstance(config.front, TokensFront):
        return nn.Embedding(config.front.size, config.front.embedding)
    return _Normalisation(config.front.mean, config.front.scale)
