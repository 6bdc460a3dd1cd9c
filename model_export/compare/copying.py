"""Copy memory: symbols at the beginning, a long silence, then the same symbols again."""

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from model_export.compare.problem import Batch, Part, Traits, drawn, refuse_length

SYMBOLS = 3
ALPHABET = 4
_BLANK, _GO = ALPHABET, ALPHABET + 1


class Copying:
    """`SYMBOLS` symbols, `length` − 1 blanks, the sign to go, and blanks while they are recalled.

    Inputs are one-hot, `ALPHABET` symbols, the blank and the sign. The last `SYMBOLS` steps answer
    with scores of the alphabet, so every symbol is recalled length + SYMBOLS steps after it was
    shown. Hochreiter & Schmidhuber (1997) and Arjovsky, Shah & Bengio (2016), who recall 10 symbols
    of 8 and count the blanks before them in the loss too.
    """

    def __init__(self, length: int) -> None:
        refuse_length("copy", length, 1)
        self.traits = Traits(
            name="copy",
            length=length,
            input_size=ALPHABET + 2,
            output_size=ALPHABET,
            error_name="share of symbols recalled wrong",
            solved_below=0.01,
            baselines={"guessing": 1 - 1 / ALPHABET},
        )

    def batch(self, size: int, generator: torch.Generator) -> Batch:
        length = self.traits.length
        symbols = torch.randint(ALPHABET, (SYMBOLS, size), generator=generator)
        silence = torch.full((length + SYMBOLS, size), _BLANK)
        silence[length - 1] = _GO
        inputs = one_hot(torch.cat([symbols, silence]), ALPHABET + 2).float()
        return Batch(inputs, symbols)

    def held_out(self, part: Part) -> Batch:
        return drawn(self.batch, part)

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        flat = cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none")
        return flat.view_as(targets) / math.log(ALPHABET)

    def error(self, outputs: Tensor, targets: Tensor) -> float:
        return (outputs.argmax(-1) != targets).float().mean().item()
