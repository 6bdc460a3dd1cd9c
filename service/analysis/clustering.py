"""Average-linkage clustering, and an order of the leaves in which neighbours are alike."""

import numpy as np
from numpy.typing import NDArray

from service.analysis.activations import Float64
from service.records import record


@record
class Clustering:
    """`merges` [U − 1, 2] of clusters, `heights` [U − 1] at which they meet, never falling, and the
    `order` [U] of the leaves. Leaves are clusters 0 to U − 1, merge n makes cluster U + n."""

    merges: NDArray[np.int64]
    heights: Float64
    order: NDArray[np.int64]


def cluster(distances: Float64) -> Clustering:
    """By average linkage, for distances [U, U], symmetric and ≥ 0.

    Nearest-neighbour chain with the Lance–Williams update (Murtagh and Contreras 2012), O(U²).
    """
    slots, heights = _chained(distances)
    sequence = np.argsort(heights, kind="stable")
    merges = _numbered(slots[sequence], len(distances))
    return Clustering(merges, heights[sequence], _ordered(merges, distances))


def _chained(distances: Float64) -> tuple[NDArray[np.int64], Float64]:
    """Pairs of slots [U − 1, 2] in the order in which the chain finds them, with their heights.
    A merged cluster stays in the second slot."""
    apart = distances.astype(np.float64)
    np.fill_diagonal(apart, np.inf)
    size, U = np.ones(len(apart)), len(apart)
    slots, heights = np.zeros((max(U - 1, 0), 2), np.int64), np.zeros(max(U - 1, 0))
    chain: list[int] = []
    for n in range(U - 1):
        first, second = _nearest_pair(apart, size, chain)
        slots[n], heights[n] = (first, second), apart[first, second]
        whole = size[first] + size[second]
        row = (size[first] * apart[first] + size[second] * apart[second]) / whole
        row[second] = np.inf
        apart[second], apart[:, second] = row, row
        apart[first], apart[:, first] = np.inf, np.inf
        size[first], size[second] = 0, whole
    return slots, heights


def _nearest_pair(apart: Float64, size: Float64, chain: list[int]) -> tuple[int, int]:
    """Two clusters that are each other's nearest; they leave the chain."""
    if not chain:
        chain.append(int(size.argmax()))
    while True:
        here = chain[-1]
        nearest = int(apart[here].argmin())
        # Among equals the one before in the chain, or the chain would run in a circle.
        if len(chain) > 1 and apart[here, chain[-2]] <= apart[here, nearest]:
            return chain.pop(), chain.pop()
        chain.append(nearest)


def _numbered(slots: NDArray[np.int64], U: int) -> NDArray[np.int64]:
    """Clusters instead of slots, for pairs in the order of their heights."""
    parent = list(range(2 * U - 1))

    def root(leaf: int) -> int:
        while parent[leaf] != leaf:
            parent[leaf] = parent[parent[leaf]]
            leaf = parent[leaf]
        return leaf

    merges = np.zeros_like(slots)
    for n, (first, second) in enumerate(slots.tolist()):
        pair = sorted((root(first), root(second)))
        merges[n] = pair
        parent[pair[0]] = parent[pair[1]] = U + n
    return merges


def _ordered(merges: NDArray[np.int64], distances: Float64) -> NDArray[np.int64]:
    """Each cluster is turned so that the ends that touch are as near as possible."""
    leaves = {leaf: [leaf] for leaf in range(len(distances))}
    for n, (first, second) in enumerate(merges.tolist()):
        left, right = leaves.pop(first), leaves.pop(second)
        # The first of equals, which turns nothing.
        turns = [(a, b) for b in (1, -1) for a in (1, -1)]
        a, b = min(turns, key=lambda turn: _gap(left, right, turn, distances))
        leaves[len(distances) + n] = left[::a] + right[::b]
    found = [leaf for part in leaves.values() for leaf in part]
    return np.array(found, np.int64)


def _gap(left: list[int], right: list[int], turn: tuple[int, int], distances: Float64) -> float:
    """Between the end of `left` and the beginning of `right`, turned where −1 says so."""
    a, b = turn
    return float(distances[left[-1 if a == 1 else 0], right[0 if b == 1 else -1]])
