"""The task of events: what counts in a batch, and that `(other)` is never right."""

import numpy as np
import pytest
import torch

from model_export.data.events import OTHER, EventLog
from model_export.data.source import Source
from model_export.model.network import Network
from model_export.recipes.events import EventsRecipe
from model_export.tasks.events import Events

RECIPE = EventsRecipe(data="-", name="tiny", hidden_size=4, embedding=3, batch_size=8, at=2)
ITEMS = ("a", "b", "c", OTHER)


def task_of(count: int = 200) -> Events:
    random = np.random.default_rng(0)
    sessions = tuple(random.integers(0, 4, random.integers(2, 7)) for _ in range(count))
    return Events(EventLog(ITEMS, sessions, None, (), Source("tiny", "0"), ()), RECIPE)


def test_the_loss_is_the_mean_over_all_events_but_the_first_of_a_session() -> None:
    task = task_of()
    network = Network(task.config).eval()
    torch.manual_seed(0)
    batch = next(iter(task.batches()))
    assert batch.counts is not None
    loss, _ = task.loss(network, batch, network.initial_state(len(batch.input)))
    bits = []
    for row, lasts, targets in zip(batch.input, batch.counts, batch.target, strict=True):
        steps = int(lasts.sum())
        outputs = network(row[None, :steps], network.initial_state(1))[0].detach()
        bits += [-float(outputs[0, step, targets[step]].log2()) for step in range(steps)]
    assert float(loss.detach()) == pytest.approx(np.mean(bits), rel=1e-5)


def test_an_epoch_has_every_session_of_the_training_part_once() -> None:
    task = task_of()
    batches = list(task.batches())
    assert len(batches) == task.epoch_length == 20
    seen = sum(len(batch.input) for batch in batches)
    assert seen == task.split.train == 160


def test_the_rarest_items_are_never_right() -> None:
    task = task_of()
    network = Network(task.config).eval()
    torch.nn.init.zeros_(network.head.weight)
    network.head.bias.data = torch.tensor([1.0, 0.0, -1.0, 9.0])
    recall, reciprocal = task.test_scores(network)
    following = np.concatenate([one[1:] for one in task._log.sessions[task.split.validation :]])
    shares = [(following == item).mean() for item in range(2)]
    assert recall.metric == "recall@2"
    assert recall.model == pytest.approx(sum(shares)), "the likeliest, (other), takes no place"
    assert reciprocal.model == pytest.approx(shares[0] + shares[1] / 2)
    assert recall.better == "higher"
