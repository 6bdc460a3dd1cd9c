"""Text as a sequence of characters."""

from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
from numpy.typing import NDArray

from model_export.data.source import Source, decode, digest, read_bytes

PYDOC = "pydoc"


@dataclass(frozen=True, slots=True)
class Text:
    """Characters as ids, `tokens` [N] int64; `vocabulary[id]` is the character.

    The vocabulary holds every character of the whole text, held-out part included: a served model
    must accept them all. Those that training never meets keep their untrained embedding.
    """

    tokens: NDArray[np.int64]
    vocabulary: tuple[str, ...]
    source: Source


def load_text(data: str) -> Text:
    """The UTF-8 file `data`, or the documentation inside Python itself for "pydoc".

    Raises DataError where the file cannot be read or is not UTF-8.
    """
    if data == PYDOC:
        text = "\n".join(topics[topic] for topic in sorted(topics))
        return _encode(text, Source("pydoc_data.topics, sorted and joined", digest(text.encode())))
    content = read_bytes(Path(data))
    return _encode(decode(content, data), Source(Path(data).name, digest(content)))


def _encode(text: str, source: Source) -> Text:
    vocabulary = tuple(sorted(set(text)))
    ids = {character: token for token, character in enumerate(vocabulary)}
    tokens = np.fromiter((ids[character] for character in text), np.int64, len(text))
    return Text(tokens, vocabulary, source)
