"""`python -m model_export train`"""

from pathlib import Path
from typing import TypedDict, Unpack

import click

from model_export.commands.making import make_model, repository_option, runs_option, valid_name
from model_export.recipe import TaskName, recipe_for

_COUNT = click.IntRange(min=1)
_POSITIVE = click.FloatRange(min=0, min_open=True)


def _comma_list(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(part.strip() for part in value.split(","))


class _Hyperparameters(TypedDict):
    """The options below by name; None means the task's default."""

    reset: str | None
    hidden_size: int | None
    layers: int | None
    embedding: int | None
    dropout: float | None
    epochs: int | None
    patience: int | None
    learning_rate: float | None
    decay: float | None
    batch_size: int | None
    time_steps: int | None
    seed: int | None
    columns: tuple[str, ...] | None
    units: tuple[str, ...] | None
    season: int | None
    fill: str | None
    level_shift: float | None


@click.command(name="train")
@click.option(
    "--task",
    type=click.Choice(["characters", "forecast"]),
    required=True,
    help="characters: the next character of a text. forecast: the next row of a table.",
)
@click.option(
    "--data",
    required=True,
    help="A UTF-8 text or CSV file, or built-in data: pydoc (text) or co2 (table).",
)
@click.option("--name", required=True, callback=valid_name, help="What the model is served as.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in RUNS/NAME, exactly.")
@click.option(
    "--candidate", is_flag=True, help="Publish it, but do not make it the default version."
)
@click.option(
    "--force",
    is_flag=True,
    help="Make it the default version even where a baseline does as well.",
)
@repository_option
@runs_option
@click.option("--reset", type=click.Choice(["before", "after"]), help="[default: before]")
@click.option("--hidden-size", type=_COUNT, help="Width of each layer.")
@click.option("--layers", type=_COUNT, help="Stacked GRU layers.")
@click.option("--embedding", type=_COUNT, help="characters: width of a character's vector.")
@click.option("--dropout", type=click.FloatRange(0, 1, max_open=True), help="After each layer.")
@click.option("--epochs", type=_COUNT, help="At most so many; early stopping may end sooner.")
@click.option("--patience", type=_COUNT, help="Epochs to wait for a better validation loss.")
@click.option("--learning-rate", type=_POSITIVE, help="Of Adam, in the first epoch.")
@click.option("--decay", type=_POSITIVE, help="Factor on the learning rate after each epoch.")
@click.option("--batch-size", type=_COUNT, help="Windows in a batch.")
@click.option("--time-steps", type=_COUNT, help="Steps that gradients go back in time.")
@click.option("--seed", type=click.IntRange(min=0), help="[default: 0]")
@click.option("--columns", callback=_comma_list, help="forecast: a,b,… [default: all numbers]")
@click.option("--unit", "units", callback=_comma_list, help="forecast: one for all, or a,b,…")
@click.option("--season", type=_COUNT, help="forecast: rows in a season [default: estimated]")
@click.option(
    "--fill",
    type=click.Choice(["interpolate"]),
    help="forecast: draw a line through missing values, which are refused otherwise.",
)
@click.option(
    "--level-shift",
    type=click.FloatRange(min=0),
    help="forecast: move training windows up and down by so many standard deviations at most "
    "[default: from the trend]",
)
def train_command(
    *,
    task: TaskName,
    data: str,
    name: str,
    resume: bool,
    candidate: bool,
    force: bool,
    repository: Path,
    runs: Path,
    **options: Unpack[_Hyperparameters],
) -> None:
    """Train a model, score it on held-out data and publish it.

    Without --resume, training begins anew and replaces the checkpoint in RUNS/NAME. A model that
    does not beat its baselines is published as with --candidate, unless --force is given.
    """
    if candidate and force:
        raise click.UsageError("--candidate and --force contradict each other")
    recipe = recipe_for(task, data, name, **options)
    make_model(
        recipe,
        runs=runs,
        repository=repository,
        resume=resume,
        candidate=candidate,
        force=force,
    )
