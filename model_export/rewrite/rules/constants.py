"""What comes from the file alone must be the same whatever the lengths of the inputs are.

A session's step graph runs with a time of one. A number that an operator computes from the length
of the sequence, such as the divisor of a mean, would be another one there, and a prefix on which
the two are compared may be too short to show it.
"""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from model_export.rewrite.axes import BATCH, TIME, Factor
from model_export.rewrite.facts import Fact, NeedsWhole, Source
from model_export.rewrite.rules.rule import Context

_SHAPED = frozenset(
    (
        *("CumSum", "Expand", "Flatten", "GRU", "Gather", "LSTM", "Pad", "RNN", "Reshape"),
        *("Slice", "Split", "Squeeze", "Tile", "Unsqueeze"),
    )
)
"""Operators whose further inputs are lengths, places or initial states: their rules see to them."""
_LENGTHS = ((1, 1), (1, 2), (64, 2), (2, 257), (1, 1025))


def refuse_lengths(node: ir.Node, facts: Sequence[Fact | None], context: Context) -> None:
    """Raises NeedsWhole where what a session computes meets a number that depends on a length."""
    if all(fact is None or fact.source is Source.STATIC for fact in facts):
        return
    known = 1 if node.op_type in _SHAPED or node.op_type.startswith("Reduce") else len(facts)
    for value, fact in zip(node.inputs[:known], facts, strict=False):
        if value is None or fact is None or fact.source > Source.STATIC:
            continue
        if value.producer() is not None and _depends(value, fact, context):
            raise NeedsWhole("uses a number that depends on how many steps or sequences there are")


def _depends(value: ir.Value, fact: Fact, context: Context) -> bool:
    if fact.value is not None:
        return any(getattr(one, "free_symbols", ()) for one in np.ravel(fact.value).tolist())
    first: NDArray[np.generic] | None = None
    for batch, time in _LENGTHS:
        numbers = np.asarray(context.evaluate(value, batch, time))
        found = _collapsed(numbers, fact, context, (batch, time))
        first = found if first is None else first
        if found is None or first is None or not _is_same(found, first):
            return True
    return False


def _collapsed(
    numbers: NDArray[np.generic], fact: Fact, context: Context, lengths: tuple[int, int]
) -> NDArray[np.generic] | None:
    """One step of one sequence; None where they differ."""
    sizes: dict[Factor, int] = dict(zip((BATCH, TIME), lengths, strict=True))
    sizes |= {BATCH: context.fixed.batch or sizes[BATCH], TIME: context.fixed.time or sizes[TIME]}
    factors = [factor for axis in fact.axes for factor in axis or (1,)]
    shape = [factor if isinstance(factor, int) else sizes[factor] for factor in factors]
    apart = numbers.reshape(shape)
    for at, factor in enumerate(factors):
        first = apart.take([0], axis=at)
        if not isinstance(factor, int):
            if not _is_same(apart, np.broadcast_to(first, apart.shape)):
                return None
            apart = first
    return apart


def _is_same(one: NDArray[np.generic], other: NDArray[np.generic]) -> bool:
    return one.shape == other.shape and one.tobytes() == other.tobytes()
