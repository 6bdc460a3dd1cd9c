"""`python -m model_export quantize`"""

from pathlib import Path

import click

from model_export.commands.making import say_published, valid_name
from model_export.errors import ModelRefused
from model_export.quantize.options import LARGEST_DEVIATION, LARGEST_SCORE_LOSS, Options

_SHARE = click.FloatRange(min=0, min_open=True)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--name", callback=valid_name, help="Publish it as this model.  [default: a new version of it]"
)
@click.option("--data", help="The file that the model was trained on, if it lies elsewhere now.")
@click.option(
    "--candidate", is_flag=True, help="Publish it, but do not make it the default version."
)
@click.option("--unscored", is_flag=True, help="Do without the scores on held-out data.")
@click.option(
    "--max-deviation",
    type=_SHARE,
    default=LARGEST_DEVIATION,
    help="Refuse where an output, state or gate moves further, relative to max(1, |expected|).",
)
@click.option(
    "--max-score-loss",
    type=_SHARE,
    default=LARGEST_SCORE_LOSS,
    help="Refuse where a score on held-out data gets worse by a larger share.",
)
def quantize(
    *,
    folder: Path,
    name: str | None,
    data: str | None,
    candidate: bool,
    unscored: bool,
    max_deviation: float,
    max_score_loss: float,
) -> None:
    """Publish the bundle in FOLDER (models/NAME/VERSION) with weights of 8 bits.

    Worth it for hidden sizes of 256 and more. What it costs is measured, and in the manifest.
    """
    from model_export.publish import publish
    from model_export.quantize.quantize import quantized_draft
    from service.bundle.folders import read_version
    from service.errors import GatewiseError

    options = Options(data, unscored, max_deviation, max_score_loss)
    folder = folder.resolve()
    try:
        source = read_version(folder)
        draft = quantized_draft(source, name or source.manifest.name, options)
        made = publish(draft, folder.parent.parent, candidate=candidate)
    except GatewiseError as error:
        raise ModelRefused(str(error)) from error
    quantization = draft.manifest.quantization
    assert quantization is not None
    click.echo(
        f"largest difference from PyTorch: outputs {quantization.output_difference:.2g}, "
        f"states {quantization.state_difference:.2g}"
    )
    say_published(made, candidate=candidate)
