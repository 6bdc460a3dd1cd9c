"""What goes into a model and what comes out, by kind: `input` and `output` of a manifest.

One class for each kind. It knows how its numbers are read, shown and fed back, so that nobody else
asks of which kind a signature is.
"""

from typing import Annotated

from pydantic import Field

from service.bundle.signatures.classes import Classes
from service.bundle.signatures.labels import Labels
from service.bundle.signatures.probabilities import Probabilities
from service.bundle.signatures.quantiles import Quantiles
from service.bundle.signatures.tokens import Tokens
from service.bundle.signatures.values import Values

InputSignature = Annotated[Values | Tokens, Field(discriminator="kind")]
OutputSignature = Annotated[
    Values | Quantiles | Probabilities | Labels | Classes, Field(discriminator="kind")
]

__all__ = [
    "Classes",
    "InputSignature",
    "Labels",
    "OutputSignature",
    "Probabilities",
    "Quantiles",
    "Tokens",
    "Values",
]
