"""Numbers in pieces: the same as the usual parser and writer, or nothing."""

import json
from collections.abc import Iterator

import numpy as np
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.edges.http import long_numbers
from service.edges.http.json import to_json
from service.edges.http.long_numbers import long_json, take_inputs, take_sequences

NUMBER = st.integers(-1000, 1000) | st.floats(-1e6, 1e6)
SPACE = st.sampled_from(["", " ", "\n  ", "\t"])


@pytest.fixture(autouse=True, scope="module")
def small_pieces() -> Iterator[None]:
    """So that few numbers make many pieces."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_numbers, "_PIECE_BYTES", 200)
        patch.setattr(long_numbers, "_PIECE_NUMBERS", 7)
        yield


def written(value: object, space: str) -> str:
    text = json.dumps(value)
    return (
        text.replace(", ", f"{space},{space}").replace("]", f"{space}]").replace("[", f"[{space}")
    )


@st.composite
def matrices(draw: st.DrawFn) -> list[list[float]]:
    width = draw(st.integers(1, 4))
    return draw(st.lists(st.lists(NUMBER, min_size=width, max_size=width), min_size=1))


@given(matrices(), SPACE)
@example(
    [
        [0, -10],
        [-10, -10],
        [-10, -1e6],
        [-100, -100],
        [-100, 100000.673828125],
        [0.0, 100000.673828125],
    ],
    "\n  ",
)
def test_rows_are_what_json_says(rows: list[list[float]], space: str) -> None:
    raw = f'{{"inputs":{space}{written(rows, space)},{space}"gates": true}}'.encode()
    taken = take_inputs(raw)
    assert taken is not None
    rest, numbers = taken
    assert json.loads(rest) == {"inputs": [0], "gates": True}
    assert numbers.tolist() == [[float(one) for one in row] for row in rows] or (
        numbers.tolist() == rows
    )


@given(st.lists(st.integers(0, 100), min_size=1, max_size=300), SPACE)
def test_tokens_are_what_json_says(tokens: list[int], space: str) -> None:
    taken = take_inputs(f'{{"inputs": {written(tokens, space)}}}'.encode())
    assert taken is not None
    assert taken[1].tolist() == tokens
    assert taken[1].dtype == np.int64


@given(st.lists(matrices(), min_size=1, max_size=4), SPACE)
def test_sequences_are_what_json_says(sequences: list[list[list[float]]], space: str) -> None:
    taken = take_sequences(f'{{"inputs": {written(sequences, space)}{space}}}'.encode())
    assert taken is not None
    assert json.loads(taken[0]) == {"inputs": [0]}
    assert [numbers.tolist() for numbers in taken[1]] == sequences


MANY = [[1.5, 2.0]] * 50


@given(st.data())
def test_what_is_damaged_is_never_taken_for_something_else(data: st.DataObject) -> None:
    raw = bytearray(json.dumps({"inputs": MANY, "at": 3}).encode())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place : place + data.draw(st.integers(0, 3))] = data.draw(
        st.text(alphabet='[]{},.0123456789eE+- "tn', max_size=3)
    ).encode()
    taken = take_inputs(bytes(raw))
    if taken is None:
        return
    try:
        expected = json.loads(bytes(raw))
    except ValueError:
        # Then the rest is what is damaged, and the parser that follows will say so.
        with pytest.raises(ValueError, match=r"."):
            orjson.loads(taken[0])
        return
    assert taken[1].tolist() == expected["inputs"]


def test_null_is_a_missing_number() -> None:
    raw = json.dumps({"inputs": [[1, None], *MANY]}).encode()
    taken = take_inputs(raw)
    assert taken is not None
    expected = np.array([[1, np.nan], *MANY])
    np.testing.assert_array_equal(taken[1], expected)


@pytest.mark.parametrize(
    "inputs",
    [
        "[[1, true], [2, 3]]",
        "[[1, nul], [2, 3]]",
        "[[1, 2], null]",
        "[1, null]",
        f"[{'1, ' * 200}null]",
        f"[null{', 1' * 200}]",
        '[["1", 2], [2, 3]]',
        "[[1, 2], [3]]",
        "[[1, 2],]",
        "[[1, 2], [3, 4],]",
        "[[]]",
        "[]",
        "[1, 2,]",
        "[1, 2.5]",
        "[[1, NaN]]",
        "[[[1]]]",
        "[[1, 2] [3, 4]]",
        "[99999999999999999999]",
        "[[1, 2]",
    ],
)
def test_anything_else_is_left_to_the_usual_parser(inputs: str) -> None:
    assert take_inputs(f'{{"inputs": {inputs}}}'.encode()) is None


@pytest.mark.parametrize("tail", [", ", ",]", ", , [1, 2]]", " [1, 2]]", ", [1, true]]", ", [1]]"])
def test_faults_after_many_pieces_are_seen(tail: str) -> None:
    raw = '{"inputs": ' + json.dumps(MANY)[:-1] + tail + "}"
    assert take_inputs(raw.encode()) is None


def test_a_second_list_of_inputs_is_left_to_the_usual_parser() -> None:
    assert take_inputs(b'{"inputs": [[1]], "inputs": [[2]]}') is None
    assert take_inputs(rb'{"inputs": [[1]], "\u0069nputs": [[2]]}') is None
    assert take_inputs(b'{"text": "x", "inputs": [[2]]}') is None


def test_answers_are_written_the_same() -> None:
    random = np.random.default_rng(0)
    answer = {
        "session_id": "ä",
        "outputs": random.normal(size=(20, 3)).astype(np.float32),
        "next": [{"token": 1, "probability": np.float32(0.5)}],
        "gates": {"layers": [{"layer": 0, "units": [], "reset": random.normal(size=(9, 4))}]},
        "empty": {},
        "flat": random.normal(size=50),
    }
    assert long_json(answer) == to_json(answer)
