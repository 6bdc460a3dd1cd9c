"""Binary frames, byte by byte."""

import re
from pathlib import Path

import numpy as np
import pytest

from service.edges.v1.stream.blocks import read_frame
from service.errors import InvalidInput, MalformedBody
from service.operations.conditions import Conditions
from service.operations.keys import Key
from tests.e2e.streams import block

DOCUMENT = Path(__file__).parents[5] / "docs" / "streaming.md"


def test_the_documented_example() -> None:
    example = DOCUMENT.read_text("utf-8").split("### An example")[1]
    frame = bytes.fromhex("".join(re.findall(r"\b[0-9a-f]{2}\b", _columns(example))))
    [read] = read_frame(frame)
    np.testing.assert_array_equal(read.tensors, np.array([[[20.5, 1003, 0.4]]], np.float32))
    assert (read.ids, read.handles, read.ats, read.gates, read.keyed) == (
        (7,),
        (1,),
        None,
        False,
        False,
    )
    assert frame == block(read.tensors, [1], [7])


def _columns(example: str) -> str:
    """The bytes of each line: what stands before its explanation."""
    return "\n".join(line[4:80].split("   ")[0] for line in example.splitlines())


@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("at", [False, True])
def test_several_blocks_in_a_frame(*, tokens: bool, count: int, at: bool) -> None:
    rng = np.random.default_rng(0)
    shape = (count, 3) if tokens else (count, 3, 5)
    inputs = rng.integers(0, 9, shape).astype(np.int64 if tokens else np.float32)
    ids, handles = list(range(9, 9 + count)), list(range(count))
    ats = [2**40 + n for n in range(count)] if at else None
    frame = block(inputs, handles, ids, at=ats, keys=True) + block(inputs, handles, ids, gates=True)
    first, second = read_frame(frame)
    for read in (first, second):
        np.testing.assert_array_equal(read.tensors, inputs)
        assert (list(read.ids), list(read.handles)) == (ids, handles)
    assert (first.ats, second.ats) == (tuple(ats) if ats else None, None)
    assert (first.keyed, first.gates, second.keyed, second.gates) == (True, False, False, True)


def test_an_id_is_the_key_that_its_decimal_text_is() -> None:
    frame = block(np.ones((2, 1, 2), np.float32), [1, 2], [7, 2**64 - 1], keys=True)
    read = read_frame(frame)[0]
    assert read.conditions(0, None).key == Key.of(b"7")
    assert read.conditions(1, None).key == Key.of(b"18446744073709551615")


def test_an_id_is_the_number_of_a_writer_that_was_named() -> None:
    read = read_frame(block(np.ones((2, 1, 2), np.float32), [1, 2], [7, 0], at=[3, 4]))[0]
    assert read.conditions(0, "gateway-1") == Conditions(Key.of(b"gateway-1:7"), 3)
    with pytest.raises(InvalidInput, match="numbers go from 1"):
        read.conditions(1, "gateway-1")


def test_every_damage_to_a_header_is_found_or_harmless() -> None:
    """Flipping any bit of the header never makes the reader look beyond the frame."""
    good = block(np.ones((2, 2, 2), np.float32), [1, 2], [3, 4], at=[5, 6])
    read = 0
    for bit in range(24 * 8):
        damaged = bytearray(good)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            read_frame(bytes(damaged))
        except MalformedBody:
            continue
        read += 1
    assert read == 2, "gates and keys alone are flags that change no length"
