"""Records: every session survives, and what is no record of a known format is refused."""

import struct
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.stores.record import (
    FORMAT,
    OLD_FORMAT,
    decode,
    encode,
    encode_old,
    is_of,
    model_in,
    place_in_order,
    revision_bytes,
)
from service.stores.store import Session
from tests.contract.sessions import blobs, same, session

INT64 = st.integers(-(2**63), 2**63 - 1)
COUNTS = st.integers(0, 2**63 - 1)
TIMES = st.floats(allow_nan=False)
TEXT = st.text(max_size=8)
BYTES = st.binary(max_size=9)
WRITERS = struct.pack("<8sQ", b"writer a", 2**64 - 1)
RECEIPT = (
    struct.pack("<16s8sIQQBI", b"0123456789abcdef", b"01234567", 3, 7, 2**63, 1, 2) + b"\x00\xff"
)

SESSIONS = st.builds(
    Session,
    session_id=TEXT,
    model=TEXT,
    version=INT64,
    step=INT64,
    changes=COUNTS,
    revision=INT64,
    state=st.lists(st.floats(width=32), max_size=5).map(lambda x: np.array(x, np.float32)),
    created_at=TIMES,
    expires_at=TIMES,
    ttl_seconds=TIMES,
    metadata=BYTES,
    receipts=BYTES,
    writers=BYTES,
    constants=BYTES,
    tenant=TEXT,
    fell_back_from=st.none() | COUNTS,
    finished=st.booleans(),
)


def old(one: Session) -> bytes:
    return encode_old(one, place_in_order(one))


@given(SESSIONS)
def test_every_session_survives(one: Session) -> None:
    record = encode(one)
    assert same(decode(record), one)
    assert is_of(FORMAT, record)
    assert record[1:9] == revision_bytes(one.revision)


@given(SESSIONS, st.sampled_from([b"", WRITERS, WRITERS * 3]), st.sampled_from([b"", RECEIPT]))
def test_the_old_format_keeps_what_it_has_room_for(
    one: Session, writers: bytes, receipts: bytes
) -> None:
    plain = replace(one, tenant="", constants=b"", fell_back_from=None, finished=False)
    record = old(replace(plain, writers=writers, receipts=receipts))
    assert same(decode(record), replace(plain, writers=writers, receipts=receipts, changes=0))
    assert is_of(OLD_FORMAT, record)
    assert record[1:9] == revision_bytes(one.revision)


def test_a_state_is_aligned() -> None:
    assert decode(encode(session())).state.flags.aligned
    assert decode(old(session())).state.flags.aligned


def test_the_layout_stays_what_it_is() -> None:
    """Stored records and the scripts in Redis depend on every byte."""
    one = replace(session("s", **blobs()), tenant="t", fell_back_from=9)
    record = encode(one)
    assert record == b"".join(
        (
            struct.pack(">Bqd", 2, one.revision, one.expires_at),
            struct.pack(">6I", 12, 12, *(len(blob) for blob in blobs().values())),
            b"\x00" + bytes(6),
            struct.pack(">qqqqdd", 3, 7, 4, 9, one.created_at, 60.5),
            struct.pack("<3f", 0.1, -0.2, 3e-41),
            b"\xfet\x00weather\x00s",
            *blobs().values(),
        )
    )
    assert encode(replace(one, finished=True))[41] == 1
    assert encode(replace(one, fell_back_from=None))[72:80] == b"\xff" * 8


def test_the_old_layout_stays_what_it_is() -> None:
    one = session(receipts=b"\x01", metadata=b"{}")
    assert old(one) == b"".join(
        (
            struct.pack(">Bqd", 1, one.revision, one.expires_at),
            struct.pack(">4I", 12, 9, 2, 1),
            bytes(7),
            struct.pack(">qqdd", 3, 7, one.created_at, 60.5),
            struct.pack("<3f", 0.1, -0.2, 3e-41),
            b"weather\x00s",
            b"{}",
            b"\x01",
        )
    )


def test_the_bytes_of_a_revision_tell_all_apart() -> None:
    revisions = [-1, 0, 1, 2**53, 2**53 + 1, 2**63 - 2, 2**63 - 1]
    assert len({revision_bytes(revision) for revision in revisions}) == len(revisions)


@pytest.mark.parametrize("format_byte", [0, 3, 255])
def test_another_format_is_refused(format_byte: int) -> None:
    record = bytes([format_byte]) + encode(session())[1:]
    with pytest.raises(ValueError, match=f"has format {format_byte}, this release reads formats"):
        decode(record)
    assert model_in(record) == ""


@pytest.mark.parametrize("written", [encode, old])
@pytest.mark.parametrize("length", [1, 20, 71, 72, 80, 95, 96, 100, -1])
def test_a_record_that_was_cut_is_refused(written: Callable[[Session], bytes], length: int) -> None:
    record = written(session(receipts=b"receipts"))
    with pytest.raises(ValueError, match=r"cut off|announced"):
        decode(record[:length])


@pytest.mark.parametrize("written", [encode, old])
def test_a_model_is_known_where_its_place_is_whole(
    written: Callable[[Session], bytes],
) -> None:
    record = written(session())
    assert model_in(record[:-1]) == "weather"
    assert model_in(record[:50]) == model_in(record[:10]) == model_in(b"") == ""


def test_nothing_and_too_much_are_refused() -> None:
    with pytest.raises(ValueError, match="format none"):
        decode(b"")
    with pytest.raises(ValueError, match="announced"):
        decode(encode(session()) + b"\x00")


def test_a_state_of_no_whole_numbers_is_refused() -> None:
    record = encode(session())
    odd = record[:17] + struct.pack(">2I", 13, 8) + record[25:]
    with pytest.raises(ValueError, match="state of 13 bytes"):
        decode(odd)


def test_names_that_are_none_are_refused() -> None:
    record = encode(replace(session(), session_id="xy", model="m"))
    for wrong in (b"mxxy", b"m\x00\xffy", b"\xff\x00xy"):
        with pytest.raises(ValueError):
            decode(record.replace(b"m\x00xy", wrong))
