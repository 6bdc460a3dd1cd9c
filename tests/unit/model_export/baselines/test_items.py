"""Ranks by sorting, and the next item against counting by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_export.baselines import items
from model_export.baselines.items import item_models, ranks_of
from model_export.baselines.ranking import (
    Items,
    events,
    mean_reciprocal_rank,
    ranks,
    recall,
)


def sessions(*lists: list[int]) -> list[Items]:
    return [np.array(one, np.int64) for one in lists]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.data())
def test_equal_scores_share_the_middle_of_their_ranks(
    values: list[int], data: st.DataObject
) -> None:
    target = data.draw(st.integers(0, len(values) - 1))
    places = [
        place
        for place, value in enumerate(sorted(values, reverse=True), 1)
        if value == values[target]
    ]
    (found,) = ranks(np.array([values], np.float32), np.array([target]))
    assert found == np.mean(places)


def test_the_unknown_item_is_never_right_and_takes_no_rank() -> None:
    scores = np.array([[0.1, 0.9, 0.5]] * 3)
    np.testing.assert_array_equal(ranks(scores, np.array([0, 1, 2])), [3, 1, 2])
    found = ranks(scores, np.array([0, 1, 2]), unknown=1)
    np.testing.assert_array_equal(found, [2, np.inf, 1])
    assert recall(found, 1) == pytest.approx(1 / 3)
    assert recall(found, 20) == pytest.approx(2 / 3)
    assert mean_reciprocal_rank(found, 20) == pytest.approx((1 / 2 + 1) / 3)
    assert mean_reciprocal_rank(found, 1) == pytest.approx(1 / 3)


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not a number"):
        ranks(np.array([[0.0, np.nan]]), np.array([0]))


def test_every_event_but_the_first_is_predicted() -> None:
    before, after = events(sessions([4, 2, 2], [7], [1, 3]))
    np.testing.assert_array_equal(before, [4, 2, 1])
    np.testing.assert_array_equal(after, [2, 2, 3])
    assert recall(ranks(np.empty((0, 3)), np.empty(0, np.int64)), 5) == 0


TRAINING = sessions([0, 1, 2], [0, 1], [1, 0, 3], [2, 2], [0, 1, 1])


def test_popularity_is_the_share_of_all_events() -> None:
    popularity, *_ = item_models(TRAINING, [], 5)
    expected = np.array([4, 5, 3, 1, 0]) / 13
    np.testing.assert_allclose(popularity.predict(np.array([3, 0])), [expected] * 2)
    assert popularity.description == "popularity"


def test_neighbours_are_the_items_of_the_same_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "_REGULARISATION", (2.0,))
    _, neighbours, _ = item_models(TRAINING, [], 5)
    # Item 0 occurs in 4 sessions, 1 in 4, 2 in 2, 3 in 1; with 0: 1 four times, 2 and 3 once.
    expected = [0, 4 / np.sqrt(6 * 6), 1 / np.sqrt(6 * 4), 1 / np.sqrt(6 * 3), 0]
    np.testing.assert_allclose(neighbours.predict(np.array([0]))[0], expected, atol=1e-8)
    assert neighbours.description == "item-KNN with regularisation 2"
    # Nothing is known beside item 4: popularity alone.
    assert neighbours.predict(np.array([4]))[0].argmax() == 1


def test_the_chain_counts_what_follows_and_backs_off_to_popularity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(items, "_BACK_OFF", (3.0,))
    *_, chain = item_models(TRAINING, [], 5)
    popularity = np.array([4, 5, 3, 1, 0]) / 13
    expected = (np.array([0, 3, 0, 1, 0]) + 3 * popularity) / (4 + 3)
    np.testing.assert_allclose(chain.predict(np.array([0]))[0], expected)
    np.testing.assert_allclose(chain.predict(np.array([4]))[0], popularity)
    np.testing.assert_allclose(chain.predict(np.arange(5)).sum(1), 1)


def test_the_validation_sessions_choose() -> None:
    # Item n is followed by n + 1, but in training hardly ever seen; 0 is popular.
    training = [*sessions(*[[0, 0]] * 50, [1, 2], [2, 3])]
    follows = item_models(training, sessions([1, 2], [2, 3]), 4)[-1]
    popular = item_models(training, sessions([1, 0], [2, 0]), 4)[-1]
    assert follows.chosen == "with back-off 0.1"
    assert popular.chosen == "with back-off 10"


def test_ranks_do_not_depend_on_how_many_scores_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    *_, chain = item_models(TRAINING, [], 5, unknown=4)
    test = sessions([0, 1, 4, 2], [3, 0, 1])
    at_once = ranks_of(chain.predict, test, 5, unknown=4)
    monkeypatch.setattr(items, "_SCORES", 7)
    np.testing.assert_array_equal(ranks_of(chain.predict, test, 5, unknown=4), at_once)
    assert at_once[1] == np.inf
    assert len(at_once) == 5
