"""Idempotency keys: which are numbered, what bounds them, what earlier releases made of them."""

from hashlib import blake2b
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidInput
from service.operations.keys import (
    MAX_KEY_BYTES,
    MAX_NUMBER,
    Key,
    check_writer,
    key_of_number,
    read_key,
    writer_digest,
)

WRITERS = st.text(st.sampled_from("azAZ09._~-"), min_size=1, max_size=128)


@given(WRITERS, st.integers(1, MAX_NUMBER))
def test_a_writer_and_a_number(writer: str, number: int) -> None:
    key = key_of_number(check_writer(writer), number, ("id",))
    assert (key.writer, key.number) == (writer_digest(writer.encode()), number)
    assert key == Key.of(f"{writer}:{number}".encode())
    assert key.earlier == b""


@given(st.sets(st.tuples(WRITERS, st.integers(1, MAX_NUMBER)), min_size=2, max_size=9))
def test_no_two_of_them_are_one_key(pairs: set[tuple[str, int]]) -> None:
    keys = [key_of_number(writer, number, ("id",)) for writer, number in pairs]
    assert len({key.digest for key in keys}) == len(pairs)


@pytest.mark.parametrize("number", ["1", "9", "10", str(2**63 - 1)])
def test_the_least_and_the_highest_number(number: str) -> None:
    assert Key.of(b"w:" + number.encode()).number == int(number)


@pytest.mark.parametrize("number", ["0", "00", "007", "01", str(2**63), "9" * 200])
def test_other_numbers_are_refused(number: str) -> None:
    """`w:007` as well: its receipt would not be found by `w:7`, which is the same number."""
    words = f"from 1 to {2**63 - 1}, without zeros in front"
    with pytest.raises(ValueError, match=words):
        Key.of(b"w:" + number.encode())
    with pytest.raises(InvalidInput, match=words) as raised:
        read_key(b"w:" + number.encode(), ("Idempotency-Key",), "headers")
    (fault,) = raised.value.faults
    assert (fault.place, fault.part) == (("Idempotency-Key",), "headers")


@pytest.mark.parametrize(
    "text",
    [
        "a-uuid-0d8b6c2e",
        "w",
        ":7",
        "w:",
        "w:7a",
        "w:-7",
        "w:+7",
        "w: 7",
        "w:7 ",
        "w:7\n",
        "w:٧",
        "a:b:7",
        "a/b:7",
        "ü:7",
        "w w:7",
        "\x00:7",
    ],
)
def test_what_is_not_a_writer_and_a_number_is_opaque(text: str) -> None:
    key = Key.of(text.encode())
    assert (key.writer, key.number, key.earlier) == (b"", 0, b"")
    assert key.digest == blake2b(text.encode(), digest_size=16).digest()


def test_digests_have_a_fixed_length() -> None:
    keys = [Key.of(text) for text in (b"k", b"k" * MAX_KEY_BYTES, b"w:1", b"7")]
    assert {len(key.digest) for key in keys} == {16}
    assert len(Key.of(b"w:1").writer) == 8
    assert len(Key.of(b"7").earlier) == 16


@pytest.mark.parametrize("text", [b"", b"k" * (MAX_KEY_BYTES + 1)])
def test_a_text_that_is_too_short_or_too_long(text: bytes) -> None:
    with pytest.raises(ValueError, match=f"expected 1 to {MAX_KEY_BYTES} bytes"):
        Key.of(text)


@pytest.mark.parametrize("name", ["", "w" * 129, "a:b", "ü", "a b", "a\n"])
def test_names_that_no_numbered_key_begins_with(name: str) -> None:
    with pytest.raises(ValueError, match="expected 1 to 128 of"):
        check_writer(name)


@pytest.mark.parametrize("number", [0, 1, 7, 2**53 + 1, 2**64 - 1])
def test_the_text_of_a_number_knows_what_a_binary_frame_made_of_it(number: int) -> None:
    """700e510 took the eight bytes of the id, little endian, for the key."""
    key = Key.of(b"%d" % number)
    assert key.earlier == blake2b(pack("<Q", number), digest_size=16).digest()
    assert (key.writer, key.number) == (b"", 0)


@pytest.mark.parametrize("text", ["07", "-1", "+1", str(2**64), "1.0", " 1"])
def test_texts_that_no_binary_frame_had(text: str) -> None:
    assert Key.of(text.encode()).earlier == b""


def test_items_of_one_request_have_keys_of_their_own() -> None:
    whole = Key.of(b"whole")
    items = [whole.for_item(index) for index in range(3)]
    assert len({whole.digest, *(item.digest for item in items)}) == 4
    assert items == [Key.of(b"whole").for_item(index) for index in range(3)]
    # As 700e510 made them, so that its receipts are found.
    expected = blake2b(whole.digest + (2).to_bytes(4, "little"), digest_size=16).digest()
    assert items[2].digest == expected
    assert Key.of(b"7").for_item(0).earlier == b""


def test_a_numbered_key_is_that_of_every_item() -> None:
    """Each of them belongs to another session."""
    key = Key.of(b"w:7")
    assert key.for_item(0) == key.for_item(1) == key
