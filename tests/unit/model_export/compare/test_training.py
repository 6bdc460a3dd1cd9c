"""Training one network: it learns, stops when it has solved the problem, and keeps the best."""

import pytest
import torch

from model_export.compare.adding import Adding
from model_export.compare.cells import Recurrent
from model_export.compare.series import Series
from model_export.compare.training import EVALUATE_EVERY, held_out_error, train


def network(inputs: int = 2) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent("gru_before", inputs, 8, 1, 1.0)


def test_it_stops_when_solved_and_keeps_the_best_weights() -> None:
    problem, trained = Adding(2), network()
    result = train(trained, problem, learning_rate=0.02, steps=2000, batch_size=32, seed=0)
    assert result.solved_at is not None
    steps, errors = zip(*result.curve, strict=True)
    assert steps[-1] == result.solved_at + EVALUATE_EVERY < 2000
    below = problem.traits.solved_below
    assert below is not None
    assert max(errors[-2:]) < below < min(errors[:-2])
    assert held_out_error(trained, problem, "validation") == pytest.approx(min(errors))
    assert held_out_error(trained, problem, "test") < 2 * below
    assert result.step_seconds > 0
    assert not result.diverged


def test_a_series_is_trained_to_the_last_step() -> None:
    problem = Series(8)
    trained = network(inputs=1)
    result = train(trained, problem, learning_rate=0.01, steps=60, batch_size=16, seed=0)
    assert [step for step, _ in result.curve] == [50, 60]
    assert result.solved_at is None
    assert held_out_error(trained, problem, "test") < problem.traits.baselines["the last value"]


def test_the_same_seed_gives_the_same_curve() -> None:
    curves = [
        train(network(), Adding(5), learning_rate=0.01, steps=3, batch_size=4, seed=seed).curve
        for seed in (1, 1, 2)
    ]
    assert curves[0] == curves[1] != curves[2]


def test_a_loss_that_is_not_finite_ends_training() -> None:
    trained = network()
    before = {name: weight.clone() for name, weight in trained.state_dict().items()}
    result = train(trained, Adding(5), learning_rate=1e36, steps=60, batch_size=4, seed=0)
    assert result.diverged
    assert result.curve == ()
    assert all(torch.equal(before[name], now) for name, now in trained.state_dict().items())
