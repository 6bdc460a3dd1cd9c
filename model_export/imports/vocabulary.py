"""The texts of a model's tokens, from the file of `--vocabulary`."""

import json
from pathlib import Path
from typing import Any

from model_export.errors import ModelRefused


def read_vocabulary(file: Path, size: int) -> tuple[str, ...]:
    """`size` different texts, token id 0 first.

    A `.json` file holds a list of texts, or an object from text to id; any other file has one
    token on each line. Raises ModelRefused naming the entry that does not fit.
    """
    try:
        text = file.read_text(encoding="utf-8")
        # Only the newline separates tokens: others, such as \x0b, are characters of a text.
        lines = text.removesuffix("\n").replace("\r\n", "\n").split("\n")
        content = json.loads(text) if file.suffix == ".json" else lines
    except (OSError, ValueError, RecursionError) as error:
        raise ModelRefused(f"--vocabulary {file} cannot be read: {error}") from error
    tokens = _by_id(file, content) if isinstance(content, dict) else content
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise ModelRefused(f"--vocabulary {file}: expected a list of texts")
    if len(tokens) != size:
        raise ModelRefused(
            f"--vocabulary {file} has {len(tokens)} tokens; the embedding has {size} rows"
        )
    seen: dict[str, int] = {}
    for token, entry in enumerate(tokens):
        if seen.setdefault(entry, token) != token:
            raise ModelRefused(
                f"--vocabulary {file}: tokens {seen[entry]} and {token} are both {entry!r}"
            )
    return tuple(tokens)


def _by_id(file: Path, content: dict[str, Any]) -> list[str]:
    """Turn {text: id} round."""
    if not all(type(token) is int for token in content.values()):
        raise ModelRefused(f"--vocabulary {file}: expected an id for each text")
    by_id = {token: text for text, token in content.items()}
    if sorted(by_id) != list(range(len(content))):
        raise ModelRefused(
            f"--vocabulary {file}: its ids are not 0 to {len(content) - 1}, each once"
        )
    return [by_id[token] for token in range(len(content))]
