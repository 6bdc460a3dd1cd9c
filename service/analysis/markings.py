"""Numbers for every time step of an input that a unit may follow: open quotes, a column, …"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.signatures import InputSignature, Tokens, Values

Marking = NDArray[np.float64]
"""[T], NaN where there is none."""

_OF_THE_STEP = ("capital letters", "digits", "spaces")
"""Of text: each is seen in the character itself."""

_OPENING, _CLOSING = "([{", ")]}"
_BEFORE_OPENING, _BEHIND_CLOSING = _OPENING + ",:=", _CLOSING + ",:;.?!"


def markings_of(signature: InputSignature, inputs: NDArray[Any]) -> dict[str, Marking]:
    """By what they are called, those of a sequence [T, F] or [T].

    Of characters, what has been read up to and with each of them; of values, every column and how
    it has changed since the step before. None for items.
    """
    if isinstance(signature, Values):
        return _of_values(signature.names, inputs.astype(np.float64))
    if not isinstance(signature, Tokens) or signature.token != "character":
        return {}
    if signature.vocabulary is None:
        return {}
    return _of_text([signature.vocabulary[token] for token in inputs.tolist()])


def is_remembered(signature: InputSignature, marking: str) -> bool:
    """Whether a model must remember something to know a marking of `markings_of`: an open quote is
    one, a digit is seen in the step's own input."""
    if isinstance(signature, Values):
        return marking not in signature.names
    return marking not in _OF_THE_STEP


def _of_values(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, Marking]:
    found = {}
    for name, column in zip(names, values.T, strict=True):
        found[name] = column
        found[f"change of {name}"] = np.diff(column, prepend=np.nan)
    return found


def _of_text(characters: Sequence[str]) -> dict[str, Marking]:
    depth, position, indentation, in_indentation, word = 0, 0, 0, True, 0
    quoted = _begins_inside_quotes(characters)
    rows = []
    for character in characters:
        if character == '"':
            quoted = not quoted
        depth = max(0, depth + (character in _OPENING) - (character in _CLOSING))
        if character == "\n":
            position, indentation, in_indentation = 0, 0, True
        else:
            in_indentation = in_indentation and character == " "
            indentation += in_indentation
            position += 1
        word = word + 1 if character.isalnum() else 0
        rows.append((quoted, depth, indentation, position, position == 1, word))
    names = (
        "open quotes",
        "open brackets",
        "indentation",
        "position in the line",
        "line begins",
        "position in the word",
    )
    columns = np.array(rows, np.float64).reshape(len(rows), len(names))
    found = dict(zip(names, columns.T, strict=True))
    for name, holds in zip(_OF_THE_STEP, (str.isupper, str.isdigit, str.isspace), strict=True):
        found[name] = np.array([holds(character) for character in characters], np.float64)
    return found


def _begins_inside_quotes(characters: Sequence[str]) -> bool:
    """Whether the first quote closes: something stands before it, or nothing that is known, and
    what follows is no word. A text may have been cut anywhere."""
    first = next((at for at, one in enumerate(characters) if one == '"'), None)
    if first is None:
        return False
    before, after = characters[max(0, first - 1) : first], characters[first + 1 : first + 2]
    opens = bool(before) and (before[0].isspace() or before[0] in _BEFORE_OPENING)
    return not opens and bool(after) and (after[0].isspace() or after[0] in _BEHIND_CLOSING)
