"""Text as a sequence of characters."""

import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics
from unicodedata import category

import numpy as np
from numpy.typing import NDArray

from model_export.data.documents import documents
from model_export.data.source import ENCODED, Source, decode, digest, read_bytes
from model_export.errors import DataError

PYDOC = "pydoc"
STDLIB = "stdlib"
DOCUMENTS = "documents"
_DOCUMENTS_LENGTH = 500_000
_OTHERS = ENCODED | {
    b"PK\x03\x04": "a ZIP archive or an office document: save it as plain text (UTF-8)",
    b"\xd0\xcf\x11\xe0": "an old office document: save it as plain text (UTF-8)",
    b"%PDF-": "a PDF: save it as plain text (UTF-8)",
}
_PLAIN_CONTROLS = "\t\n\r"
_MARK = "\ufeff"
"""A byte order mark, which belongs in front of a text alone."""
_PACKAGES = ("asyncio", "email", "http", "json")


@dataclass(frozen=True, slots=True)
class Text:
    """Characters as ids, `tokens` [N] int64; `vocabulary[id]` is the character.

    The vocabulary holds every character of the whole text, held-out part included: a served model
    must accept them all. Those that training never meets keep their untrained embedding.
    `notes` say which of them nobody may have meant.
    """

    tokens: NDArray[np.int64]
    vocabulary: tuple[str, ...]
    source: Source
    notes: tuple[str, ...] = ()


def load_text(data: str, vocabulary: tuple[str, ...] | None = None) -> Text:
    """The UTF-8 file `data`, or built-in data: "documents", nested ones from a random grammar,
    "stdlib", the source of some of Python's packages, "pydoc", its documentation.

    With a `vocabulary` ids are those that characters have there. Raises DataError where the file
    cannot be read, is empty or not UTF-8, or has a character that the vocabulary lacks.
    """
    if data == PYDOC:
        text = "\n".join(topics[topic] for topic in sorted(topics))
        return _encode(
            text, Source("pydoc_data.topics, sorted and joined", digest(text.encode())), vocabulary
        )
    if data == DOCUMENTS:
        text = documents(_DOCUMENTS_LENGTH)
        description = "nested documents from a random grammar, computed"
        return _encode(text, Source(description, digest(text.encode())), vocabulary)
    if data == STDLIB:
        text = _source_code()
        description = f"the source of Python's {', '.join(_PACKAGES)}"
        return _encode(text, Source(description, digest(text.encode())), vocabulary)
    content = read_bytes(Path(data))
    for start, what in _OTHERS.items():
        if content.startswith(start):
            raise DataError(f"{data} is {what}")
    text = decode(content, data)
    if not text:
        raise DataError(f"{data} is empty")
    return _encode(text, Source(Path(data).name, digest(content)), vocabulary)


def _source_code() -> str:
    library = Path(sysconfig.get_paths()["stdlib"])
    files = [file for name in _PACKAGES for file in sorted((library / name).glob("*.py"))]
    return "\n".join(decode(read_bytes(file), str(file)) for file in files)


def _encode(text: str, source: Source, vocabulary: tuple[str, ...] | None) -> Text:
    vocabulary = vocabulary or tuple(sorted(set(text)))
    if missing := sorted(set(text) - set(vocabulary)):
        raise DataError(
            f"{source.description}, line {_line(text, missing[0])}: {missing[0]!r} is not "
            f"in the model's vocabulary ({len(missing)} such characters); take them out, or train "
            "a model anew, without --from"
        )
    ids = {character: token for token, character in enumerate(vocabulary)}
    tokens = np.fromiter((ids[character] for character in text), np.int64, len(text))
    return Text(tokens, vocabulary, source, tuple(_notes(text)))


def _notes(text: str) -> Iterator[str]:
    both = text.count("\r\n")
    ends = {r"\r\n": both, r"\n": text.count("\n") - both, r"\r": text.count("\r") - both}
    found = [f"{count} {end}" for end, count in ends.items() if count]
    if len(found) > 1:
        yield f"lines end in several ways, each of which is learnt: {', '.join(found)}"
    hidden = [one for one in sorted(set(text)) if _is_hidden(one)]
    if hidden:
        told = ", ".join(
            f"{one!r} ({text.count(one)}, first in line {_line(text, one)})" for one in hidden
        )
        yield f"characters that do not show are learnt as all others are: {told}"


def _is_hidden(character: str) -> bool:
    return character == _MARK or (category(character) == "Cc" and character not in _PLAIN_CONTROLS)


def _line(text: str, character: str) -> int:
    """Where it stands first."""
    return text.count("\n", 0, text.index(character)) + 1
