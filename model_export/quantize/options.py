"""What a user may say about the rounding of a version."""

from dataclasses import dataclass

LARGEST_DEVIATION = 0.1
"""Of any output, state or gate from what it was, relative to max(1, |expected|)."""
LARGEST_SCORE_LOSS = 0.01
"""Of a score on held-out data, as a share of what it was."""


@dataclass(frozen=True, slots=True)
class Options:
    """Bounds, and where the held-out data lies if not where training found it.

    `unscored` leaves the held-out data out, where it cannot be had any more.
    """

    data: str | None = None
    unscored: bool = False
    largest_deviation: float = LARGEST_DEVIATION
    largest_score_loss: float = LARGEST_SCORE_LOSS
