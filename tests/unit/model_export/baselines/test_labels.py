"""The next labels: by hand, against scikit-learn's loss, and never from the future."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from model_export.baselines import labels
from model_export.baselines.labels import label_models, nats_per_step, negative_log_likelihood

Roll = NDArray[np.floating]


def rolls(rng: np.random.Generator, *lengths: int, width: int = 4) -> list[Roll]:
    """Each label repeats label 0 of two steps before, or is noise; the last one is never on."""
    made = []
    for length in lengths:
        roll = (rng.random((length, width)) < 0.3) * 1.0
        for step in range(2, length):
            roll[step, 1] = roll[step - 2, 0]
        roll[:, -1] = 0
        made.append(roll)
    return made


def test_nats_are_summed_over_labels_and_averaged_over_steps(rng: np.random.Generator) -> None:
    truth = rolls(rng, 6, 9)
    probabilities = {len(roll): rng.random((len(roll) - 1, 4)) for roll in truth}
    together = np.concatenate([probabilities[len(roll)] for roll in truth])
    wanted = np.concatenate([roll[1:] for roll in truth])
    expected = sum(
        log_loss(wanted[:, label], together[:, label], labels=[0, 1]) for label in range(4)
    )
    found = nats_per_step(lambda roll: probabilities[len(roll)], truth)
    assert found == pytest.approx(expected)
    assert np.isnan(nats_per_step(lambda _: np.empty((0, 4)), [truth[0][:1]]))
    assert np.isfinite(negative_log_likelihood(np.zeros((1, 2)), np.ones((1, 2)))).all()


def test_marginal_and_repetition_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "_PRIORS", (2.0,))
    monkeypatch.setattr(labels, "_WINDOWS", (1,))
    training = [np.array([[1.0, 0], [1, 0], [0, 0], [1, 1]]), np.array([[0.0, 1], [1, 1]])]
    marginal, repetition, _ = label_models(training, [])
    pooled = (3 + 2 + 1) / (8 + 2)
    share = [(3 + pooled) / 5, (2 + pooled) / 5]
    np.testing.assert_allclose(marginal.predict(np.zeros((3, 2))), [share] * 2)
    # Label 0 is on twice in training before a step: then on and off. Label 1 once: then on.
    after_on, after_off = (2 + 1) / (3 + 2), (4 - 0 + 0) / (5 + 2)
    found = repetition.predict(np.array([[1.0, 0], [0, 1], [0, 0]]))
    assert found[0, 0] == pytest.approx((1 + 2 * after_on) / (2 + 2))
    assert found[1, 1] == pytest.approx((1 + 2 * after_on) / (1 + 2))
    assert found[1, 0] == pytest.approx((2 + 2 * after_off) / (2 + 2))
    assert found[0, 1] == pytest.approx((1 + 2 * after_off) / (3 + 2))
    assert repetition.description == "repetition with a prior of 2 steps"


def test_logistic_regression_sees_as_many_rows_as_help(rng: np.random.Generator) -> None:
    *_, regression = label_models(rolls(rng, 200, 150), rolls(rng, 100))
    assert regression.chosen.startswith("on 2 rows")
    test = rolls(rng, 100)[0]
    found = regression.predict(test)
    assert ((found[1:, 1] > 0.5) == (test[2:, 1] > 0)).all()
    assert (found[:, 3] < 0.01).all()
    assert (found > 0).all()


def test_a_label_is_regressed_as_scikit_learn_does(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    monkeypatch.setattr(labels, "_WINDOWS", (2,))
    monkeypatch.setattr(labels, "_INVERSE_PENALTIES", (0.5,))
    (training,) = rolls(rng, 120)
    *_, regression = label_models([training], [])
    padded = np.vstack([np.zeros((1, 4)), training])
    features = np.hstack([padded[1:-1], padded[:-2]])
    model = LogisticRegression(C=0.5).fit(features, training[1:, 0])
    expected = model.predict_proba(features)[:, 1]
    np.testing.assert_allclose(regression.predict(training)[:, 0], expected, atol=1e-3)


def test_no_prediction_depends_on_what_comes_later(rng: np.random.Generator) -> None:
    models = label_models(rolls(rng, 100, 80), rolls(rng, 50))
    (roll,) = rolls(rng, 30)
    changed = roll.copy()
    changed[12:] = 1 - changed[12:]
    for model in models:
        before, after = model.predict(roll), model.predict(changed)
        assert before.shape == (29, 4)
        np.testing.assert_allclose(before[:12], after[:12], rtol=1e-12)


def test_of_too_many_steps_a_random_part_is_seen(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    monkeypatch.setattr(labels, "_MOST_STEPS", 150)
    training, validation = rolls(rng, 300), rolls(rng, 100)
    first, again = (label_models(training, validation)[-1] for _ in range(2))
    np.testing.assert_array_equal(first.predict(training[0]), again.predict(training[0]))
    assert nats_per_step(first.predict, validation) < nats_per_step(
        label_models(training, validation)[0].predict, validation
    )


def test_rolls_of_one_row_or_none_have_nothing_to_predict(rng: np.random.Generator) -> None:
    models = label_models([*rolls(rng, 100), np.zeros((0, 4)), np.ones((1, 4))], rolls(rng, 50))
    for model in models:
        assert model.predict(np.ones((1, 4))).shape == (0, 4)
        assert model.predict(np.ones((0, 4))).shape == (0, 4)
