"""What a file of weights does not say, and the user has to."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CheckpointOptions:
    """Each field is an option of `import-checkpoint` with the same name.

    `head` says what follows the last GRU, see `head.py`. `normalize` is a JSON file with the
    scaling of inputs and outputs, see `normalize.py`. With `takes_tokens`, which is what a
    `--vocabulary` says, a table in front of the first GRU is an embedding whatever its name.
    `layers_order` lists GRU modules in the order of computation. `state_dict` chooses among several
    in one file (`.` takes all of them as one). Tensors whose name begins with one of `ignore` may
    be left over.
    """

    head: str | None = None
    normalize: Path | None = None
    takes_tokens: bool = False
    layers_order: tuple[str, ...] = ()
    state_dict: str | None = None
    ignore: tuple[str, ...] = ()
