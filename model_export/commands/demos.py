"""`python -m model_export demos`"""

from pathlib import Path

import click

from model_export.commands.making import make_model, repository_option, runs_option
from model_export.demos import DEMOS
from model_export.errors import CheckpointError
from model_export.recipes.recipe import Recipe


@click.command()
@repository_option
@runs_option
@click.argument("names", nargs=-1, type=click.Choice(sorted(DEMOS)))
def demos(names: tuple[str, ...], repository: Path, runs: Path) -> None:
    """Train the demo models (NAMES, or all) that the repository does not hold yet."""
    for name in names or DEMOS:
        if any((repository / name).glob("*/manifest.json")):
            click.echo(f"{repository / name} is there already")
            continue
        click.echo(f"training {name}")
        _make(DEMOS[name], runs=runs, repository=repository)


def _make(recipe: Recipe, *, runs: Path, repository: Path) -> None:
    """Go on where an interrupted run stopped; begin anew where there is nothing to go on from."""
    try:
        make_model(recipe, runs=runs, repository=repository, resume=True)
    except CheckpointError:
        make_model(recipe, runs=runs, repository=repository, resume=False)
