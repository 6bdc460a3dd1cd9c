"""Units that follow a marking: by NumPy's own correlation, and by construction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.analysis.following import correlations, units_that_follow

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
