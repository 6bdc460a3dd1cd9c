"""Which outputs of a model are inputs of its next step: the one rule for all kinds.

Probabilities of tokens choose the next token. Other outputs feed the inputs of the same name and
unit. An input that no output feeds must be known ahead, and comes from the caller. What is known
ahead always comes from the caller, also where the model forecasts it.
"""

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.signatures.signature import FedColumn, Input, Output, with_units

Feedback = Callable[[NDArray[Any], NDArray[Any] | None], NDArray[Any]]
"""From what was shown of a step's output, [O] or a token [], and from what is known ahead of the
next step, [K], to that step's input, [F] or []."""


class NotFedBackError(Exception):
    """Inputs of a model have nothing to be fed from; the message names them."""


def feedback_of(taken: Input, given: Output) -> Feedback:
    """How a model's outputs are fed back. Raises NotFedBackError."""
    if taken.token_count != given.token_count:
        raise NotFedBackError("its outputs are not the tokens that it takes")
    if taken.token_count:
        return _token
    if not given.fed_columns:
        raise NotFedBackError(f"its outputs are {given.described}")
    return _columns_of(taken, given)


def _token(shown: NDArray[Any], _: NDArray[Any] | None) -> NDArray[Any]:
    return shown


@dataclass(frozen=True, slots=True)
class _Columns:
    """Inputs at `fed` are fed by the outputs at `columns`; those at `known` are known ahead."""

    width: int
    fed: list[int]
    columns: list[int]
    known: list[int]

    def __call__(self, shown: NDArray[Any], known: NDArray[Any] | None) -> NDArray[Any]:
        row = np.empty(self.width, np.float32)
        row[self.fed] = shown[self.columns]
        if known is not None:
            row[self.known] = known
        return row


def _columns_of(taken: Input, given: Output) -> Feedback:
    names = [name for name, _ in taken.columns]
    known = [names.index(name) for name, _ in (taken.ahead.columns if taken.ahead else ())]
    there: defaultdict[tuple[str, str | None], deque[FedColumn]] = defaultdict(deque)
    for one in given.fed_columns:
        there[one.name, one.unit].append(one)
    fed, columns, unfed = list[int](), list[int](), list[tuple[str, str]]()
    for place, (name, unit) in enumerate(taken.columns):
        found = there[name, unit] or there[name, None]
        if place in known:
            continue
        if found:
            fed.append(place)
            columns.append(found.popleft().column)
        else:
            unfed.append((name, unit))
    if unfed:
        raise NotFedBackError(
            f"no outputs of the same name and unit feed {with_units(*zip(*unfed, strict=True))}, "
            "and the model was not trained with these known ahead"
        )
    return _Columns(len(names), fed, columns, known)
