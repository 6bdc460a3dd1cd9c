"""The one place where the two conventions of the update gate meet.

Gatewise speaks of `update` u, which *writes*; nn.GRU and the ONNX GRU operator store z, which
*keeps*; keep = 1 − update:

    Gatewise           h_t = (1 − u_t) ⊙ h_{t-1} + u_t ⊙ n_t
    nn.GRU, ONNX GRU   h_t = z_t ⊙ h_{t-1} + (1 − z_t) ⊙ n_t          z = 1 − u

Since 1 − σ(a) = σ(−a), weights and biases are converted by a sign flip. They are stored as nn.GRU
stores them, so that its checkpoints fit, and are flipped only where gates are shown.

The blocks of H rows are ordered reset, keep, candidate in nn.GRU and keep, reset, candidate in
ONNX.
"""

from typing import Protocol, Self, TypeVar

TORCH_ORDER = ("reset", "keep", "candidate")
ONNX_ORDER = ("keep", "reset", "candidate")
TORCH_BLOCKS_IN_ONNX_ORDER = tuple(TORCH_ORDER.index(gate) for gate in ONNX_ORDER)


class _Negatable(Protocol):
    def __neg__(self) -> Self: ...


Block = TypeVar("Block", bound=_Negatable)


def keep_to_update(block: Block) -> Block:
    """The update gate's weights or biases from those of the keep gate (and back)."""
    return -block
