"""Rounding a weight matrix to 8 bits, block by block."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BITS = 8
BLOCK_SIZE = 128
"""Weights that share a scale. Smaller blocks lose less, and take longer to multiply with."""
MINIMUM = 256
"""A product with fewer rows or columns is slower in 8 bits than in float32."""

_MIDDLE = 128
_LEVELS = 127


@dataclass(frozen=True, slots=True)
class Blocks:
    """The right operand of a product, weights [K, N], in blocks of `BLOCK_SIZE` along K.

    A weight is (level − 128) · scale: levels [N, blocks, BLOCK_SIZE] uint8, scales [N, blocks]
    float32. The last block of a column is filled up with zeros.
    """

    rows: int
    levels: NDArray[np.uint8]
    scales: NDArray[np.float32]

    def rounded(self) -> NDArray[np.float32]:
        """The weights [K, N] as they are after rounding."""
        weights = (self.levels.astype(np.float32) - _MIDDLE) * self.scales[..., np.newaxis]
        return np.ascontiguousarray(weights.reshape(len(weights), -1)[:, : self.rows].T)


def in_blocks(weights: NDArray[np.float32]) -> Blocks:
    """Round weights [K, N]. The scale of a block maps its largest weight to ±127.

    Symmetric: weights of the other sign get levels of the other sign, so that the keep gate of a
    fused operator and the update gate of a written-out step are rounded alike.
    """
    rows, columns = weights.shape
    count = -(-rows // BLOCK_SIZE)
    padded = np.zeros((columns, count * BLOCK_SIZE), np.float32)
    padded[:, :rows] = weights.T
    padded = padded.reshape(columns, count, BLOCK_SIZE)
    scales = np.abs(padded).max(axis=-1) / np.float32(_LEVELS)
    scales[scales == 0] = 1
    levels = np.rint(padded / scales[..., np.newaxis]).clip(-_LEVELS, _LEVELS) + _MIDDLE
    return Blocks(rows, levels.astype(np.uint8), scales)


def pays(weights: NDArray[np.float32]) -> bool:
    """Whether weights [K, N] are large enough to be multiplied faster in 8 bits."""
    return all(size >= MINIMUM for size in weights.shape)
