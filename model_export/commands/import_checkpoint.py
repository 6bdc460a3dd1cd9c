"""`python -m model_export import-checkpoint`"""

from pathlib import Path
from typing import Unpack

import click

from model_export.commands.importing import Common, comma_list, import_options, run_import


@click.command(name="import-checkpoint")
@import_options
@click.option(
    "--head",
    help='What follows the last GRU, such as "last,linear,tanh,linear,sigmoid"; `last` takes the '
    "last step only. A file of weights does not say it.",
)
@click.option(
    "--normalize",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A JSON file with the scaling of inputs and outputs: mean and std, or min and max.",
)
@click.option("--layers-order", callback=comma_list, help="GRU modules in their order: a,b,…")
@click.option("--state-dict", help="Which of several models in the file; . takes all as one.")
@click.option("--ignore", multiple=True, help="A prefix of tensors to leave out. May be repeated.")
def import_checkpoint(
    *,
    head: str | None,
    normalize: Path | None,
    layers_order: tuple[str, ...],
    state_dict: str | None,
    ignore: tuple[str, ...],
    **common: Unpack[Common],
) -> None:
    """Import the PyTorch weights in FILE (.pt, .pth, .bin or .safetensors).

    Nothing in the file is executed. What it does not say is asked for.
    """
    from model_export.imports.checkpoint.checkpoint import read_checkpoint
    from model_export.imports.checkpoint.options import CheckpointOptions

    options = CheckpointOptions(
        head=head,
        normalize=normalize,
        takes_tokens=common["vocabulary"] is not None,
        layers_order=layers_order,
        state_dict=state_dict,
        ignore=ignore,
    )
    run_import(lambda: read_checkpoint(common["file"], options), common)
