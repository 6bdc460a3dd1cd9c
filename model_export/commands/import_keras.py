"""`python -m model_export import-keras`"""

from typing import Unpack

import click

from model_export.commands.importing import Common, import_options, run_import


@click.command(name="import-keras")
@import_options
def import_keras(**common: Unpack[Common]) -> None:
    """Import the Keras model in FILE (.keras or .h5); neither Keras nor TensorFlow is needed.

    A file that fixes the number of time steps answers windows of that length, and so do its
    sessions; --session carry lets them run on.
    """
    from model_export.imports.keras.read import read_keras

    run_import(lambda: read_keras(common["file"]), common)
