"""Outputs fed back: values against the equations, tokens against what they were drawn from."""

import numpy as np
import pytest

from service.bundle.manifest import Values
from service.engine.models import Models
from service.errors import InvalidInput
from service.sessions.rollout import Plan, Sampling, check_feedback, roll, shape_of_rollout
from tests.bundles import served_models
from tests.oracle import Oracle, assert_agrees

ORACLES = {trained.name: Oracle(trained.network) for trained in served_models()}
SEEDED = Sampling(seed=5)


def tokens(models: Models, sampling: Sampling, steps: int = 200) -> list[int]:
    engine = models.latest("letters")
    plan = Plan(np.array([1, 2]), steps, False, sampling)
    found: list[int] = roll(engine, plan, engine.initial_states(1)[0]).result.outputs.tolist()
    return found


@pytest.mark.parametrize("model", ["weather", "weather-deep"])
def test_a_forecast_is_what_the_equations_make_of_their_own_outputs(
    models: Models, model: str
) -> None:
    engine, oracle = models.latest(model), ORACLES[model]
    begun = np.random.default_rng(0).normal((20, 1000, 0.5), (5, 10, 0.2), (3, 3))
    plan = Plan(begun.astype(np.float32), 5, True, SEEDED)
    state = engine.initial_states(1)[0]
    rolled = roll(engine, plan, state)
    trace = oracle.run(plan.inputs[np.newaxis], state[np.newaxis])
    outputs, updates = [trace.output[0, -1]], [trace.update[0]]
    for _ in range(4):
        trace = oracle.run(outputs[-1][np.newaxis, np.newaxis], trace.state)
        outputs.append(trace.output[0, 0])
        updates.append(trace.update[0])
    assert_agrees(rolled.result.outputs, np.array(outputs))
    assert rolled.result.gates is not None
    assert_agrees(rolled.result.gates.update, np.concatenate(updates))
    assert_agrees(rolled.state, trace.state[0])
    assert rolled.steps == 3 + 5 - 1


def test_the_same_seed_draws_the_same(models: Models) -> None:
    assert tokens(models, SEEDED) == tokens(models, SEEDED)
    assert tokens(models, SEEDED) != tokens(models, Sampling(seed=6))


def test_without_temperature_the_most_likely_is_taken(models: Models) -> None:
    engine = models.latest("letters")
    greedy = tokens(models, Sampling(seed=1, temperature=0.0), steps=20)
    inputs = np.array([[1, 2, *greedy[:-1]]])
    probabilities, _ = engine.sequence(inputs, engine.initial_states(1))
    assert greedy == probabilities[0, 1:].argmax(axis=1).tolist()
    assert greedy == tokens(models, Sampling(seed=2, temperature=3.0, top_k=1), steps=20)


def test_draws_follow_the_probabilities(models: Models) -> None:
    """The first token drawn with many seeds, against the model's own probabilities."""
    engine = models.latest("letters")
    probabilities = engine.sequence(np.array([[1, 2]]), engine.initial_states(1))[0][0, -1]
    drawn = [tokens(models, Sampling(seed), steps=1)[0] for seed in range(2000)]
    share = np.bincount(drawn, minlength=len(probabilities)) / len(drawn)
    assert abs(share - probabilities).max() < 0.04, "four deviations of 2000 draws"
    likely = set(np.argsort(-probabilities)[:3].tolist())
    few = [tokens(models, Sampling(seed, top_k=3), steps=1)[0] for seed in range(200)]
    assert set(few) == likely


def test_it_stops_behind_a_text_and_nowhere_else(models: Models) -> None:
    whole = tokens(models, SEEDED)
    end = tuple(whole[50:52])
    at = next(index for index in range(len(whole)) if tuple(whole[index : index + 2]) == end)
    assert tokens(models, Sampling(seed=5, stop=((99,), end))) == whole[: at + 2]


def test_what_is_kept_comes_back(models: Models) -> None:
    engine = models.latest("letters-deep")
    plan = Plan(np.array([1, 2, 3]), 7, True, SEEDED)
    rolled = roll(engine, plan, engine.initial_states(1)[0])
    shape = shape_of_rollout(engine.manifest, plan)
    content = shape.pack(rolled.result)
    assert len(content) == shape.size(7)
    found = shape.unpack(content)
    assert found.outputs.tolist() == rolled.result.outputs.tolist()
    assert found.gates is not None and rolled.result.gates is not None
    assert found.gates.reset.shape == (9, engine.manifest.state_size)
    assert found.gates.hidden.tobytes() == rolled.result.gates.hidden.tobytes()


def test_a_model_that_cannot_hear_itself(models: Models) -> None:
    manifest = models.latest("weather").manifest
    other = Values(names=("a", "b", "c"), units=("1", "1", "1"))
    with pytest.raises(InvalidInput, match="are not inputs that it takes"):
        check_feedback(manifest.model_copy(update={"output": other}))
