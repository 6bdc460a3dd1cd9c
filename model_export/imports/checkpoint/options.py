"""What a file of weights does not say, and the user has to."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CheckpointOptions:
    """Each field is an option of `import-checkpoint` with the same name.

    `head` says what follows the last GRU, see `head.py`. `normalize` is a JSON file with the
    scaling of inputs and outputs, see `normalize.py`; `vocabulary` one with the texts of tokens,
    see `vocabulary.py`. `names` and `units` are those of the input columns, `output_names` and
    `output_units` those of the output columns. `layers_order` lists GRU modules in the order of
    computation. `state_dict` chooses among several in one file (`.` takes all of them as one).
    Tensors whose name begins with one of `ignore` may be left over.
    """

    head: str | None = None
    normalize: Path | None = None
    vocabulary: Path | None = None
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    output_units: tuple[str, ...] = ()
    layers_order: tuple[str, ...] = ()
    state_dict: str | None = None
    ignore: tuple[str, ...] = ()
