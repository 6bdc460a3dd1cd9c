"""Series that come with the libraries, or from a formula: nothing to download."""

from model_export.data.frame import Frame

NAMES = ("co2", "membrane", "mackey-glass")


def built_in(name: str) -> Frame:
    """The record `name` as if it were a file.

    co2: weekly CO₂ at Mauna Loa 1958-2001, ppm, 2,284 rows, 59 of them missing.
    membrane: membrane potential of a neuron, mV, 12,000 rows 0.5 ms apart.
    mackey-glass: a chaotic delay equation, 6,000 rows at unit spacing.
    """
    raise NotImplementedError
