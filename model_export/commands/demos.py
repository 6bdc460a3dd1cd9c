"""`python -m model_export demos`"""

import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from model_export.commands.making import make_model, repository_option, runs_option
from model_export.demos import DEMOS
from model_export.errors import CheckpointError, TrainingError
from model_export.recipes.recipe import Recipe


@click.command()
@repository_option
@runs_option
@click.argument("names", nargs=-1, type=click.Choice(sorted(DEMOS)))
def demos(names: tuple[str, ...], repository: Path, runs: Path) -> None:
    """Train the demo models (NAMES, or all) that the repository does not hold yet, side by side."""
    missing = []
    for name in names or DEMOS:
        if any((repository / name).glob("*/manifest.json")):
            click.echo(f"{repository / name} is there already")
        else:
            missing.append(name)
    if len(missing) == 1:
        _make(DEMOS[missing[0]], runs=runs, repository=repository)
    elif missing:
        _side_by_side(missing, runs=runs, repository=repository)


def _side_by_side(names: Iterable[str], *, runs: Path, repository: Path) -> None:
    """A process for each: training runs on one thread. Raises TrainingError where one fails."""

    def train(name: str) -> bool:
        where = ("--repository", str(repository), "--runs", str(runs))
        command = [sys.executable, "-m", "model_export", "demos", name, *where]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                click.echo(f"{name}: {line}", nl=False)
        return process.returncode == 0

    names = list(names)
    with ThreadPoolExecutor(len(names)) as threads:
        done = list(threads.map(train, names))
    failed = [name for name, is_good in zip(names, done, strict=True) if not is_good]
    if failed:
        raise TrainingError(f"training failed: {', '.join(failed)}")


def _make(recipe: Recipe, *, runs: Path, repository: Path) -> None:
    """Go on where an interrupted run stopped; begin anew where there is nothing to go on from.

    The demos are published whatever a machine's rounding makes of their scores.
    """
    from model_export.checkpoint import has_checkpoint

    click.echo(f"training {recipe.name}")
    try:
        resume = has_checkpoint(runs / recipe.name)
        make_model(recipe, runs=runs, repository=repository, resume=resume, force=True)
    except CheckpointError:
        make_model(recipe, runs=runs, repository=repository, resume=False, force=True)
