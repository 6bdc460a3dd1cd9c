"""Text as a sequence of characters."""

import sysconfig
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
from numpy.typing import NDArray

from model_export.data.documents import documents
from model_export.data.source import Source, decode, digest, read_bytes
from model_export.errors import DataError

PYDOC = "pydoc"
STDLIB = "stdlib"
DOCUMENTS = "documents"
_DOCUMENTS_LENGTH = 500_000
_PACKAGES = ("asyncio", "email", "http", "json")


@dataclass(frozen=True, slots=True)
class Text:
    """Characters as ids, `tokens` [N] int64; `vocabulary[id]` is the character.

    The vocabulary holds every character of the whole text, held-out part included: a served model
    must accept them all. Those that training never meets keep their untrained embedding.
    """

    tokens: NDArray[np.int64]
    vocabulary: tuple[str, ...]
    source: Source


def load_text(data: str, vocabulary: tuple[str, ...] | None = None) -> Text:
    """The UTF-8 file `data`, or built-in data: "documents", nested ones from a random grammar,
    "stdlib", the source of some of Python's packages, "pydoc", its documentation.

    With a `vocabulary` ids are those that characters have there. Raises DataError where the file
    cannot be read, is not UTF-8, or has a character that the vocabulary lacks.
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
    return _encode(decode(content, data), Source(Path(data).name, digest(content)), vocabulary)


def _source_code() -> str:
    library = Path(sysconfig.get_paths()["stdlib"])
    files = [file for name in _PACKAGES for file in sorted((library / name).glob("*.py"))]
    return "\n".join(decode(read_bytes(file), str(file)) for file in files)


def _encode(text: str, source: Source, vocabulary: tuple[str, ...] | None) -> Text:
    vocabulary = vocabulary or tuple(sorted(set(text)))
    if missing := sorted(set(text) - set(vocabulary)):
        place = text.index(missing[0])
        line = text.count("\n", 0, place) + 1
        raise DataError(
            f"{source.description}, line {line}: {missing[0]!r} is not "
            f"in the model's vocabulary ({len(missing)} such characters); take them out, or train "
            "a model anew, without --from"
        )
    ids = {character: token for token, character in enumerate(vocabulary)}
    tokens = np.fromiter((ids[character] for character in text), np.int64, len(text))
    return Text(tokens, vocabulary, source)
