"""Recipes: as options of the command, as files, as records; wrong values by the option's name."""

from pathlib import Path
from typing import Literal, get_args, get_origin

import annotated_types as bounds
import click
import pytest
from click.core import ParameterSource
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from model_export.command_line import main
from model_export.commands.recipe_options import recipe_options
from model_export.commands.train import train_group
from model_export.errors import RecipeError
from model_export.recipes.recipe import Recipe, read_recipe_file
from model_export.recipes.registry import RECIPES, recipe_of

WORDS = st.text("abc äß\"'\\=#[]\t", min_size=1, max_size=8)
NAMES = st.text("abc äß\"'\\=#[]", min_size=1, max_size=8).map(str.strip).filter(bool)
"""Of columns. A comma in one has no place on a command line, and one in a recipe file."""


def values_of(field: FieldInfo, kind: object) -> st.SearchStrategy[object]:
    """Anything that a field takes."""
    choices = [one for one in get_args(kind) if one is not type(None)]
    if get_origin(kind) is Literal:
        return st.sampled_from(choices)
    if get_origin(kind) is tuple:
        names = st.lists(NAMES, min_size=1, max_size=3, unique=True).map(tuple)
        return names if choices[0] is str else st.just(field.default)
    if choices:
        return values_of(field, choices[0])
    least = next((one.ge for one in field.metadata if isinstance(one, bounds.Ge)), 0)
    by_kind: dict[object, st.SearchStrategy[object]] = {
        bool: st.booleans(),
        str: WORDS,
        int: st.integers(int(str(least)), 10**6),
        float: st.floats(1e-6, 0.99),
    }
    return by_kind[kind]


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """Of any task, with some of its fields given."""
    kind = RECIPES[draw(st.sampled_from(list(RECIPES)))]
    values: dict[str, object] = {"data": draw(WORDS), "name": "x"}
    free = [key for key in kind.model_fields if key not in ("task", "data", "name", "horizon")]
    for key in draw(st.lists(st.sampled_from(free), unique=True)):
        values[key] = draw(values_of(kind.model_fields[key], kind.model_fields[key].annotation))
    return kind.of(values)


def parsed(task: str, *arguments: str) -> Recipe:
    """What the command makes of its arguments."""
    command = train_group.commands[task]
    with click.Context(command, info_name=task) as context:
        command.parse_args(context, list(arguments))
        values = {
            key: context.params[key]
            for key in RECIPES[task].model_fields.keys() - {"task"}
            if context.get_parameter_source(key) is not ParameterSource.DEFAULT
        }
    return RECIPES[task].of(values)


@settings(max_examples=60, derandomize=True)
@given(recipes())
def test_a_recipe_is_the_same_by_options_by_file_and_as_a_record(recipe: Recipe) -> None:
    assert recipe_of(recipe.to_dict()) == recipe
    options = []
    for key, value in recipe.to_dict().items():
        option = f"--{key.replace('_', '-')}"
        if isinstance(value, bool):
            options.append(option if value else option.replace("--", "--no-"))
        elif key != "task" and value not in (None, [""]):
            said = ",".join(map(str, value)) if isinstance(value, list) else value
            options.append(f"{option}={said}")
    assert parsed(recipe.task, *options) == recipe


