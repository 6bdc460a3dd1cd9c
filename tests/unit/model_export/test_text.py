"""Text in, token ids out."""

import gzip
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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"caf\xe9 noir", "line 1: bad byte 0xe9 at offset 3"),
        (gzip.compress(b"to be or not to be", mtime=0), "is compressed with gzip: unpack it first"),
        ("to be".encode("utf-16"), "is UTF-16: save it as UTF-8"),
        (b"PK\x03\x04 and more", "is a ZIP archive or an office document: save it as plain text"),
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
    ],
    ids=["latin-1", "gzip", "UTF-16", "ZIP", "empty", "a mark alone"],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "other.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_text(str(path))


def test_line_ends_of_several_kinds_and_hidden_characters_are_told(tmp_path: Path) -> None:
    path = tmp_path / "mixed.txt"
    path.write_bytes("\ufeffa\r\nb\nc\rd\x00\n\ufeff\x00\te".encode())
    assert load_text(str(path)).notes == (
        r"lines end in several ways, each of which is learnt: 1 \r\n, 2 \n, 1 \r",
        r"characters that do not show are learnt as all others are: '\x00' (2, first in line 3), "
        r"'\ufeff' (1, first in line 4)",
    )
    path.write_bytes("\ufeffa\r\nb\tc\r\n".encode())
    assert load_text(str(path)).notes == ()
