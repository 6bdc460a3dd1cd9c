"""Scaling and tokens: what callers send and get."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from model_export.imports.checkpoint.checkpoint import read_checkpoint
from model_export.imports.checkpoint.normalize import read_scaling
from model_export.imports.checkpoint.options import CheckpointOptions
from tests.unit.model_export.imports.checkpoint.conftest import Refusal, Save
from tests.unit.model_export.imports.checkpoint.models import BY_NAME
from tests.unit.model_export.imports.checkpoint.test_models import assert_same

STANDARD = {"mean": [20.0, -3.0, 400.0], "std": [4.0, 0.5, 25.0]}
KIND = BY_NAME["last step"]


def written(folder: Path, content: object, name: str = "file.json") -> Path:
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


class Scaled(torch.nn.Module):
    """The model between two affine maps, as a training script applies them."""

    def __init__(self, model: torch.nn.Module, scaling: dict[str, Any]) -> None:
        super().__init__()
        self._model = model
        self._scaling = scaling

    def forward(self, x: Tensor) -> Tensor:
        if "input" in self._scaling:
            mean, std = (torch.tensor(self._scaling["input"][k]).to(x) for k in ("mean", "std"))
            x = (x - mean) / std
        y: Tensor = self._model(x)
        if "output" not in self._scaling:
            return y
        low, high = self._scaling["output"].get("range", [0, 1])
        least, most = (torch.tensor(self._scaling["output"][k]).to(y) for k in ("min", "max"))
        back: Tensor = (y - low) / (high - low) * (most - least) + least
        return back


@pytest.mark.parametrize(
    "scaling",
    [
        {"input": STANDARD},
        {"output": {"min": [10.0, 0.0], "max": [350.0, 0.5]}},
        {"input": STANDARD, "output": {"min": 10.0, "max": 350.0, "range": [-1, 1]}},
    ],
)
def test_scaled_outside_of_the_model(scaling: dict[str, Any], tmp_path: Path, save: Save) -> None:
    model = KIND.make()
    file = written(tmp_path, scaling)
    original = read_checkpoint(save(model.state_dict()), CheckpointOptions(KIND.head, file))
    x = torch.randn(2, 4, 3) * torch.tensor(STANDARD["std"]) + torch.tensor(STANDARD["mean"])
    assert_same(original, Scaled(model, scaling), x)


numbers = st.floats(-1e6, 1e6, width=32)


@given(st.lists(st.tuples(numbers, st.floats(1e-3, 1e6)), min_size=1, max_size=4), st.booleans())
def test_the_inverse_is_one(
    tmp_path_factory: pytest.TempPathFactory, columns: list[tuple[float, float]], minmax: bool
) -> None:
    first, second = (list(values) for values in zip(*columns, strict=True))
    fields = (
        {"min": first, "max": [a + b for a, b in columns], "range": [-1, 1]}
        if minmax
        else {"mean": first, "std": second}
    )
    file = written(tmp_path_factory.mktemp("scaling"), {"input": fields, "output": fields})
    there, back = read_scaling(file, len(columns), len(columns))
    assert there is not None and back is not None
    assert np.array_equal(there.centre, back.centre) and np.array_equal(there.spread, back.spread)
    assert (there.low, there.inverse, back.inverse) == (back.low, False, True)
    if minmax:
        # The ends of the range, as MinMaxScaler defines them.
        assert np.allclose((np.array(first) - there.centre) / there.spread + there.low, -1)
        assert np.allclose((np.array(fields["max"]) - there.centre) / there.spread + there.low, 1)


def test_a_constant_column_is_only_shifted(tmp_path: Path) -> None:
    """As MinMaxScaler does."""
    file = written(tmp_path, {"input": {"min": [3, 0], "max": [3, 2]}})
    scaling, _ = read_scaling(file, 2, 1)
    assert scaling is not None
    assert scaling.spread.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "cannot be read as JSON"),
        ([], 'expected an object with "input" and "output"'),
        ({}, "found nothing"),
        ({"inputs": STANDARD}, "found inputs"),
        ({"input": {"mean": [1]}}, "input needs"),
        ({"input": {**STANDARD, "max": 1}}, "input needs"),
        (
            {"input": {"mean": [1, 2], "std": [1, 1, 1]}},
            "input.mean has 2 numbers, and there are 3",
        ),
        ({"input": {"mean": 0, "std": [1, 0, 1]}}, "column 1: std has to be above 0"),
        ({"input": {"min": [0, 0, 5], "max": [1, 1, 4]}}, "column 2: max is below min"),
        ({"input": {"min": 0, "max": 1, "range": [1, 0]}}, "the lower one first"),
        ({"input": {"mean": "0", "std": 1}}, "input.mean needs a number"),
        ({"input": {"mean": [True, 1, 1], "std": 1}}, "input.mean needs a number"),
        ({"input": {"mean": [], "std": 1}}, "input.mean has 0 numbers"),
        ('{"input": {"mean": NaN, "std": 1}}', "input.mean holds a number that is not finite"),
        ({"input": {"mean": 10**400, "std": 1}}, "not finite in float32"),
        ({"output": {"mean": [1, 1, 1], "std": 1}}, "output.mean has 3 numbers, and there are 2"),
    ],
)
def test_scaling_that_does_not_fit(
    content: object, expected: str, tmp_path: Path, refusal: Refusal
) -> None:
    file = written(tmp_path, content)
    message = refusal(KIND.make().state_dict(), head=KIND.head, normalize=file)
    assert expected in message
    assert str(file) in message


def test_tokens_are_not_scaled(tmp_path: Path, refusal: Refusal) -> None:
    file = written(tmp_path, {"input": {"mean": 0, "std": 1}})
    state = BY_NAME["embedding"].make().state_dict()
    assert "tokens, which are not scaled" in refusal(state, head="linear", normalize=file)


TEXTS = ["<pad>", *"abcdefgh", "\n", " "]


def test_a_vocabulary_without_an_embedding(refusal: Refusal) -> None:
    state = KIND.make().state_dict()
    assert "no embedding in front" in refusal(state, head=KIND.head, takes_tokens=True)


def test_a_vocabulary_makes_an_embedding_of_any_name(save: Save) -> None:
    kind = BY_NAME["embedding by head"]
    options = CheckpointOptions(head="last,linear,log_softmax", takes_tokens=True)
    model = kind.make()
    assert_same(read_checkpoint(save(model.state_dict()), options), model, kind.inputs(2, 3))
