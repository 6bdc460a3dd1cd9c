"""Writers hide among receipts, and come out again."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.stores.writers import with_writers, without_writers

WRITER = st.builds(
    struct.Struct("<8sQ").pack, st.binary(min_size=8, max_size=8), st.integers(0, 2**64 - 1)
)
RECEIPT = st.builds(
    lambda key, kind, content: (
        struct.pack("<16s8sIQQBI", key, bytes(8), 3, 7, 2**63 - 1, kind, len(content)) + content
    ),
    st.binary(min_size=16, max_size=16),
    st.sampled_from([0, 1, 2, 3]),
    st.binary(max_size=20),
)
RECEIPTS = st.lists(RECEIPT, max_size=4).map(b"".join)
WRITERS = st.lists(WRITER, max_size=4).map(b"".join)
ONE = struct.pack("<8sQ", b"writer a", 5)


@given(RECEIPTS, WRITERS)
def test_both_come_out_as_they_went_in(receipts: bytes, writers: bytes) -> None:
    assert without_writers(with_writers(receipts, writers)) == (receipts, writers)


@given(RECEIPTS, RECEIPTS, WRITERS)
def test_newer_receipts_may_stand_in_front(newer: bytes, older: bytes, writers: bytes) -> None:
    assert without_writers(newer + with_writers(older, writers)) == (newer + older, writers)


def test_the_layout_stays_what_it_is() -> None:
    """Records are stored so, and an older release copies them so."""
    (made,) = struct.iter_unpack("<16s8sIQQBI", with_writers(b"", ONE))
    key, request, version, step, revision, kind, length = made
    assert key == b"writer a" + bytes.fromhex("9ce71b0d5af3a264")
    assert (request, version, step, revision, kind, length) == (bytes(8), 0, 5, 0, 3, 0)


def test_what_is_no_receipt_is_left_alone_where_no_writer_is_in_it() -> None:
    assert without_writers(b"\x00\xff") == (b"\x00\xff", b"")


def test_the_mark_in_an_answer_is_no_writer() -> None:
    content = with_writers(b"", ONE)
    receipt = struct.pack("<16s8sIQQBI", bytes(16), bytes(8), 3, 7, 9, 1, len(content)) + content
    assert without_writers(receipt) == (receipt, b"")


@pytest.mark.parametrize("damaged", [with_writers(b"", ONE)[:-1], with_writers(b"\x01", ONE)])
def test_writers_among_what_are_no_receipts(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="cut off"):
        without_writers(damaged)
