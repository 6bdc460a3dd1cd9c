"""The commands of `python -m model_export`, and how they fail."""

import click

from model_export.commands.compare import compare
from model_export.commands.demos import demos
from model_export.commands.import_checkpoint import import_checkpoint
from model_export.commands.import_keras import import_keras
from model_export.commands.import_onnx import import_onnx
from model_export.commands.quantize import quantize
from model_export.commands.train import train_command
from model_export.commands.verify import verify
from model_export.errors import ModelExportError


class _Group(click.Group):
    """Shows expected failures as one line on standard error, with exit status 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ModelExportError as error:
            raise click.ClickException(" ".join(str(error).split())) from error
        except MemoryError:
            raise click.ClickException("there is not enough memory for this model") from None


@click.group(cls=_Group, context_settings={"show_default": True})
def main() -> None:
    """Train GRU models, import those of others, and check them."""


main.add_command(train_command)
main.add_command(demos)
main.add_command(verify)
main.add_command(quantize)
main.add_command(import_onnx)
main.add_command(import_keras)
main.add_command(import_checkpoint)
main.add_command(compare)
