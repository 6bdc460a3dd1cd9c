"""What the problems ask, and what counts as an answer."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model_export.baselines.windows import last_observed
from model_export.compare.adding import Adding
from model_export.compare.copying import ALPHABET, SYMBOLS, Copying
from model_export.compare.problem import ProblemName
from model_export.compare.problems import problem_of
from model_export.compare.series import SEASON, Series, baseline_errors, weekly_co2
from model_export.errors import TrainingError

LENGTHS = st.integers(2, 40)
SEEDS = st.integers(0, 2**32)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(LENGTHS, SEEDS)
def test_the_answer_of_adding_is_the_sum_of_the_two_marked(length: int, seed: int) -> None:
    inputs, targets = Adding(length).batch(5, generator(seed))
    assert inputs.shape == (length, 5, 2)
    assert targets.shape == (1, 5)
    for sequence, target in zip(inputs.unbind(1), targets[0], strict=True):
        marked = [step for step in range(length) if sequence[step, 1] == 1]
        assert sequence[:, 1].sum() == len(marked) == 2
        assert marked[0] < length // 2 <= marked[1]
        assert target.item() == pytest.approx(sum(sequence[step, 0].item() for step in marked))


def test_the_mean_has_the_error_that_is_named() -> None:
    problem = Adding(10)
    targets = problem.held_out("test").targets
    error = problem.error(torch.ones(1, targets.shape[1], 1), targets)
    assert error == pytest.approx(problem.traits.baselines["always the mean"], rel=0.1)


@given(st.integers(1, 40), SEEDS)
def test_copy_recalls_what_was_shown_first(length: int, seed: int) -> None:
    inputs, targets = Copying(length).batch(5, generator(seed))
    signs = inputs.argmax(-1)
    assert torch.equal(inputs.sum(-1), torch.ones(length + 2 * SYMBOLS, 5))
    assert torch.equal(targets, signs[:SYMBOLS])
    assert (targets < ALPHABET).all()
    go = length + SYMBOLS - 1
    assert (signs[go] == ALPHABET + 1).all()
    others = [step for step in range(SYMBOLS, len(signs)) if step != go]
    assert (signs[others] == ALPHABET).all()


def test_copy_counts_wrong_symbols() -> None:
    problem = Copying(3)
    targets = torch.tensor([[0, 1], [2, 3], [1, 1]])
    scores = 20 * torch.nn.functional.one_hot(targets, ALPHABET).float()
    assert problem.error(scores, targets) == 0
    assert problem.losses(scores, targets).max() < 1e-6
    scores[0, 0] = scores[0, 1]
    assert problem.error(scores, targets) == pytest.approx(1 / 6)


@pytest.mark.parametrize("name", ["adding", "copy", "co2"])
def test_held_out_sequences_are_the_same_for_everybody(name: ProblemName) -> None:
    first, second = problem_of(name, 4).held_out("test"), problem_of(name, 4).held_out("test")
    assert torch.equal(first.inputs, second.inputs)
    validation = problem_of(name, 4).held_out("validation")
    assert first.inputs.shape != validation.inputs.shape


def test_training_sees_the_training_part_of_the_series_only() -> None:
    series = Series(20)
    start, _ = series.span("validation")
    allowed = series.changes[:start]
    inputs, targets = series.batch(2000, generator(0))
    scale = allowed.std()
    known = {round(change, 3) for change in allowed.tolist()}
    seen = torch.cat([inputs.flatten(), targets[~targets.isnan()]]) * scale
    assert {round(change, 3) for change in seen.tolist()} <= known
    # An answer is the change after the step that gives it.
    follows = inputs[11:, :, 0]
    matches = targets[:-1].isnan() | (targets[:-1] == follows)
    assert matches.all()


def test_held_out_answers_are_the_changes_of_their_part() -> None:
    series = Series(4)
    for part in ("validation", "test"):
        inputs, targets = series.held_out(part)
        start, end = series.span(part)
        assert len(targets) == end - start
        scale = series.changes[: series.span("validation")[0]].std()
        known = ~targets[:, 0].isnan()
        torch.testing.assert_close((targets[:, 0] * scale)[known], series.changes[start:end][known])
        assert len(inputs) == end - 1


def test_missing_weeks_are_no_answers() -> None:
    series = Series(4)
    outputs = torch.tensor([[[1.0]], [[5.0]]], requires_grad=True)
    targets = torch.tensor([[0.0], [math.nan]])
    losses = series.losses(outputs, targets)
    assert losses.tolist() == [[1.0], [0.0]]
    (gradient,) = torch.autograd.grad(losses.sum(), outputs)
    assert gradient.flatten().tolist() == [2.0, 0.0]
    alone = series.error(outputs[:1].detach(), targets[:1])
    assert series.error(outputs.detach(), targets) == pytest.approx(alone)


def test_baselines_of_the_series() -> None:
    values = weekly_co2()
    start = len(values) - 30
    past = last_observed(values, values[0])
    last, season = [], []
    for week in range(start, len(values)):
        if not np.isnan(values[week]):
            last.append(values[week] - past[week - 1])
            change = past[week - SEASON] - past[week - SEASON - 1]
            season.append(values[week] - past[week - 1] - change)
    expected = [math.sqrt(np.mean(np.square(errors))) for errors in (last, season)]
    assert list(baseline_errors(values, start).values()) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "length"), [("adding", 1), ("copy", 0), ("co2", 1), ("co2", 9999)]
)
def test_a_length_that_cannot_be_is_refused(name: ProblemName, length: int) -> None:
    with pytest.raises(TrainingError, match=rf"--lengths: {name} takes .* not {length}$"):
        problem_of(name, length)
