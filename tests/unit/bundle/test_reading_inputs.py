"""How signatures read what callers send: missing values, items, and what is refused with them."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.bundle.signatures import InputSignature, Tokens, Values
from service.edges.v1.items import read_items
from service.errors import InvalidInput
from service.operations.inputs import Inputs, JsonRows, TensorBlock
from service.operations.requests import tensor

PLAIN = Values(names=("a", "b"), units=("1", "1"))
GAPS = PLAIN.model_copy(update={"missing": True})
ITEMS = Tokens(size=3, vocabulary=("milk", "bread", "tea"), token="item")
WITHOUT = "trained without missing values"

number = st.floats(-1e6, 1e6, width=32)
rows = st.lists(st.lists(number | st.none(), min_size=2, max_size=2), min_size=1, max_size=5)


def as_array(found: list[list[float | None]]) -> NDArray[np.float64]:
    return np.array(found, np.float64)


def in_a_frame(found: list[list[float | None]]) -> Inputs:
    return TensorBlock(np.array(found, np.float32)[np.newaxis])


def in_items(found: list[list[float | None]]) -> Inputs:
    body = json.dumps({"items": [{"session_id": "a", "inputs": found}]}).encode()
    (block,) = read_items(body, None, 10).blocks
    return block.inputs


FORMS: dict[str, Callable[[list[list[float | None]]], Inputs]] = {
    "rows": JsonRows,
    "many rows": lambda found: JsonRows(as_array(found)),
    "items": in_items,
    "frame": in_a_frame,
}


def read(inputs: Inputs, signature: InputSignature) -> NDArray[Any]:
    found: NDArray[Any] = inputs.read((0,), signature)[0]
    return found


@pytest.mark.parametrize("form", FORMS)
@given(found=rows)
def test_missing_values_arrive_in_every_form(form: str, found: list[list[float | None]]) -> None:
    expected = np.array(found, np.float32)
    inputs = read(FORMS[form](found), GAPS)
    assert inputs.dtype == np.float32
    np.testing.assert_array_equal(inputs, expected)
    assert tensor(inputs) == tensor(expected), "the digest of a retry in another form"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("at", [(0, 1), (2, 0)])
def test_missing_values_are_refused_at_their_place(form: str, at: tuple[int, int]) -> None:
    found: list[list[float | None]] = [[1.0, 2.0] for _ in range(3)]
    found[at[0]][at[1]] = None
    with pytest.raises(InvalidInput, match=WITHOUT) as raised:
        read(FORMS[form](found), PLAIN)
    assert raised.value.faults[0].place == ("inputs", *at)


@pytest.mark.parametrize("signature", [PLAIN, GAPS])
@pytest.mark.parametrize("wrong", [np.inf, -np.inf])
def test_infinity_is_never_a_number(signature: Values, wrong: float) -> None:
    for inputs in (in_a_frame([[1.0, wrong]]), JsonRows([[1.0, wrong]])):
        with pytest.raises(InvalidInput, match="finite") as raised:
            read(inputs, signature)
        assert raised.value.faults[0].place == ("inputs", 0, 1)


def test_nan_in_json_is_not_null() -> None:
    for body in (b'{"items":[{"session_id":"a","inputs":[[1,NaN]]}]}',):
        (block,) = read_items(body, None, 10).blocks
        with pytest.raises(InvalidInput, match="finite"):
            read(block.inputs, GAPS)
    mixed = b'{"items":[{"session_id":"a","inputs":[[null,NaN]]}]}'
    (block,) = read_items(mixed, None, 10).blocks
    with pytest.raises(InvalidInput, match="finite") as raised:
        read(block.inputs, GAPS)
    assert raised.value.faults[0].place == ("inputs", 0, 1)


def test_all_nans_of_a_frame_mean_the_same() -> None:
    bits = np.array([0x7FC00000, 0x7FC12345, 0xFFC00001, 0x7FA00000], np.uint32)
    frames = [TensorBlock(np.array([[[one, 0]]], np.uint32).view(np.float32)) for one in bits]
    assert len({tensor(read(one, GAPS)) for one in frames}) == 1
    assert read(frames[1], GAPS)[0, 1] == 0


def test_one_block_for_models_of_both_kinds() -> None:
    """Rows of one frame may be of sessions of several models."""
    block = in_a_frame([[1.0, None]])
    assert np.isnan(read(block, GAPS)[0, 1])
    for _ in range(2):
        with pytest.raises(InvalidInput, match=WITHOUT):
            read(block, PLAIN)


@pytest.mark.parametrize(
    ("wrong", "place", "reason"),
    [
        ([[1.0]], ("inputs", 0), "expected 2 numbers"),
        ([None], ("inputs", 0), "list"),
        ([[None, "1"]], ("inputs", 0, 1), "number"),
        (as_array([[None, 1.0, 2.0]]), ("inputs", 0), "expected 2 numbers"),
    ],
)
def test_what_else_is_wrong_beside_missing_values(
    wrong: list[Any] | NDArray[Any], place: tuple[object, ...], reason: str
) -> None:
    with pytest.raises(InvalidInput, match=reason) as raised:
        read(JsonRows(wrong), GAPS)
    assert raised.value.faults[0].place == place


def test_items_come_by_name_or_by_id() -> None:
    for inputs in (["tea", "milk"], [2, 0], ["tea", 0]):
        assert read(JsonRows(inputs), ITEMS).tolist() == [2, 0]
    assert read(JsonRows(np.array([2, 0])), ITEMS).tolist() == [2, 0]


def test_an_unknown_item_is_named() -> None:
    with pytest.raises(InvalidInput) as raised:
        read(JsonRows(["tea", "beer", 1, "wine"]), ITEMS)
    assert [(one.place, one.message) for one in raised.value.faults] == [
        (("inputs", 1), "'beer' is not in the model's vocabulary"),
        (("inputs", 3), "'wine' is not in the model's vocabulary"),
    ]


@pytest.mark.parametrize("wrong", [[3], [-1], [True], [1.5], [None], [["tea"]]])
def test_what_is_neither_an_item_nor_an_id(wrong: list[object]) -> None:
    with pytest.raises(InvalidInput) as raised:
        read(JsonRows(wrong), ITEMS)
    assert raised.value.faults[0].place[:2] == ("inputs", 0)


def test_items_are_no_text() -> None:
    with pytest.raises(InvalidInput, match="no text; send the names of items, or their ids"):
        ITEMS.encode_text("milk", ("text",))
    assert ITEMS.encode_stop("tea", ("stop", 0)) == (2,)
    with pytest.raises(InvalidInput, match="'beer' is not"):
        ITEMS.encode_stop("beer", ("stop", 0))


def test_names_are_not_ids_of_characters() -> None:
    characters = Tokens(size=3, vocabulary=("x", "y", "z"))
    with pytest.raises(InvalidInput, match="valid integer"):
        read(JsonRows(["x"]), characters)


@pytest.mark.parametrize(
    "signature", [PLAIN, GAPS, ITEMS, Tokens(size=3), Tokens(size=2, vocabulary=("x", "y"))]
)
def test_an_example_is_what_the_model_takes(signature: InputSignature) -> None:
    golden = np.array([[0.1, 2], [3, 4.5]], "f4") if signature.features else np.array([1, 0])
    if signature.takes_missing:
        golden[0, 1] = np.nan
    example = json.loads(json.dumps(signature.example(golden), allow_nan=False))
    found = (
        signature.encode_text(example["text"], ())
        if "text" in example
        else signature.decode(example["inputs"], ())
    )
    np.testing.assert_array_equal(found, golden)
