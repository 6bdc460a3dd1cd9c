"""The task of labels: what the network sees of a roll."""

from pathlib import Path

import numpy as np
import pytest

from model_export.model.config import ValuesFront
from model_export.recipes.multilabel import MultilabelRecipe
from model_export.tasks.multilabel import Multilabel


def task_of(roll: np.ndarray, folder: Path, **options: object) -> Multilabel:
    """A roll [N, L] as all three parts, each of two sequences."""
    half = [len(roll) // 2, len(roll) - len(roll) // 2]
    np.savez(
        folder / "roll.npz",
        train=roll,
        valid=roll,
        test=roll,
        train_lengths=half,
        valid_lengths=half,
        test_lengths=half,
    )
    data = str(folder / "roll.npz")
    return Multilabel.load(MultilabelRecipe.of({"name": "labels", "data": data, **options}))


def test_labels_are_seen_in_units_of_their_common_spread_times_the_gain(tmp_path: Path) -> None:
    roll = (np.random.default_rng(0).random((50, 5)) < [0.02, 0.1, 0.1, 0.1, 0.4]).astype(float)
    front = task_of(roll, tmp_path, input_gain=2).config.front
    assert isinstance(front, ValuesFront)
    share = roll.mean()
    assert front.scale == pytest.approx([np.sqrt(share * (1 - share)) / 2] * 5)
    assert front.mean == (0,) * 5, "labels that are off stay zero"


def test_labels_that_never_change_are_only_multiplied(tmp_path: Path) -> None:
    front = task_of(np.zeros((10, 3)), tmp_path, input_gain=2).config.front
    assert isinstance(front, ValuesFront)
    assert front.scale == (0.5,) * 3