@settings(max_examples=60, derandomize=True)
@given(recipe=recipes())
def test_a_recipe_file_gives_the_same_recipe(
    recipe: Recipe, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    file.write_text(recipe.to_toml(), "utf-8")
    # What TOML cannot say is left out and found from the data; a default that is none is said.
    unsaid = {key for key, value in recipe.to_dict().items() if value is None}
    expected = recipe.to_dict()
    for key, field in type(recipe).model_fields.items():
        name = field.alias or key
        if name in unsaid:
            expected[name] = field.default
    assert parsed(recipe.task, "--recipe", str(file)).to_dict() == expected
    assert {"task": recipe.task, **read_recipe_file(file)}["data"] == recipe.data


def test_what_is_given_beside_a_recipe_file_wins(tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text('data = "a.csv"\nhidden-size = 7\nlayers = 2\ntargets = ["u, v", ""]\n')
    recipe = parsed("forecast", "--recipe", str(file), "--name", "x", "--layers", "3")
    assert (recipe.hidden_size, recipe.layers) == (7, 3)
    assert recipe.to_dict()["targets"] == ["u, v", ""]


def train(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["train", *arguments])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hidden-size = ", "is not TOML"),
        ("width = 3", "has no option 'width' of this command"),
        ('task = "events"', "is a recipe of another task than forecast"),
        ("epochs = 0", "'--epochs': 0 is not in the range x>=1"),
        ('reset = "never"', "'--reset': 'never' is not one of"),
    ],
)
def test_a_recipe_file_that_cannot_be_used(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(text)
    result = train("forecast", "--recipe", str(file), "--data", "a.csv", "--name", "x")
    assert result.exit_code in (1, 2)
    assert message in " ".join(result.stderr.split())


def test_a_recipe_file_that_is_not_there() -> None:
    result = train("forecast", "--recipe", "nowhere.toml", "--data", "a.csv", "--name", "x")
    assert result.exit_code == 1
    assert "cannot read nowhere.toml: No such file" in result.stderr


@pytest.mark.parametrize(
    ("task", "arguments", "message"),
    [
        ("forecast", ["--quantiles", "0.1,0.9"], "Error: --quantiles: ascending, between 0 and 1"),
        ("forecast", ["--quantiles", "0.5,0.1"], "Error: --quantiles: ascending, between 0 and 1"),
        ("forecast", ["--quantiles", "0.5,1"], "Error: --quantiles: ascending, between 0 and 1"),
        (
            "forecast",
            ["--horizon", "2", "--inputs", "a"],
            "Error: a horizon of 2 needs the future of a",
        ),
        ("forecast", ["--split", "0.5,0.5"], "--split: "),
        ("forecast", ["--split", "a,b,c"], "'--split': 'a,b,c' is no list of numbers"),
        ("forecast", ["--missing", "zero"], "'--missing': 'zero' is not one of"),
        ("classify", ["--missing", "forecast"], "'--missing': 'forecast' is not one of"),
        ("events", ["--at", "0"], "'--at': 0 is not in the range x>=1"),
        ("multilabel", ["--dropout", "1"], "'--dropout': 1.0 is not in the range 0<=x<1"),
        ("characters", ["--decay", "0"], "'--decay': 0.0 is not in the range 0<x<=1"),
        ("characters", ["--seed", "one"], "'--seed': 'one' is not a valid integer"),
    ],
)
def test_a_wrong_value_is_named_by_its_option(
    task: str, arguments: list[str], message: str
) -> None:
    result = train(task, "--data", "a.csv", "--name", "x", *arguments)
    assert result.exit_code in (1, 2)
    assert message in " ".join(result.stderr.split())


@pytest.mark.parametrize("task", RECIPES)
def test_every_field_is_an_option_with_a_help(task: str) -> None:
    command = train_group.commands[task]
    options = {one.name: one for one in command.params if isinstance(one, click.Option)}
    for key in RECIPES[task].model_fields.keys() - {"task"}:
        assert options[key].help, key
    assert len(list(recipe_options(RECIPES[task]))) == len(RECIPES[task].model_fields)


def test_a_recipe_of_no_task_is_refused() -> None:
    with pytest.raises(RecipeError, match="no task 'poetry'; there are forecast, characters"):
        recipe_of({"task": "poetry"})
    with pytest.raises(RecipeError, match="--hidden-size: Input should be greater than or equal"):
        recipe_of({"task": "forecast", "data": "a", "name": "x", "hidden_size": 0})
    with pytest.raises(RecipeError, match="--width: Extra inputs are not permitted"):
        recipe_of({"task": "forecast", "data": "a", "name": "x", "width": 0})
