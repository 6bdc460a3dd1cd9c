"""Own outputs fed back, as the service does it for a rollout."""

from dataclasses import dataclass

import torch
from torch import Tensor

from model_export.evaluate import Predictor


@dataclass(frozen=True, slots=True)
class Feedback:
    """Columns of an output that are the next values of the first inputs, one for each target."""

    columns: tuple[int, ...]

    def row(self, output: Tensor, known: Tensor) -> Tensor:
        """The next input [N, F] from an output [N, O] and what is known ahead of it [N, F − K]."""
        return torch.cat([output[:, list(self.columns)], known], dim=1)


def roll(
    network: Predictor, feedback: Feedback, output: Tensor, state: Tensor, known: Tensor
) -> Tensor:
    """The next h outputs [N, h, O], of which `output` [N, O] is the first.

    `state` [N, S] is the one behind it, `known` [N, h − 1, F − K] what is known ahead of each step.
    """
    outputs = [output]
    for step in range(known.shape[1]):
        row = feedback.row(outputs[-1], known[:, step])
        made, states = network(row.unsqueeze(1), state)
        state = states[:, -1]
        outputs.append(made[:, -1])
    return torch.stack(outputs, dim=1)
