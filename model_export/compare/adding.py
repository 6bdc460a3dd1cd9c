"""The adding problem: two marked numbers, far from each other and from the end, and their sum."""

import torch
from torch import Tensor

from model_export.compare.problem import Batch, Part, Traits, drawn, refuse_length


class Adding:
    """Two of T random numbers are marked, one in each half; the last step answers their sum.

    An input is (number in [0, 1), marker 0 or 1). Hochreiter & Schmidhuber (1997), in the form of
    Le, Jaitly & Hinton (2015). Always answering the mean, 1, has a mean squared error of 1/6.
    """

    def __init__(self, length: int) -> None:
        refuse_length("adding", length, 2)
        self.traits = Traits(
            name="adding",
            length=length,
            input_size=2,
            output_size=1,
            error_name="mean squared error",
            solved_below=0.01,
            baselines={"always the mean": 1 / 6},
        )

    def batch(self, size: int, generator: torch.Generator) -> Batch:
        length = self.traits.length
        numbers = torch.rand(length, size, generator=generator)
        first = torch.randint(length // 2, (1, size), generator=generator)
        second = torch.randint(length // 2, length, (1, size), generator=generator)
        markers = torch.zeros(length, size).scatter_(0, torch.cat([first, second]), 1.0)
        inputs = torch.stack([numbers, markers], -1)
        return Batch(inputs, (numbers * markers).sum(0, keepdim=True))

    def held_out(self, part: Part) -> Batch:
        return drawn(self.batch, part)

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs.squeeze(-1) - targets).square()

    def error(self, outputs: Tensor, targets: Tensor) -> float:
        return self.losses(outputs, targets).mean().item()
