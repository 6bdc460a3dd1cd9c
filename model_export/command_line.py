"""The commands of `python -m model_export`, and how they fail."""

from functools import wraps

import click

from model_export.commands.compare import compare
from model_export.commands.demos import demos
from model_export.commands.import_checkpoint import import_checkpoint
from model_export.commands.import_keras import import_keras
from model_export.commands.import_onnx import import_onnx
from model_export.commands.quantize import quantize
from model_export.commands.train import train_group
from model_export.commands.verify import verify
from model_export.errors import ModelExportError
from model_export.needed import what_to_install


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


def _needing_all(command: click.Command) -> click.Command:
    """The command, which runs only where everything is installed; its help is there anyway."""
    if isinstance(command, click.Group):
        for one in command.commands.values():
            _needing_all(one)
        return command
    run = command.callback
    assert run is not None

    @wraps(run)
    def checked(*arguments: object, **options: object) -> object:
        if (line := what_to_install()) is not None:
            raise click.ClickException(line)
        return run(*arguments, **options)

    command.callback = checked
    return command


for _command in (
    train_group,
    demos,
    verify,
    quantize,
    import_onnx,
    import_keras,
    import_checkpoint,
    compare,
):
    main.add_command(_needing_all(_command))
