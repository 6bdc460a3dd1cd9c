"""The texts of tokens from a file."""

import json
from pathlib import Path

import pytest

from model_export.errors import ModelRefused
from model_export.imports.vocabulary import read_vocabulary

TEXTS = ["<unk>", "the", "a b", *"cdef"]


def written(folder: Path, name: str, content: str) -> Path:
    file = folder / name
    file.write_text(content, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.json", json.dumps(TEXTS)),
        ("ids.json", json.dumps({text: token for token, text in reversed([*enumerate(TEXTS)])})),
        ("lines.txt", "\n".join(TEXTS) + "\n"),
    ],
)
def test_a_list_an_object_or_lines(name: str, content: str, tmp_path: Path) -> None:
    assert read_vocabulary(written(tmp_path, name, content), len(TEXTS)) == tuple(TEXTS)


def test_only_a_newline_separates_tokens(tmp_path: Path) -> None:
    file = written(tmp_path, "vocabulary.txt", "a b\n\x0bcolumn\n ")
    assert read_vocabulary(file, 3) == ("a b", "\x0bcolumn", " ")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("v.txt", "a\nb\n", "has 2 tokens; the embedding has 11 rows"),
        ("v.txt", "\n".join("abcdefghija"), "tokens 0 and 10 are both 'a'"),
        ("v.json", "[1, 2]", "expected a list of texts"),
        ("v.json", '"text"', "expected a list of texts"),
        ("v.json", "[", "cannot be read"),
        ("v.json", '{"a": 0, "b": 2}', "ids are not 0 to 1"),
        ("v.json", '{"a": 0, "b": "1"}', "expected an id for each text"),
    ],
)
def test_what_does_not_fit(name: str, content: str, expected: str, tmp_path: Path) -> None:
    file = written(tmp_path, name, content)
    with pytest.raises(ModelRefused) as refused:
        read_vocabulary(file, 11)
    assert expected in str(refused.value)
    assert str(file) in str(refused.value)
