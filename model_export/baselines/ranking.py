"""Where the right item stands among all: ranks, recall and mean reciprocal rank.

The conventions of GRU4Rec (Hidasi et al. 2016): every event of a session after its first is
predicted from those before it, all items compete, and an item that training does not know is
never right.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating]
Items = NDArray[np.int64]
Ranks = NDArray[np.float64]


def ranks(scores: Scores, targets: Items, unknown: int | None = None) -> Ranks:
    """Ranks [n], from 1, of the targets [n] by scores [n, V]: the higher the score, the better.

    Equal scores share the middle of their ranks, so that a model gains nothing by giving all
    items the same. `unknown` stands for all items that training does not know: it takes no rank
    from others, and as a target its rank is infinite. Raises ValueError on a score that is NaN.
    """
    if np.isnan(scores).any():
        raise ValueError("a score is not a number")
    rows = np.arange(len(targets))
    competing = np.delete(scores, unknown, axis=1) if unknown is not None else scores
    own = scores[rows, targets][:, None]
    better = (competing > own).sum(1)
    equal = (competing == own).sum(1)
    found = better + (equal + 1) / 2
    return found if unknown is None else np.where(targets == unknown, np.inf, found)


def recall(found: Ranks, k: int) -> float:
    """Share of the ranks [n] that are at most k; 0 of none."""
    return float((found <= k).sum() / max(len(found), 1))


def mean_reciprocal_rank(found: Ranks, k: int) -> float:
    """Mean of 1 / rank over ranks [n], where a rank beyond k counts as 0; 0 of none."""
    return float((1 / found[found <= k]).sum() / max(len(found), 1))


def events(sessions: Iterable[Items]) -> tuple[Items, Items]:
    """The item before and the item of every event but each session's first, both [n]."""
    parts = list(sessions)
    empty = np.empty(0, np.int64)
    before = np.concatenate([empty, *(session[:-1] for session in parts)])
    return before, np.concatenate([empty, *(session[1:] for session in parts)])
