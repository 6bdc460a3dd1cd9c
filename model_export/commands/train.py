"""`python -m model_export train TASK`"""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from model_export.commands.making import make_model, repository_option, runs_option
from model_export.commands.recipe_options import recipe_options
from model_export.recipes.recipe import Recipe
from model_export.recipes.registry import RECIPES


@click.group(name="train")
def train_group() -> None:
    """Train a model, score it on held-out data and publish it.

    A model that does not beat the simple models of its task is published as with --candidate,
    unless --force is given.
    """


def _command_of(task: str, recipe: type[Recipe]) -> click.Command:
    def run(
        *,
        resume: bool,
        candidate: bool,
        force: bool,
        dry_run: bool,
        repository: Path,
        runs: Path,
        **options: object,
    ) -> None:
        if candidate and force:
            raise click.UsageError("--candidate and --force contradict each other")
        made = recipe.of(_given(options) | {"task": task})
        if dry_run:
            _say_what_is_read(made, repository)
            return
        make_model(
            made,
            runs=runs,
            repository=repository,
            resume=resume,
            candidate=candidate,
            force=force,
        )

    run.__doc__ = f"{recipe.__doc__}\n\nWithout --resume, training begins anew."
    command: Any = run
    for option in reversed([*recipe_options(recipe), *_how_to_run()]):
        command = option(command)
    return click.command(name=task)(command)


def _how_to_run() -> list[Any]:
    return [
        click.option("--resume", is_flag=True, help="Go on from the checkpoint in RUNS/NAME."),
        click.option("--dry-run", is_flag=True, help="Say what is read of the data, and stop."),
        click.option(
            "--candidate", is_flag=True, help="Publish it, but do not make it the default version."
        ),
        click.option(
            "--force",
            is_flag=True,
            help="Make it the default version even where a simple model does as well.",
        ),
        repository_option,
        runs_option,
    ]


def _given(options: dict[str, object]) -> dict[str, object]:
    """What the user or a recipe file said; the recipe knows the defaults."""
    context = click.get_current_context()
    return {
        key: value
        for key, value in options.items()
        if context.get_parameter_source(key) is not ParameterSource.DEFAULT
    }


def _say_what_is_read(recipe: Recipe, repository: Path) -> None:
    # polars and torch take a while to import: not for --help.
    from model_export.start import begun

    _, task, _ = begun(recipe, repository)
    for line in task.read:
        click.echo(line)
    click.echo(f"held out: {task.held_out}")


for _task, _recipe in RECIPES.items():
    train_group.add_command(_command_of(_task, _recipe))
