"""What can go wrong while a model is made, for reasons the user can act on.

    ModelExportError
    ├── DataError             the data cannot be read or used as it is
    ├── RecipeError           options or a recipe file that cannot be used
    ├── TrainingError         the options do not fit together, or the loss is not finite
    │   └── CheckpointError   nothing to resume, or a checkpoint of another run
    └── ModelRefused          a model cannot be read, followed or verified, and becomes no bundle

Every message is one line for the user; the command line prints it and exits with status 1.
"""


class ModelExportError(Exception):
    """The root: expected failures, shown without a traceback."""


class DataError(ModelExportError):
    """The data cannot be read or used as it is."""


class RecipeError(ModelExportError):
    """Options, or a recipe file, that cannot be used."""


class TrainingError(ModelExportError):
    """The options do not fit together, or training broke down."""


class CheckpointError(TrainingError):
    """There is no checkpoint to resume from, or it belongs to another run."""


class ModelRefused(ModelExportError):
    """A model cannot become a bundle: not read, not rewritten exactly, or not what was promised.

    The message names the file, and where it applies the layer, node or field and the way out.
    """


def one_line(error: Exception) -> str:
    """What a library says of a file, as part of a message of ours: one line, not too long."""
    return " ".join(str(error).split())[:300] or type(error).__name__
