"""`python -m model_export verify`"""

from pathlib import Path
from typing import Literal

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="cpu",
    help="Where the graphs run while they are compared.",
)
def verify(folder: Path, device: Literal["auto", "cpu", "cuda"]) -> None:
    """Check the bundle in FOLDER again (models/NAME/VERSION) against the serving code."""
    from model_export.verify.verify import refusing
    from model_export.verify.verify import verify as run_checks
    from service.bundle.bundle import read_bundle
    from service.engine.provider import Provider

    with refusing():
        checks = run_checks(read_bundle(folder), Provider(device))
    worst = max(checks, key=lambda check: check.deviation)
    click.echo(f"{len(checks)} checks passed; worst: {worst.name}, off by {worst.deviation:.2g}")
