"""Units that follow a marking: by NumPy's own correlation, and by construction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.analysis.following import Search, correlations, units_that_follow

T = 400


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(1, 5))
def test_as_numpy_correlates(seed: int, time: int, units: int) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(size=(time, units)).astype(np.float32)
    marking = random.normal(size=time)
    expected = [np.corrcoef(unit, marking)[0, 1] for unit in values.T.astype(np.float64)]
    np.testing.assert_allclose(correlations(values, marking), expected, atol=1e-9)


def test_what_does_not_vary_or_is_not_there_correlates_with_nothing() -> None:
    values = np.stack([np.ones(4), np.arange(4), np.full(4, np.nan)], 1)
    assert correlations(values, np.ones(4)).tolist() == [0, 0, 0]
    assert correlations(values, np.array([0, 1, 2, np.nan])).tolist() == [0, pytest.approx(1), 0]
    assert correlations(values, np.full(4, np.nan)).tolist() == [0, 0, 0]


def gates() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Noise of 6 units, and a marking that half of the steps have."""
    random = np.random.default_rng(0)
    noise = {name: random.normal(size=(T, 6)) for name in ("reset", "hidden")}
    return noise, random.integers(0, 2, T).astype(float)


def test_the_unit_that_was_made_to_follow_is_found_and_confirmed() -> None:
    tensors, marking = gates()
    tensors["hidden"][:, 4] -= 3 * marking
    [found] = units_that_follow(tensors, {"quotes": marking})
    halves = [
        np.corrcoef(tensors["hidden"][half, 4], marking[half])[0, 1]
        for half in (slice(0, T // 2), slice(T // 2, T))
    ]
    assert (found.marking, found.tensor, found.unit) == ("quotes", "hidden", 4)
    assert [found.found, found.confirmed] == pytest.approx(halves)
    assert found.found < -0.5


def test_chance_is_not_confirmed() -> None:
    """A unit that follows on one half alone, or the other way round on the second."""
    for second in (0, -3):
        tensors, marking = gates()
        tensors["hidden"][: T // 2, 4] += 3 * marking[: T // 2]
        tensors["hidden"][T // 2 :, 4] += second * marking[T // 2 :]
        assert units_that_follow(tensors, {"quotes": marking}) == []


def test_the_best_confirmed_come_first() -> None:
    tensors, marking = gates()
    other = np.random.default_rng(1).normal(size=T)
    tensors["reset"][:, 0] += 2 * marking
    tensors["hidden"][:, 1] += 5 * other
    found = units_that_follow(tensors, {"weak": marking, "strong": other, "none": np.ones(T)})
    assert [one.marking for one in found] == ["strong", "weak"]
    assert units_that_follow(tensors, {"weak": marking}, least=0.9) == []


@pytest.mark.parametrize("size", [1, 7, 200, 1000])
def test_slices_make_no_difference(size: int) -> None:
    tensors, marking = gates()
    marking[::5] = np.nan
    tensors["hidden"][:, 4] -= 3 * np.nan_to_num(marking)
    tensors["hidden"][:, 2] += np.nan_to_num(marking)
    tensors["reset"][:50] = np.nan
    markings = {"quotes": marking, "noise": np.random.default_rng(2).normal(size=T)}
    search = Search(T, dict.fromkeys(tensors, 6), list(markings))
    for at in range(0, T, size):
        rows = slice(at, at + size)
        search.add(
            {name: one[rows] for name, one in tensors.items()},
            {name: one[rows] for name, one in markings.items()},
        )
    [found], [expected] = search.following(), units_that_follow(tensors, markings)
    assert (found.tensor, found.unit) == (expected.tensor, expected.unit) == ("hidden", 4)
    assert found.found == pytest.approx(expected.found)
    assert found.confirmed == pytest.approx(expected.confirmed)
    ranked = search.ranked("quotes", 2)
    assert [(one.tensor, one.unit) for one in ranked[:2]] == [("hidden", 4), ("hidden", 2)]
    assert sorted(one.tensor for one in ranked) == ["hidden", "hidden", "reset", "reset"]


def test_the_best_of_every_tensor_with_both_halves_and_the_whole() -> None:
    tensors, marking = gates()
    tensors["reset"][:, 3] -= marking
    tensors["hidden"][:, 4] += 3 * marking
    search = Search(T, {"reset": 6, "hidden": 6}, ["other", "quotes"])
    search.add(tensors, {"quotes": marking, "other": np.ones(T)})
    ranked = search.ranked("quotes", 3)
    assert [abs(one.overall) for one in ranked] == sorted(
        (abs(one.overall) for one in ranked), reverse=True
    )
    for one in ranked:
        assert one.marking == "quotes"
        unit = tensors[one.tensor][:, one.unit]
        for figure, part in (
            (one.found, slice(0, T // 2)),
            (one.confirmed, slice(T // 2, T)),
            (one.overall, slice(0, T)),
        ):
            assert figure == pytest.approx(np.corrcoef(unit[part], marking[part])[0, 1])
    for tensor, values in tensors.items():
        r = np.abs([np.corrcoef(unit, marking)[0, 1] for unit in values.T])
        units = [one.unit for one in ranked if one.tensor == tensor]
        assert units == np.argsort(-r)[:3].tolist()
    assert (ranked[0].tensor, ranked[0].unit) == ("hidden", 4)


def test_steps_before_a_window_is_full_are_left_out() -> None:
    tensors, marking = gates()
    tensors["hidden"][:, 4] -= 3 * marking
    tensors["hidden"][:30] = np.nan
    [found] = units_that_follow(tensors, {"quotes": marking})
    half = slice(30, T // 2)
    expected = np.corrcoef(tensors["hidden"][half, 4], marking[half])[0, 1]
    assert found.unit == 4
    assert found.found == pytest.approx(expected)
