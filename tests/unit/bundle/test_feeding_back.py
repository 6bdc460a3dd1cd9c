"""Which outputs are inputs of the next step, and what is drawn of them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from service.bundle.signatures import (
    Classes,
    InputSignature,
    Labels,
    OutputSignature,
    Probabilities,
    Quantiles,
    Tokens,
    Values,
)
from service.bundle.signatures.feedback import NotFedBackError, feedback_of
from service.bundle.signatures.sampling import LabelChooser, Sampling

FLOW = Values(names=("flow", "rain", "holiday"), units=("m³/s", "mm", "1"))
AHEAD = FLOW.model_copy(update={"known_ahead": ("holiday", "rain")})
NOTES = Values(names=("C4", "E4"), units=("1", "1"))


def row(*numbers: float) -> NDArray[np.float32]:
    return np.array(numbers, np.float32)


def test_values_feed_the_inputs_of_their_names() -> None:
    given = Values(names=("holiday", "level", "flow", "rain"), units=("1", "m", "m³/s", "mm"))
    feed = feedback_of(FLOW, given)
    assert feed(row(1, 2, 3, 4), None).tolist() == [3, 4, 1]


def test_what_is_known_ahead_comes_from_the_caller() -> None:
    """Also where the model forecasts it."""
    given = Values(names=("flow", "rain"), units=("m³/s", "mm"))
    feed = feedback_of(AHEAD, given)
    assert feed(row(3, 99), row(1, 7)).tolist() == [3, 7, 1], "in the order of `known_ahead`"


def test_of_quantiles_the_median_is_fed_back() -> None:
    given = Quantiles(names=("rain", "flow"), units=("mm", "m³/s"), levels=(0.05, 0.25, 0.5, 0.95))
    feed = feedback_of(AHEAD, given)
    assert feed(row(1, 2, 3, 4, 5, 6, 7, 8), row(0, 0)).tolist() == [7, 0, 0]


def test_labels_feed_inputs_of_their_names_whatever_the_unit() -> None:
    feed = feedback_of(NOTES, Labels(names=("E4", "C4")))
    assert feed(row(1, 0), None).tolist() == [0, 1]


def test_tokens_feed_themselves() -> None:
    feed = feedback_of(Tokens(size=7), Probabilities(width=7))
    assert feed(np.array(3), None).tolist() == 3


@pytest.mark.parametrize(
    ("taken", "given", "named"),
    [
        (FLOW, Values(names=("flow",), units=("m³/s",)), r"feed rain \[mm\], holiday, and"),
        (FLOW, FLOW.model_copy(update={"units": ("l/s", "mm", "1")}), r"feed flow \[m³/s\]"),
        (Values(names=("flow",), units=("",)), Labels(names=("rain",)), "feed flow, and"),
        (AHEAD, Labels(names=("rain",)), r"feed flow \[m³/s\]"),
        (AHEAD, Quantiles(names=("rain",), units=("mm",), levels=(0.5,)), "flow"),
        (NOTES, Classes(names=("C4", "E4")), "probabilities of 2 classes"),
        (NOTES, Probabilities(width=2), "not the tokens that it takes"),
        (Tokens(size=3), Probabilities(width=4), "not the tokens that it takes"),
        (Tokens(size=3), Labels(names=("a", "b", "c")), "not the tokens that it takes"),
    ],
)
def test_inputs_that_nothing_feeds_are_named(
    taken: InputSignature, given: OutputSignature, named: str
) -> None:
    with pytest.raises(NotFedBackError, match=named):
        feedback_of(taken, given)


LIKELY = row(0.9, 0.5, 0.1, 0.0, 1.0)


def drawn(sampling: Sampling, times: int = 4000) -> NDArray[np.float64]:
    """How often each label was."""
    choose = LabelChooser(sampling)
    return np.asarray(np.mean([choose(LIKELY) for _ in range(times)], axis=0))


def test_labels_are_drawn_as_often_as_they_are_likely() -> None:
    # Three standard deviations of 4000 draws, and the seed is fixed.
    np.testing.assert_allclose(drawn(Sampling(1)), LIKELY, atol=0.024)


def test_a_temperature_divides_the_log_odds() -> None:
    powers, others = LIKELY**2, (1 - LIKELY) ** 2
    found = drawn(Sampling(1, temperature=0.5))
    np.testing.assert_allclose(found, powers / (powers + others), atol=0.024)


def test_the_coldest_labels_are_the_likely_ones() -> None:
    assert LabelChooser(Sampling(1, temperature=0.0))(LIKELY).tolist() == [1, 1, 0, 0, 1]
    cold = drawn(Sampling(1, temperature=1e-308), 50)
    assert cold[[0, 2, 3, 4]].tolist() == [1, 0, 0, 1]


def test_the_same_seed_draws_the_same_labels() -> None:
    choosers = [LabelChooser(Sampling(5)) for _ in range(2)]
    both = [[choose(LIKELY).tolist() for _ in range(20)] for choose in choosers]
    assert both[0] == both[1]
    assert len({tuple(one) for one in both[0]}) > 1


def test_what_is_said_of_a_step() -> None:
    labels = Labels(names=("C4", "E4", "G4"))
    assert labels.say(row(0.6, 0.4, 0.7), NOTES) == [
        {"label": "G4", "probability": np.float32(0.7)},
        {"label": "C4", "probability": np.float32(0.6)},
    ]
    classes = Classes(names=("calm", "storm"))
    assert classes.say(row(0.2, 0.8), NOTES) == {"class": "storm", "probability": np.float32(0.8)}
    items = Tokens(size=2, vocabulary=("tea", "milk"), token="item")
    said = Probabilities(width=2).say(row(0.3, 0.7), items)
    assert said[0] == {"token": 1, "item": "milk", "probability": np.float32(0.7)}
