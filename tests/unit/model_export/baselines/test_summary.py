"""The class of a sequence: its summary by hand, and problems that a summary solves."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from model_export.baselines.summary import (
    Labelled,
    accuracy,
    log_loss,
    sequence_models,
    summary,
)

NAN = np.nan


def test_a_summary_is_of_the_observed_values() -> None:
    sequence = np.array([[NAN, 1], [2, 4], [NAN, 7], [8, 10], [5, 13]])
    expected = [5, np.sqrt(6), 2, 8, 2, 5, 9 / 7, 2 / 5, 7, np.sqrt(18), 1, 13, 1, 13, 3, 0, 5]
    np.testing.assert_allclose(summary(sequence), expected)


@pytest.mark.filterwarnings("error")
def test_a_summary_of_nothing_or_one_value_is_no_fault() -> None:
    np.testing.assert_array_equal(summary(np.full((3, 1), NAN)), [NAN] * 7 + [1, 3])
    np.testing.assert_array_equal(summary(np.empty((0, 1))), [NAN] * 7 + [1, 0])
    np.testing.assert_array_equal(summary(np.array([[4.0]])), [4, 0, 4, 4, 4, 4, 0, 0, 1])


def made(rng: np.random.Generator, count: int, classes: int = 3) -> Labelled:
    """Class by the slope; lengths, levels and gaps are noise, and one input says nothing."""
    targets = np.arange(count) % classes
    sequences = []
    for target in targets:
        time = np.arange(rng.integers(8, 30))
        values = rng.normal() + (target - 1) * 0.3 * time + 0.3 * rng.normal(size=len(time))
        values[rng.random(len(time)) < 0.1] = NAN
        sequences.append(np.column_stack([values, np.full(len(time), NAN)]))
    return Labelled(sequences, targets)


def test_logistic_regression_of_summaries_tells_classes_by_their_slope(
    rng: np.random.Generator,
) -> None:
    test = made(rng, 60)
    majority, regression = sequence_models(made(rng, 120), made(rng, 60), 3)
    assert accuracy(majority.predict(test.sequences), test.targets) == pytest.approx(1 / 3)
    assert log_loss(majority.predict(test.sequences), test.targets) == pytest.approx(np.log(3))
    found = regression.predict(test.sequences)
    assert accuracy(found, test.targets) > 0.95
    assert log_loss(found, test.targets) < 0.2
    np.testing.assert_allclose(found.sum(1), 1)
    assert regression.description.startswith("logistic regression of summaries, C ")


def test_a_class_that_training_lacks_is_improbable_but_possible(rng: np.random.Generator) -> None:
    training, validation = (
        Labelled(one.sequences, one.targets + 1) for one in (made(rng, 30), made(rng, 9))
    )
    for model in sequence_models(training, validation, 4):
        found = model.predict(made(rng, 5).sequences)
        assert ((found[:, 0] > 0) & (found[:, 0] < 0.05)).all()
        np.testing.assert_allclose(found.sum(1), 1)


def test_of_a_single_class_there_is_majority_alone(rng: np.random.Generator) -> None:
    (majority,) = sequence_models(made(rng, 6, classes=1), made(rng, 2, classes=1), 2)
    np.testing.assert_allclose(majority.predict(made(rng, 2).sequences), [[7 / 8, 1 / 8]] * 2)


def probabilities(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    found: NDArray[np.float64] = rng.dirichlet(np.ones(4), count)
    return found


def test_log_loss_and_accuracy_are_those_of_scikit_learn(rng: np.random.Generator) -> None:
    found, targets = probabilities(rng, 50), rng.integers(0, 4, 50)
    assert log_loss(found, targets) == pytest.approx(
        metrics.log_loss(targets, found, labels=range(4))
    )
    assert accuracy(found, targets) == metrics.accuracy_score(targets, found.argmax(1))
    assert np.isnan(log_loss(found[:0], targets[:0]))
    assert np.isfinite(log_loss(np.array([[0.0, 1.0]]), np.array([0])))


def test_the_validation_sequences_choose_the_penalty(rng: np.random.Generator) -> None:
    """Labels at random: only a strong penalty keeps from fitting noise."""
    training = made(rng, 60)
    noise = Labelled(training.sequences, rng.integers(0, 3, 60))
    other = made(rng, 200)
    *_, weak = sequence_models(training, made(rng, 60), 3)
    *_, strong = sequence_models(noise, Labelled(other.sequences, rng.integers(0, 3, 200)), 3)
    assert float(strong.chosen.split()[-1]) < 0.1 < float(weak.chosen.split()[-1])
