"""From probabilities to a token, at the ends of what a temperature can be."""

import numpy as np
import pytest

from service.bundle.signatures.sampling import Chooser, Sampling


def choices(likely: list[float], temperature: float, top_k: int | None = None) -> set[int]:
    """What comes of these probabilities, over some seeds."""
    drawn = np.array(likely, np.float32)
    with np.errstate(over="raise", invalid="raise"):
        return {int(Chooser(Sampling(seed, temperature, top_k))(drawn)) for seed in range(100)}


@pytest.mark.parametrize("temperature", [5e-324, 1e-308, 1e-300, 1e-100, 1e-9])
@pytest.mark.parametrize(
    ("likely", "most"),
    [
        ([0.2, 0.5, 0.3], {1}),
        ([0.0, 0.0, 1.0], {2}),
        ([1.0, 0.0], {0}),
        ([0.3, 0.0, 0.7, 0.0], {2}),
        ([0.4, 0.2, 0.4], {0, 2}),
        ([0.0, 0.5, 0.5, 0.0], {1, 2}),
        ([0.1] * 10, set(range(10))),
        ([1.4e-45, 0.0, 1.0], {2}),
        ([1.4e-45, 2.8e-45, 0.0], {1}),
        ([0.5, float(np.nextafter(np.float32(0.5), np.float32(1)))], {1}),
        ([float(np.nextafter(np.float32(1), np.float32(0))), 1.0], {1}),
    ],
)
def test_the_lowest_temperatures_take_one_of_the_most_likely(
    likely: list[float], most: set[int], temperature: float
) -> None:
    assert choices(likely, temperature) == most
    assert choices(likely, temperature, 1) == {min(most)} == choices(likely, 0.0)


def test_a_temperature_of_a_thousandth_still_draws() -> None:
    """exp(−0.0004 / 0.001) = 0.67 times as likely."""
    assert choices([0.5, 0.5002, 0.0], 1e-3) == {0, 1}
    assert choices([0.5, 0.6, 0.0], 1e-3) == {1}


def test_ordinary_draws_are_those_of_every_release() -> None:
    """A retry may be computed again after an update: the same seed must draw the same."""
    likely = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    choose = Chooser(Sampling(seed=7, temperature=0.8))
    assert [int(choose(likely)) for _ in range(20)] == [
        3,
        3,
        3,
        1,
        2,
        3,
        0,
        3,
        3,
        2,
        2,
        2,
        1,
        2,
        2,
        2,
        3,
        3,
        3,
        3,
    ]
