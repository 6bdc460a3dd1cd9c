"""Text in, token ids out."""

from pathlib import Path

import pytest

from model_export.data.text import load_text
from model_export.errors import DataError


def test_tokens_spell_the_file(tmp_path: Path) -> None:
    path = tmp_path / "story.txt"
    path.write_text("añbña\n", encoding="utf-8")
    text = load_text(str(path))
    assert "".join(text.vocabulary[token] for token in text.tokens) == "añbña\n"
    assert text.vocabulary == tuple(sorted(set("añbña\n")))
    assert text.source.description == "story.txt"


def test_the_checksum_is_of_the_content(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("one")
    second.write_text("two")
    assert load_text(str(first)).source.sha256 != load_text(str(second)).source.sha256


def test_pydoc_needs_no_file() -> None:
    text = load_text("pydoc")
    assert len(text.tokens) > 100_000
    assert "pydoc_data.topics" in text.source.description


def test_documents_are_the_same_on_every_machine() -> None:
    """A demo is trained on them, and its scores are in the documentation."""
    digest = "6df491e9ff2c17be510a12292c83bf1d70d61c4dfd1caea6a151f0814cbea99f"
    assert load_text("documents").source.sha256 == digest


def test_a_missing_file_is_named() -> None:
    with pytest.raises(DataError, match=r"cannot read nowhere\.txt: No such file"):
        load_text("nowhere.txt")


def test_other_encodings_are_refused_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes(b"caf\xe9 noir")
    with pytest.raises(DataError, match="line 1: bad byte 0xe9 at offset 3"):
        load_text(str(path))
