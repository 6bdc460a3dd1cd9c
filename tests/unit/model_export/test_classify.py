"""The task of classes: which part a sequence belongs to, which steps count, what is scored."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from model_export.data.labelled import LabelledSequences, Labelling
from model_export.data.source import Source
from model_export.errors import DataError
from model_export.model.network import Network
from model_export.recipes.classify import ClassifyRecipe
from model_export.tasks.classify import Classify

RECIPE = ClassifyRecipe(data="-", name="tiny", hidden_size=3, batch_size=4)


def sequences(count: int, *, labels: int = 2) -> LabelledSequences:
    """Of 3 to 7 steps of one number, the names n0, n1, …, labels in turn."""
    random = np.random.default_rng(0)
    names = tuple(f"n{index}" for index in range(count))
    return LabelledSequences(
        inputs=("x",),
        labelling=Labelling(names, tuple("abc"[:labels]), np.arange(count) % labels),
        sequences=tuple(random.normal(size=(random.integers(3, 8), 1)) for _ in range(count)),
        columns=(),
        source=Source("tiny", "0"),
    )


def names_of(task: Classify, part: int) -> set[str]:
    return {task._data.labelling.names[index] for index in task._parts[part]}


def test_a_sequence_keeps_its_part_when_more_come() -> None:
    """So that a model which goes on is not tested on what it has learnt."""
    before, after = (Classify(sequences(count), RECIPE) for count in (200, 400))
    for part in range(3):
        assert names_of(before, part) == {
            name for name in names_of(after, part) if int(name[1:]) < 200
        }
    sizes = [len(names_of(after, part)) / 400 for part in range(3)]
    assert sizes == pytest.approx([0.7, 0.15, 0.15], abs=0.05)


def test_numbers_of_sequences_of_each_label() -> None:
    task = Classify(sequences(30), RECIPE.model_copy(update={"split": (9.0, 3.0, 2.0)}))
    assert [len(names_of(task, part)) for part in range(3)] == [18, 6, 4]
    assert not names_of(task, 0) & names_of(task, 2)


def test_a_part_without_a_label_is_refused() -> None:
    with pytest.raises(DataError, match="label 'a' leave a part without any; give --split as"):
        Classify(sequences(6), RECIPE)


def test_a_label_of_fewer_sequences_than_parts_is_refused() -> None:
    with pytest.raises(DataError, match=r"2 sequences of label 'a', at least 3 are needed, one fo"):
        Classify(sequences(4), RECIPE)


def test_copies_in_other_parts_are_told() -> None:
    data = sequences(200)
    assert not any("copies" in line for line in Classify(data, RECIPE).read)
    parts = Classify(data, RECIPE)._parts
    copied = list(data.sequences)
    for part, count in ((1, 2), (2, 3)):
        for at in range(count):
            copied[parts[part][at]] = copied[parts[0][at]]
    again = Classify(replace(data, sequences=tuple(copied)), RECIPE)
    assert again.read[-1] == (
        "- exact copies of sequences of an earlier part: 2 in the validation part, 3 in the test "
        "part"
    )


def test_later_steps_count_more_and_padding_does_not() -> None:
    task = Classify(sequences(200), RECIPE)
    network = Network(task.config).eval()
    chosen = task._parts[0][:5].tolist()
    loss, _ = task.loss(network, task._batch(chosen), network.initial_state(5))
    loss, total, weight = loss.detach(), 0.0, 0.0
    for index in chosen:
        values = torch.from_numpy(task._data.sequences[index].astype(np.float32))[None]
        outputs = network(values, network.initial_state(1))[0].detach()
        for step, probabilities in enumerate(outputs[0], 1):
            share = step / values.shape[1]
            total -= share * float(probabilities[task._targets[index]].log2())
            weight += share
    assert float(loss) == pytest.approx(total / weight, rel=1e-5)


def test_the_validation_loss_is_that_of_training_and_the_score_is_of_the_last_step() -> None:
    task = Classify(sequences(1200), RECIPE)
    network = Network(task.config).eval()
    validation, test = (task._parts[part].tolist() for part in (1, 2))
    loss, _ = task.loss(network, task._batch(validation), network.initial_state(len(validation)))
    assert task.validation_loss(network) == pytest.approx(float(loss.detach()), rel=1e-5)
    right = 0
    for index in test:
        values = torch.from_numpy(task._data.sequences[index].astype(np.float32))[None]
        outputs, _ = network(values, network.initial_state(1))
        right += int(outputs[0, -1].argmax() == task._targets[index])
    scores = {score.metric: score for score in task.test_scores(network)}
    assert scores["accuracy"].model == pytest.approx(right / len(test))
    assert scores["accuracy"].better == "higher"
    assert not scores["log loss"].headline
