"""From what a caller sends to what the layers see, time first."""

import torch
from torch import Tensor, nn

from model_export.model.config import TokensFront, ValuesFront
from model_export.model.operator import fill_forward


class ValuesModule(nn.Module):
    """(x − mean) / scale, per feature, and what missing values are taken for."""

    mean: Tensor
    scale: Tensor

    def __init__(self, config: ValuesFront) -> None:
        super().__init__()
        self.fill = config.fill
        self.register_buffer("mean", torch.tensor(config.mean))
        self.register_buffer("scale", torch.tensor(config.scale))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.scale

    def filled(self, x: Tensor, before: Tensor) -> Tensor:
        """Normalised values [T, B, F] with the last one, or `before` [B, F], for a missing one."""
        normalised = self(x)
        return fill_forward(normalised, before)

    def features(self, x: Tensor, filled: Tensor) -> Tensor:
        """[…, 2F]: values [..., F] without gaps, and where there was one."""
        return torch.cat([filled, x.isnan().to(filled.dtype)], dim=-1)

    def restored(self, filled: Tensor) -> Tensor:
        """In the caller's units."""
        return filled * self.scale + self.mean


def front_module(config: ValuesFront | TokensFront) -> ValuesModule | nn.Embedding:
    if isinstance(config, TokensFront):
        return nn.Embedding(config.size, config.embedding)
    return ValuesModule(config)
