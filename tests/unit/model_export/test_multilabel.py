"""The task of labels: what the network sees of a roll."""

from pathlib import Path

import numpy as np
import pytest

from model_export.model.config import ValuesFront
from model_export.recipes.multilabel import MultilabelRecipe
from model_export.tasks.multilabel import Multilabel


def task_of(roll: np.ndarray, folder: Path) -> Multilabel:
    """A roll [N, L] as all three parts, each of two sequences."""
    half = [len(roll) // 2, len(roll) - len(roll) // 2]
    arrays: dict[str, np.ndarray] = {}
    for part in ("train", "valid", "test"):
        arrays |= {part: roll, f"{part}_lengths": np.array(half)}
    np.savez(folder / "roll.npz", allow_pickle=False, **arrays)
    data = str(folder / "roll.npz")
    return Multilabel.load(MultilabelRecipe(name="labels", data=data, input_gain=2))


def test_labels_are_seen_in_units_of_their_common_spread_times_the_gain(tmp_path: Path) -> None:
    roll = (np.random.default_rng(0).random((50, 5)) < [0.02, 0.1, 0.1, 0.1, 0.4]).astype(float)
    front = task_of(roll, tmp_path).config.front
    assert isinstance(front, ValuesFront)
    share = roll.mean()
    assert front.scale == pytest.approx([np.sqrt(share * (1 - share)) / 2] * 5)
    assert front.mean == (0,) * 5, "labels that are off stay zero"


def test_copies_and_sequences_of_one_step_are_told(tmp_path: Path) -> None:
    read = task_of(np.eye(9)[:, :3], tmp_path).read
    assert read[3].endswith("earlier part: 2 in the validation part, 2 in the test part")
    assert task_of(np.eye(3), tmp_path).read[3] == "- sequences of one step left out: 3"


def test_labels_that_never_change_are_only_multiplied(tmp_path: Path) -> None:
    front = task_of(np.zeros((10, 3)), tmp_path).config.front
    assert isinstance(front, ValuesFront)
    assert front.scale == (0.5,) * 3
