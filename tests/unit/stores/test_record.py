"""Records: every session survives, and what is no record of this format is refused."""

import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import StoreError
from service.stores.record import FORMAT, decode, encode, stamp
from service.stores.store import Session
from tests.contract.sessions import same, session

INT64 = st.integers(-(2**63), 2**63 - 1)
TIMES = st.floats(allow_nan=False)
TEXT = st.text(max_size=8)


@given(
    st.builds(
        Session,
        session_id=TEXT,
        model=TEXT,
        version=INT64,
        step=INT64,
        revision=INT64,
        state=st.lists(st.floats(width=32), max_size=5).map(lambda x: np.array(x, np.float32)),
        created_at=TIMES,
        expires_at=TIMES,
        ttl_seconds=TIMES,
        metadata=st.binary(max_size=9),
        receipts=st.binary(max_size=9),
    )
)
def test_every_session_survives(one: Session) -> None:
    record = encode(one)
    assert same(decode(record), one)
    assert record.startswith(stamp(one.revision))


def test_a_state_is_aligned() -> None:
    assert decode(encode(session())).state.flags.aligned


def test_the_layout_stays_what_it_is() -> None:
    """Stored records and the scripts in Redis depend on every byte."""
    record = encode(session(receipts=b"\x01", metadata=b"{}"))
    assert record[:1] == bytes([FORMAT]) == b"\x01"
    created_at, expires_at = session().created_at, session().expires_at
    assert record == b"".join(
        (
            struct.pack(">Bqd", 1, 0, expires_at),
            struct.pack(">4I", 12, 9, 2, 1),
            bytes(7),
            struct.pack(">qqdd", 3, 7, created_at, 60.5),
            struct.pack("<3f", 0.1, -0.2, 3e-41),
            b"weather\x00s",
            b"{}",
            b"\x01",
        )
    )


def test_stamps_tell_all_revisions_apart() -> None:
    revisions = [-1, 0, 1, 2**53, 2**53 + 1, 2**63 - 2, 2**63 - 1]
    assert len({stamp(revision) for revision in revisions}) == len(revisions)


@pytest.mark.parametrize("format_byte", [0, 2, 255])
def test_another_format_is_refused(format_byte: int) -> None:
    record = bytes([format_byte]) + encode(session())[1:]
    with pytest.raises(StoreError, match=f"has format {format_byte}, this release reads format 1"):
        decode(record)


@pytest.mark.parametrize("length", [1, 20, 71, 72, 80, 90, -1])
def test_a_record_that_was_cut_is_refused(length: int) -> None:
    record = encode(session(receipts=b"receipts"))
    with pytest.raises(StoreError, match="is damaged"):
        decode(record[:length])


def test_nothing_and_too_much_are_refused() -> None:
    with pytest.raises(StoreError, match="format none"):
        decode(b"")
    with pytest.raises(StoreError, match="is damaged"):
        decode(encode(session()) + b"\x00")


def test_names_that_are_none_are_refused() -> None:
    record = encode(replace(session(), session_id="xy", model="m"))
    for wrong in (b"mxxy", b"m\x00\xffy", b"\xff\x00xy"):
        with pytest.raises(StoreError, match="is damaged"):
            decode(record.replace(b"m\x00xy", wrong))
