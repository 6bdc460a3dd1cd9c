"""How far back a gradient reaches."""

import numpy as np
import torch
from numpy.typing import NDArray

from model_export.compare.cells import Recurrent
from model_export.compare.problem import Batch, Problem


def gradient_norms(
    network: Recurrent, problem: Problem, inputs_and_targets: Batch
) -> NDArray[np.float64]:
    """[T] float64: at lag k, ‖∂ℓ/∂s‖ for the state s that was handed on k steps before the end.

    ℓ is the loss of the last answer of a sequence, s the state after step T − k (the LSTM's is
    the hidden and the cell vector together, since it remembers in the latter). The mean over the
    sequences of a batch.
    """
    inputs, targets = inputs_and_targets
    state = network.initial_state(inputs.shape[1])
    states = []
    for step in torch.split(inputs, 1):
        _, state = network.advance(step, state)
        states.append(state)
    # The last answer is read off the last state, so that its gradient reaches that one too.
    last = network.answer(states[-1][:, : network.hidden_size]).unsqueeze(0)
    loss = problem.losses(last, targets[-1:]).sum()
    gradients = torch.autograd.grad(loss, states[::-1])
    return np.array([gradient.norm(dim=1).mean().item() for gradient in gradients])
