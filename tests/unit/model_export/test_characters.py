"""The character task: batches, held-out part, scores."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from model_export.errors import DataError
from model_export.model.network import Network
from model_export.recipes.characters import CharactersRecipe
from model_export.tasks.characters import Characters
from model_export.tasks.task import Batch

RECIPE = CharactersRecipe(
    data="-", name="tiny", hidden_size=8, embedding=4, batch_size=3, time_steps=5
)


def task(folder: Path, length: int = 600) -> Characters:
    letters = np.random.default_rng(0).choice(list("abcd"), length)
    path = folder / "letters.txt"
    path.write_text("".join(letters))
    return Characters.load(RECIPE.model_copy(update={"data": str(path)}))


def test_targets_are_the_next_characters_and_rows_go_on(tmp_path: Path) -> None:
    characters = task(tmp_path)
    batches = list(characters.batches())
    assert len(batches) == characters.epoch_length > 10
    assert [batch.continues for batch in batches] == [False] + [True] * (len(batches) - 1)
    inputs = torch.cat([batch.input for batch in batches], 1)
    targets = torch.cat([batch.target for batch in batches], 1)
    assert torch.equal(inputs[:, 1:], targets[:, :-1])
    assert inputs.shape[0] == 3


def test_epochs_cut_their_windows_at_different_places(tmp_path: Path) -> None:
    characters = task(tmp_path)
    torch.manual_seed(0)
    starts = {tuple(next(characters.batches()).input[0].tolist()) for _ in range(20)}
    assert len(starts) == RECIPE.time_steps


def test_training_never_sees_the_validation_or_test_part(tmp_path: Path) -> None:
    characters = task(tmp_path)
    characters._tokens[characters.split.train :] = -1
    for _ in range(20):
        assert all((batch.target >= 0).all() for batch in characters.batches())


def test_a_network_that_knows_nothing_needs_log2_of_the_vocabulary(tmp_path: Path) -> None:
    characters = task(tmp_path)
    network = Network(characters.config)
    torch.nn.init.zeros_(network.head.weight)
    torch.nn.init.zeros_(network.head.bias)
    (score,) = characters.test_scores(network)
    assert score.model == pytest.approx(2.0)
    assert score.baselines["uniform"] == pytest.approx(2.0)
    assert characters.validation_loss(network) == pytest.approx(2.0)


def test_the_score_is_that_of_the_held_out_tail_read_in_one_go(tmp_path: Path) -> None:
    characters = task(tmp_path)
    network = Network(characters.config)
    (score,) = characters.test_scores(network)
    part = characters._tokens[characters.split.train :]
    with torch.no_grad():
        logits = network.eval().scored(part[None, :-1], network.initial_state(1)).scores
    tail = characters.split.total - characters.split.validation
    nats = torch.nn.functional.cross_entropy(logits[0, -tail:], part[-tail:])
    assert score.model == pytest.approx(nats.item() / math.log(2), rel=1e-5)
    assert characters.held_out == f"the last {tail} of 600 characters"


def test_the_loss_is_in_bits_and_hands_on_the_last_state(tmp_path: Path) -> None:
    characters = task(tmp_path)
    network = Network(characters.config)
    torch.nn.init.zeros_(network.head.weight)
    torch.nn.init.zeros_(network.head.bias)
    batch = Batch(torch.zeros(2, 3, dtype=torch.int64), torch.ones(2, 3, dtype=torch.int64))
    state = torch.rand(2, 8)
    uniform, after = characters.loss(network, batch, state)
    assert uniform.item() == pytest.approx(2.0)
    torch.testing.assert_close(after, network(batch.input, state)[1][:, -1])


def test_what_nobody_may_have_meant_is_told(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"to be\r\nor not to be\n" * 40)
    read = Characters.load(RECIPE.model_copy(update={"data": str(path)})).read
    assert read[1] == r"- lines end in several ways, each of which is learnt: 40 \r\n, 40 \n"


def test_too_short_a_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 150 characters, too few for batches of 3 × 5"):
        task(tmp_path, length=150)


def test_the_sample_begins_with_a_line(tmp_path: Path) -> None:
    """Whoever reads it need not guess what it is in the middle of."""
    text = "".join(f"line {number} of many\n" for number in range(2000))
    path = tmp_path / "lines.txt"
    path.write_text(text, "utf-8")
    loaded = Characters.load(RECIPE.model_copy(update={"data": str(path)}))
    (sample,) = loaded.samples.values()
    vocabulary = loaded.input.vocabulary
    assert vocabulary is not None
    shown = "".join(vocabulary[token] for token in sample)
    assert len(shown) == 2048
    held_out = text[loaded.split.validation :]
    assert held_out.startswith(shown) or held_out.partition("\n")[2].startswith(shown)
    assert shown.startswith("line ")
