"""What a unit may follow, worked out by hand."""

import numpy as np
import pytest

from service.analysis.markings import is_remembered, markings_of
from service.bundle.signatures import Tokens, Values

TEXT = 'a "(b\n  [c]"))\n 1 X'
BY_HAND = {
    "open quotes": [0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0],
    "open brackets": [0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0],
    "indentation": [0, 0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 2, 2, 0, 1, 1, 1, 1],
    "position in the line": [1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4],
    "line begins": [1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
    "position in the word": [1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1],
    "capital letters": [0] * 18 + [1],
    "digits": [0] * 16 + [1, 0, 0],
    "spaces": [0, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 0],
}


def test_of_a_text() -> None:
    vocabulary = tuple(sorted(set(TEXT)))
    tokens = np.array([vocabulary.index(character) for character in TEXT])
    found = markings_of(Tokens(size=len(vocabulary), vocabulary=vocabulary), tokens)
    assert {name: marking.tolist() for name, marking in found.items()} == BY_HAND


def test_of_values() -> None:
    values = np.array([[1.0, 5.0], [4.0, np.nan], [2.0, 7.0]], np.float32)
    found = markings_of(Values(names=("a", "b"), units=("", "m")), values)
    assert list(found) == ["a", "change of a", "b", "change of b"]
    np.testing.assert_array_equal(found["change of a"], [np.nan, 3, -2])
    np.testing.assert_array_equal(found["b"], [5, np.nan, 7])
    np.testing.assert_array_equal(found["change of b"], [np.nan] * 3)


@pytest.mark.parametrize(
    "signature",
    [Tokens(size=2), Tokens(size=2, vocabulary=("home", "cart"), token="item")],
    ids=["without a vocabulary", "items"],
)
def test_there_are_none(signature: Tokens) -> None:
    assert markings_of(signature, np.array([0, 1])) == {}


def test_of_no_character() -> None:
    signature = Tokens(size=1, vocabulary=("a",))
    assert all(len(one) == 0 for one in markings_of(signature, np.zeros(0, np.int64)).values())


@pytest.mark.parametrize(
    ("marking", "remembered"),
    [("open quotes", True), ("position in the line", True), ("digits", False), ("spaces", False)],
)
def test_what_must_be_remembered_of_text(marking: str, remembered: bool) -> None:
    characters = Tokens(size=2, vocabulary=("a", "b"))
    assert is_remembered(characters, marking) is remembered


def test_what_must_be_remembered_of_values() -> None:
    values = Values(names=("load",), units=("kW",))
    assert not is_remembered(values, "load")
    assert is_remembered(values, "change of load")


JSON_TEXT = '{\n  "place": "tank 3, night",\n  "notes": ["loose", "see (log)"],\n  "empty": ""\n}'


@pytest.mark.parametrize("begin", range(len(JSON_TEXT)))
def test_a_text_may_begin_within_quotes(begin: int) -> None:
    """What the whole text says of its quotes, its parts say, too."""
    whole, is_open = [], False
    for character in JSON_TEXT:
        is_open ^= character == '"'
        whole.append(is_open)
    vocabulary = tuple(sorted(set(JSON_TEXT)))
    inputs = np.array([vocabulary.index(one) for one in JSON_TEXT[begin:]])
    found = markings_of(Tokens(size=len(vocabulary), vocabulary=vocabulary), inputs)
    if '"' in JSON_TEXT[begin:]:
        assert found["open quotes"].tolist() == whole[begin:]


@pytest.mark.parametrize(
    ("text", "begins_inside"),
    [
        ('", "a": "b"', True),
        ('and so on." He left. "No', True),
        ('word",\n  "next"', True),
        ('"a": "b"', False),
        ('he said "yes" and', False),
        ('("a", 1)', False),
        ('x="a"', False),
        ('""', False),
        ("none at all", False),
        ("", False),
    ],
)
def test_a_text_may_begin_inside_quotes(text: str, begins_inside: bool) -> None:
    vocabulary = tuple(sorted({*text, '"', "x"}))
    signature = Tokens(size=len(vocabulary), vocabulary=vocabulary)
    tokens = np.array([vocabulary.index(one) for one in text], np.int64)
    open_quotes = markings_of(signature, tokens)["open quotes"]
    inside = begins_inside
    for character, marked in zip(text, open_quotes, strict=True):
        inside ^= character == '"'
        assert marked == inside
