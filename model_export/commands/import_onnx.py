"""`python -m model_export import-onnx`"""

from pathlib import Path
from typing import Unpack

import click

from model_export.commands.importing import Common, import_options, run_import


def _pairs(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = dict(value.partition("=")[::2] for value in values)
    if not all(pairs.values()):
        raise click.BadParameter("expected OUTPUT=INPUT")
    return pairs


@click.command(name="import-onnx")
@import_options
@click.option("--input", "input_name", help="The input that comes step by step.")
@click.option("--time-axis", type=click.IntRange(min=0), help="Of that input.")
@click.option(
    "--state",
    "states",
    multiple=True,
    callback=_pairs,
    help="OUTPUT=INPUT: an output that is fed back to an input. May be repeated.",
)
@click.option(
    "--reference",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="An .npz with inputs and outputs by their names, as the module itself computed them: the "
    "file is refused where it computes something else.",
)
def import_onnx(
    *,
    input_name: str | None,
    time_axis: int | None,
    states: dict[str, str],
    reference: Path | None,
    **common: Unpack[Common],
) -> None:
    """Import the ONNX model in FILE: its GRU nodes get sessions and gates.

    What mixes time steps is carried from step to step, or the model is served as whole sequences
    only; the summary says which. Everything is compared with the file on every prefix of several
    sequences before it is published.
    """
    from model_export.imports.onnx.file import read_onnx
    from model_export.imports.onnx.reference import check_reference
    from model_export.original import Original
    from model_export.rewrite.roles import Hints

    def read() -> Original:
        original = read_onnx(common["file"])
        if reference is not None:
            check_reference(original, reference)
        return original

    hints = Hints(input_name, common["output"], time_axis, states)
    run_import(read, common, hints)
