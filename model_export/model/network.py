"""A whole model: front, stacked GRU layers, head."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from model_export.model.config import NetworkConfig, TokensFront
from model_export.model.front import ValuesModule, front_module
from model_export.model.head import QuantilesModule, ResidualModule, head_module
from model_export.model.layer import GRULayer


class Scored(NamedTuple):
    """`scores` [B, T, …] as the head gives them, `states` [B, T, S] after every step, and `base`
    [B, T, F], the values that came in without gaps, or the tokens [B, T]."""

    scores: Tensor
    states: Tensor
    base: Tensor


class Network(nn.Module):
    """Maps inputs and a flat state to next-step outputs and all later states.

    The state [B, S] holds the layers' hidden vectors behind each other, first layer first, and then
    what a missing value is taken for, normalised, where values may be missing.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.front = front_module(config.front)
        widths = (config.front.features, *config.hidden_sizes)
        self.layers = nn.ModuleList(
            GRULayer(width, hidden_size, config.reset)
            for width, hidden_size in zip(widths, config.hidden_sizes, strict=False)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = head_module(widths[-1], config.head)

    @property
    def fills_with_forecasts(self) -> bool:
        """Whether every step needs the outputs of the one before."""
        front = self.config.front
        return not isinstance(front, TokensFront) and front.fill == "forecast"

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs [B, T, O] in the user's units, or probabilities, and states [B, T, S].

        `inputs` is [B, T, F] float32 or [B, T] int64, `state` [B, S]. states[:, t] is the state
        after step t, output[:, t] what is expected at step t + 1.
        """
        scored = self.scored(inputs, state)
        return self.head.outputs(scored.scores, scored.base), scored.states

    def scored(self, inputs: Tensor, state: Tensor) -> Scored:
        """As `forward`, with the scores of the head in place of the output: see `head.py`."""
        x = inputs.transpose(0, 1)  # time-major once, for all layers
        front = self.front
        if not isinstance(front, ValuesModule) or front.fill is None:
            top, states = self._layers(front(x), state)
            return Scored(self.head(top).transpose(0, 1), states.transpose(0, 1), inputs)
        if self.fills_with_forecasts:
            return self._one_by_one(front, x, state)
        return self._filled(front, x, state)

    def _filled(self, front: ValuesModule, x: Tensor, state: Tensor) -> Scored:
        """The last value for a missing one."""
        size = self.config.hidden_size
        filled = front.filled(x, state[:, size:])
        top, states = self._layers(front.features(x, filled), state[:, :size])
        scores, base = self.head(top), front.restored(filled)
        base = torch.where(x.isnan(), base, x)
        if not torch.compiler.is_exporting():
            # An exported graph carries the filled values by itself.
            states = torch.cat([states, filled], dim=-1)
        return Scored(scores.transpose(0, 1), states.transpose(0, 1), base.transpose(0, 1))

    def _one_by_one(self, front: ValuesModule, x: Tensor, state: Tensor) -> Scored:
        """What was expected for a missing value, so that no step can run before the one before."""
        size, steps = self.config.hidden_size, []
        hidden, expected = state[:, :size], state[:, size:]
        for t in range(len(x)):
            scores, states, base, expected = self.filled_step(front, x[t : t + 1], hidden, expected)
            hidden = states[0]
            state = torch.cat([states, expected.unsqueeze(0)], dim=-1)
            steps.append((scores, state, base))
        return Scored(*(torch.cat(parts).transpose(0, 1) for parts in zip(*steps, strict=True)))

    def filled_step(
        self, front: ValuesModule, x: Tensor, hidden: Tensor, expected: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One step for x [1, B, F] with the forecast `expected` [B, F] for a missing value.

        Scores, hidden states and base, time first, and what is expected next, [B, F].
        """
        filled = torch.where(x.isnan(), expected.unsqueeze(0), front(x))
        top, states = self._layers(front.features(x, filled), hidden)
        scores = self.head(top)
        assert isinstance(self.head, ResidualModule | QuantilesModule)
        targets = len(self.head.scale)
        step = self.head.median(scores) * (self.head.scale / front.scale[:targets])
        following = torch.cat([filled[..., :targets] + step, filled[..., targets:]], dim=-1)
        base = torch.where(x.isnan(), front.restored(filled), x)
        return scores, states, base, following[0]

    def _layers(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """What the head sees [T, B, H] and the hidden states of all layers [T, B, Σ H]."""
        history = []
        for layer, h0 in zip(self.layers, self._slices(state), strict=True):
            history.append(layer(x, h0))
            x = self.dropout(history[-1])
        return x, history[0] if len(history) == 1 else torch.cat(history, dim=-1)

    def initial_state(self, batch: int) -> Tensor:
        """Zeros [B, S]."""
        return self.head.weight.new_zeros(batch, self.config.state_size)

    def _slices(self, state: Tensor) -> tuple[Tensor, ...]:
        if len(self.layers) == 1:
            return (state,)
        return torch.split(state, list(self.config.hidden_sizes), dim=1)
