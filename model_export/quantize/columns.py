"""Which weights a version has in 8 bits, and the cells with these weights."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.quantize.blocks import in_blocks

_ROUNDED = ("W", "U")


class Columns:
    """Columns of weights that are rounded, known by their numbers: each has scales of its own, so
    it does not matter which product it is part of."""

    def __init__(self, matrices: Iterable[NDArray[np.float32]]) -> None:
        """Matrices [K, N]."""
        self._digests = {digest for weights in matrices for digest in _digests(weights)}

    def __contains__(self, weights: NDArray[np.float32]) -> bool:
        """Whether every column of weights [K, N] is one of them."""
        return all(digest in self._digests for digest in _digests(weights))


def rounded_cells(cells: Mapping[str, NDArray[Any]], columns: Columns) -> dict[str, NDArray[Any]]:
    """`cells.npz` with W and U as they are after rounding, in float32; all else is as it was."""
    rounded = dict(cells)
    for name, gates in cells.items():
        if name.split("/")[-1] in _ROUNDED:
            rounded[name] = np.stack([_rounded(gate.T, columns).T for gate in gates])
    return rounded


def _rounded(weights: NDArray[np.float32], columns: Columns) -> NDArray[np.float32]:
    return in_blocks(weights).rounded() if weights in columns else weights


def _digests(weights: NDArray[np.float32]) -> Iterable[bytes]:
    for column in np.ascontiguousarray(weights.T):
        yield blake2b(column.tobytes(), digest_size=16).digest()
