"""What lies in the test part has no say in training, in any task."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model_export.model.network import Network
from model_export.recipes.forecast import ForecastRecipe
from model_export.recipes.registry import RECIPES
from model_export.tasks.classify import Classify
from model_export.tasks.forecast import Forecast
from model_export.tasks.registry import load_task
from model_export.tasks.task import Batch, Task
from tests.unit.model_export.small_data import (
    changed,
    small_recipe,
    table_of,
    write_data,
)

OTHERS: dict[str, Callable[[str], str]] = {
    "characters": {"a": "b", "b": "c", "c": "a"}.__getitem__,
    "forecast": lambda cell: f"{3 * float(cell) + 100:.3f}",
    "events": lambda item: f"item {(int(item[5:]) + 1) % 6}",
    "multilabel": lambda cell: str(1 - int(cell)),
}
"""What becomes of a cell of the test part."""


def learnt_from(task: Task) -> list[Batch]:
    torch.manual_seed(0)
    return [batch for _ in range(3) for batch in task.batches()]


def assert_learns_alike(first: Task, second: Task) -> None:
    """The same network, of the same normalisation, from the same batches, validated alike."""
    assert first.config == second.config
    assert (first.input, first.output) == (second.input, second.output)
    for one, other in zip(learnt_from(first), learnt_from(second), strict=True):
        assert torch.equal(one.input.nan_to_num(-1), other.input.nan_to_num(-1))
        assert torch.equal(one.target.nan_to_num(-1), other.target.nan_to_num(-1))
    torch.manual_seed(0)
    network = Network(first.config)
    assert first.validation_loss(network) == second.validation_loss(network)
    scores = first.test_scores(network), second.test_scores(network)
    assert scores[0] != scores[1], "the test parts are to differ"


def test_other_outliers_in_the_test_part(tmp_path: Path) -> None:
    """Without its say 10.3 is far from all others, with the say of the second one it is not."""
    recipe = small_recipe("forecast", tmp_path / "a", outliers="missing", missing="last")
    other = write_data("forecast", tmp_path / "b", test=lambda cell: f"{20 * float(cell):.3f}")
    for file in (Path(recipe.data), other):
        lines = file.read_text("utf-8").splitlines()
        lines[5] = "10.3,0.1"
        file.write_text("\n".join(lines), "utf-8")
    first, second = (load_task(changed(recipe, data=str(file))) for file in (recipe.data, other))
    assert first.config == second.config
    assert "outliers: 1," in "\n".join(first.read)
    for one, also in zip(learnt_from(first), learnt_from(second), strict=True):
        assert torch.equal(one.input.nan_to_num(-1), also.input.nan_to_num(-1))


@pytest.mark.parametrize("name", OTHERS)
def test_other_data_in_the_test_part(name: str, tmp_path: Path) -> None:
    recipe = small_recipe(name, tmp_path / "a")
    other = write_data(name, tmp_path / "b", test=OTHERS[name])
    assert other.read_bytes() != Path(recipe.data).read_bytes()
    assert_learns_alike(load_task(recipe), load_task(changed(recipe, data=str(other))))


def test_other_numbers_in_the_test_part_of_labelled_sequences(tmp_path: Path) -> None:
    """Of the sequences whose rows no batch and no validation ever has."""
    recipe = small_recipe("classify", tmp_path)
    task = load_task(recipe)
    assert isinstance(task, Classify)
    lines = Path(recipe.data).read_text("utf-8").splitlines()
    tested = {str(index) for index in task._parts[2]}
    assert len(tested) == 4
    for at, line in enumerate(lines[1:], 1):
        series, a, b, label = line.split(",")
        if series in tested:
            lines[at] = f"{series},{float(b) + 50:.3f},{float(a) - 50:.3f},{label}"
    other = tmp_path / "other.csv"
    other.write_text("\n".join(lines), "utf-8")
    assert_learns_alike(task, load_task(changed(recipe, data=str(other))))


def test_every_task_is_looked_at() -> None:
    assert {*OTHERS, "classify"} == RECIPES.keys()


def forecasts(*values: NDArray[np.float64], **options: object) -> Forecast:
    """Of series of which the second begins 45 days later."""
    recipe = ForecastRecipe(data="-", name="x", hidden_size=4, batch_size=3, time_steps=12)
    table = table_of(*values, starts=("2020-01-01", "2020-02-15"), known=1)
    return Forecast(table, recipe.model_copy(update=options))


@pytest.mark.parametrize(
    "options",
    [
        {"horizon": 4},
        {"horizon": 3, "missing": "last"},
        {"missing": "forecast", "quantiles": (0.1, 0.5, 0.9)},
    ],
)
def test_forecasts_of_several_series(options: dict[str, object]) -> None:
    """Cut at common times; with a horizon, missing values and quantiles."""
    random = np.random.default_rng(0)
    first, second = random.normal(size=(120, 2)), random.normal(size=(70, 2))
    if "missing" in options:
        first[::9, 0] = np.nan
    task = forecasts(first, second, **options)
    ends = [one.split.validation for one in task._parts]
    assert ends[0] != 102, "the second has a say in it"
    others = [one.copy() for one in (first, second)]
    for one, end in zip(others, ends, strict=True):
        one[end:] = 5 * one[end:] - 1000
    assert_learns_alike(task, forecasts(*others, **options))
