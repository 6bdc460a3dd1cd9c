"""Numbers for every time step of an input that a unit may follow: open quotes, a column, …"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.signatures import InputSignature, Tokens, Values

Marking = NDArray[np.float64]
"""[T], NaN where there is none."""

_OF_THE_STEP = ("capital letters", "digits", "spaces")
"""Of text: each is seen in the character itself."""

_OPENING, _CLOSING = "([{", ")]}"
_BEHIND_A_QUOTE = _CLOSING + ".,:;!?"


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
    rows = []
    for character, quoted in zip(characters, _quoted(characters), strict=True):
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


def _quoted(characters: Sequence[str]) -> Iterator[bool]:
    """Whether a quote is open after each character.

    A text may begin within quotes. Most quotes tell by what is beside them whether they open or
    close; one that does not is the other end of the one before it.
    """
    opens = [_opens(characters, at) for at, one in enumerate(characters) if one == '"']
    unsure = next((at for at, one in enumerate(opens) if one is not None), len(opens))
    is_open = False if unsure == len(opens) else (not opens[unsure]) ^ (unsure % 2 == 1)
    told = iter(opens)
    for character in characters:
        if character == '"':
            tells = next(told)
            is_open = not is_open if tells is None else tells
        yield is_open


def _opens(characters: Sequence[str], at: int) -> bool | None:
    """Whether a quote opens or closes; None where what is beside it does not tell."""
    may_open = at == 0 or characters[at - 1].isspace() or characters[at - 1] in _OPENING
    behind = characters[at + 1 : at + 2]
    may_close = not behind or behind[0].isspace() or behind[0] in _BEHIND_A_QUOTE
    if may_open != may_close:
        return may_open
    # What begins with such a quote began within quotes.
    return False if at == 0 and behind else None
