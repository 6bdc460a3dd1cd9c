"""What the commands that make a model have in common: train, show the scores, publish."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model_export.recipes.recipe import Recipe
from model_export.score_table import score_table
from model_export.verdict import why_not_better, wins

if TYPE_CHECKING:
    from model_export.trained import TrainedModel

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

repository_option = click.option(
    "--repository",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("models"),
    help="The folder that models are published to.",
)
runs_option = click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    help="The folder for checkpoints, RUNS/NAME/.",
)


def valid_name(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    """What a manifest takes for a name. Raises click.BadParameter."""
    if name is not None and not _NAME.fullmatch(name):
        raise click.BadParameter("letters, digits, '.', '_' and '-', at most 128, no '.' first")
    return name


def make_model(
    recipe: Recipe,
    *,
    runs: Path,
    repository: Path,
    resume: bool,
    candidate: bool = False,
    force: bool = False,
) -> None:
    """Trains by the recipe, shows the scores and publishes.

    As a candidate where that is asked for, or where a baseline does as well and `force` is not
    given: such a model must not serve new sessions by itself.
    """
    # torch takes seconds to import: not for --help.
    from model_export.checkpoint import has_checkpoint
    from model_export.package import publish_trained
    from model_export.train import train

    run = runs / recipe.name
    if not resume and any(map(has_checkpoint, (run, *run.glob("seed-*")))):
        click.echo(f"starting anew: the checkpoint in {run} is replaced")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        trained = train(
            recipe,
            runs,
            created_at=now,
            repository=repository,
            resume=resume,
            say=click.echo,
            progress=True,
        )
    except KeyboardInterrupt:
        click.echo(f"\ninterrupted; the same command with --resume goes on from {run}", err=True)
        raise
    click.echo(f"held out: {trained.provenance.held_out}")
    click.echo(score_table(trained.scores))
    if not wins(trained.scores):
        _say_what_it_loses_to(trained)
        candidate = candidate or not force
    folder = publish_trained(trained, repository, candidate=candidate)
    say_published(folder, candidate=candidate)


def _say_what_it_loses_to(trained: "TrainedModel") -> None:
    """Of a model that does not win: what does as well, and why, as far as the losses tell."""
    for score in trained.scores:
        rival = score.best_baseline
        if not score.headline or score.beats_baselines or rival is None:
            continue
        click.echo(
            f"warning: {rival} does as well or better: {score.metric} "
            f"{score.baselines[rival]:.4g}, this model {score.model:.4g}",
            err=True,
        )
    click.echo(f"why: {why_not_better(trained.curve)}", err=True)


def say_published(folder: Path, *, candidate: bool) -> None:
    """Where a version is, and what makes a candidate more than that."""
    click.echo(f"published {folder}{' as a candidate' if candidate else ''}")
    if candidate:
        click.echo(
            "new sessions get it when you say so: python -m service models default "
            f"{folder.parent.name} {folder.name} --repository {folder.parent.parent}"
        )
