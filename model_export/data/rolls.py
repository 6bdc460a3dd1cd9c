"""Piano rolls, or any sequences of many labels at once, divided into three parts by their maker."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_export.data.source import Source

Roll = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Rolls:
    """Each part is a tuple of [T, L] float32, 1 where a label holds, else 0."""

    names: tuple[str, ...]
    train: tuple[Roll, ...]
    validation: tuple[Roll, ...]
    test: tuple[Roll, ...]
    source: Source


def load_rolls(data: str) -> Rolls:
    """A `.mat` file with the cell arrays traindata, validdata and testdata of [T, L] each, or
    a `.npz` file with train, valid and test [N, L], all sequences of the part one behind the other,
    and train_lengths, valid_lengths and test_lengths.

    88 labels are the keys of a piano, A0 to C8; others are named "label 0" and so on. Raises
    DataError for other contents, and for values other than 0 and 1.
    """
    raise NotImplementedError
