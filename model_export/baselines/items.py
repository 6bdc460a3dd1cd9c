"""The next item of a session without a network: popularity, item-KNN and a Markov chain."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from model_export.baselines.baseline import Baseline, best_of
from model_export.baselines.ranking import (
    Items,
    Ranks,
    Scores,
    events,
    mean_reciprocal_rank,
    ranks,
)

ItemModel = Callable[[Items], Scores]
"""Scores [n, V] of every item as the next one, from the last items [n] of sessions."""
Sessions = Sequence[Items]

_K = 20
_REGULARISATION = (0.0, 5.0, 20.0, 100.0, 500.0)
_BACK_OFF = (0.1, 1.0, 10.0, 100.0)
_TIE = 1e-9
"""Weight of popularity among items equally similar: too little to change any other order."""
_SCORES = 4_000_000
"""So many are held at once."""


def item_models(
    training: Sessions, validation: Sessions, size: int, unknown: int | None = None
) -> tuple[Baseline[ItemModel], ...]:
    """Popularity, item-KNN and Markov, counted on the training sessions of ids below `size`.

    The validation sessions choose by mean reciprocal rank at 20. `unknown` is the id that stands
    for all items that training does not know, if there is one.
    """
    popularity = _Popularity(training, size)
    together, transitions = _together(training, size), _transitions(training, size)
    neighbours = {
        f"with regularisation {value:g}": _Neighbours(together, value, popularity)
        for value in _REGULARISATION
    }
    chains = {
        f"with back-off {value:g}": _Markov(transitions, value, popularity) for value in _BACK_OFF
    }

    def loss(model: ItemModel) -> float:
        return -mean_reciprocal_rank(ranks_of(model, validation, size, unknown), _K)

    return (
        Baseline("popularity", popularity),
        best_of("item-KNN", neighbours, loss),
        best_of("Markov", chains, loss),
    )


def ranks_of(
    model: ItemModel, sessions: Iterable[Items], size: int, unknown: int | None = None
) -> Ranks:
    """Ranks of every event of the sessions but the first of each, [n]."""
    last, following = events(sessions)
    rows = max(1, _SCORES // size)
    parts = [slice(start, start + rows) for start in range(0, len(last), rows)]
    found = [ranks(model(last[part]), following[part], unknown) for part in parts]
    return np.concatenate([np.empty(0), *found])


class _Popularity:
    """The share of each item in all events of training, [V]."""

    def __init__(self, training: Sessions, size: int) -> None:
        counts = np.bincount(_joined(training), minlength=size)
        self.share: NDArray[np.float64] = counts / max(counts.sum(), 1)

    def __call__(self, last: Items, /) -> Scores:
        return np.tile(self.share, (len(last), 1))


class _Neighbours:
    """Item-KNN: the cosine of the sessions that two items occur in, no item beside itself.

    n(i, j) / √((n(i) + λ)(n(j) + λ)) with λ against chance in what is rare: the baseline of
    GRU4Rec (Hidasi et al. 2016, after Davidson et al. 2010). Popularity orders the rest.
    """

    def __init__(self, together: csr_array, regularisation: float, back_off: _Popularity) -> None:
        supports = together.diagonal() + regularisation
        weights = diags_array(1 / np.sqrt(np.maximum(supports, 1e-12)))
        alone = together - diags_array(together.diagonal())
        self._similarity = csr_array(weights @ alone @ weights)
        self._back_off = back_off

    def __call__(self, last: Items, /) -> Scores:
        similarity: Scores = self._similarity[last].toarray()
        return similarity + _TIE * self._back_off(last)


class _Markov:
    """P(j | i) = (n(i → j) + μ P(j)) / (n(i) + μ), P(j) being popularity."""

    def __init__(self, transitions: csr_array, weight: float, back_off: _Popularity) -> None:
        self._transitions = transitions
        self._weight = weight
        self._totals = np.asarray(transitions.sum(axis=1)).ravel()
        self._back_off = back_off

    def __call__(self, last: Items, /) -> Scores:
        counts: Scores = self._transitions[last].toarray()
        total = self._totals[last][:, None] + self._weight
        return (counts + self._weight * self._back_off(last)) / total


def _joined(sessions: Sessions) -> Items:
    return np.concatenate([np.empty(0, np.int64), *sessions])


def _together(training: Sessions, size: int) -> csr_array:
    """In how many sessions two items occur, and each one in the diagonal, [V, V]."""
    items = [np.unique(session) for session in training]
    columns = _joined(items)
    ends = np.cumsum([0, *map(len, items)])
    occurs = csr_array((np.ones(len(columns)), columns, ends), shape=(len(items), size))
    return csr_array(occurs.T @ occurs)


def _transitions(training: Sessions, size: int) -> csr_array:
    """How often an item follows another at once, [V, V]."""
    before, after = events(training)
    return csr_array((np.ones(len(before)), (before, after)), shape=(size, size))
