"""The recipes in recipes/ are those that the commands and `make figures` read."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.figures.figure import FIGURES, RECIPES
from model_export.commands.train import train_group
from model_export.recipes.recipe import read_recipe_file
from model_export.recipes.registry import recipe_of

FILES = sorted(RECIPES.glob("*.toml"))


def test_every_recipe_is_a_figure_and_every_figure_has_a_recipe() -> None:
    assert FILES
    assert sorted(figure.file for figure in FIGURES) == FILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_recipe_says_only_what_its_task_knows(file: Path) -> None:
    recipe = recipe_of(read_recipe_file(file) | {"data": "anything"})
    assert recipe.name == file.stem
    assert recipe.device == "cpu", "anybody can repeat it"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_command_takes_it(file: Path, tmp_path: Path) -> None:
    """As far as the data, which is not there."""
    task = read_recipe_file(file)["task"]
    missing = tmp_path / "missing.csv"
    arguments = [task, "--recipe", str(file), "--data", str(missing), "--dry-run"]
    result = CliRunner().invoke(train_group, arguments)
    assert "missing.csv" in str(result.exception), result.output
