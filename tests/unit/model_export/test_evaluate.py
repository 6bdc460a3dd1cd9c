"""Streaming in chunks, and the table of scores."""

import pytest
import torch

from model_export import evaluate
from model_export.model.config import NetworkConfig, SoftmaxHead, TokensFront
from model_export.model.network import Network
from model_export.score_table import score_table
from service.bundle.manifest import Score


def test_chunks_carry_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(NetworkConfig(TokensFront(5, 3), SoftmaxHead(5), (4,), dropout=0.5))
    tokens = torch.randint(5, (2, 23))
    monkeypatch.setattr(evaluate, "CHUNK", 7)
    chunks = list(evaluate.stream(network, tokens))
    assert [chunk.shape[1] for chunk in chunks] == [7, 7, 7, 2]
    assert network.training
    whole, _ = network.eval()(tokens, network.initial_state(2))
    torch.testing.assert_close(torch.cat(chunks, 1), whole)


def test_the_table_shows_the_model_before_its_baselines() -> None:
    score = Score(metric="MAE", unit="ppm", model=0.25, baselines={"persistence": 1.5})
    assert score_table([score]).split() == [
        *("MAE", "[ppm]", "model", "0.25", "persistence", "1.5")
    ]


def test_the_table_shows_the_spread_of_seeds_and_which_way_is_up() -> None:
    score = Score(
        metric="recall@20",
        unit="",
        model=0.5,
        baselines={},
        better="higher",
        seeds=(0.5, 0.3),
    )
    assert "(seeds: 0.4 ± 0.14)   higher is better" in score_table([score])
