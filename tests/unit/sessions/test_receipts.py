"""What keyed requests leave in their session: the window, the room, the birth."""

from dataclasses import dataclass, replace

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from service.errors import KeyReused, StoreError
from service.sessions import receipts as module
from service.sessions.receipts import (
    KEPT_ANSWER_BYTES,
    KEPT_RECEIPTS,
    Key,
    Kind,
    Receipt,
)
from tests.contract.sessions import session

BIRTH = Receipt(Key.of(b"birth", b"create", b""), 1, 0, 2**48 - 1, Kind.BIRTH)


def recall(kept: bytes, key: Key) -> Receipt | None:
    return module.recall(session(receipts=kept), key)


def remember(kept: bytes, newest: Receipt) -> bytes:
    return module.remember(session(receipts=kept), newest)


def receipt(number: int, content: bytes = b"", kind: Kind = Kind.ANSWER) -> Receipt:
    key = Key.of(b"%d" % number, b"steps", b"body %d" % number)
    return Receipt(key, 1 + number, number * 2**40, 2**48 + number, kind, content)


def remembered(*receipts: Receipt) -> bytes:
    """In the order in which the requests came."""
    kept = b""
    for one in receipts:
        kept = remember(kept, one)
    return kept


def forgotten(one: Receipt) -> Receipt:
    return replace(one, kind=Kind.FORGOTTEN, content=b"")


@dataclass(slots=True)
class Expected:
    """The rules in words: the latest 8, their answers while there is room, the latest first."""

    latest: list[Receipt]

    def add(self, newest: Receipt) -> None:
        room = KEPT_ANSWER_BYTES - len(newest.content) * (newest.kind is Kind.ANSWER)
        kept = [newest]
        for earlier in self.latest[: KEPT_RECEIPTS - 1]:
            room -= len(earlier.content) * (earlier.kind is Kind.ANSWER)
            stays = earlier.kind is Kind.ANSWER and (room >= 0 or not earlier.content)
            kept.append(earlier if stays else forgotten(earlier))
        self.latest = kept


contents = st.tuples(
    st.sampled_from([Kind.ANSWER, Kind.ANSWER, Kind.BEFORE]),
    st.sampled_from([0, 1, 4, 500, 1500, 4000, KEPT_ANSWER_BYTES]),
)


@given(born=st.booleans(), requests=st.lists(contents, max_size=30))
@settings(max_examples=200, deadline=None, derandomize=True, database=None)
def test_any_requests(born: bool, requests: list[tuple[Kind, int]]) -> None:
    kept = remember(b"", BIRTH) if born else b""
    expected = Expected([])
    for number, (kind, size) in enumerate(requests):
        one = receipt(number, bytes([number]) * (size or 4 * (kind is Kind.BEFORE)), kind)
        kept = remember(kept, one)
        expected.add(one)
        latest = {known.key: known for known in expected.latest}
        for earlier in range(number + 1):
            key = receipt(earlier).key
            assert recall(kept, key) == latest.get(key)
        assert recall(kept, BIRTH.key) == (BIRTH if born else None)


def test_the_window_is_as_documented() -> None:
    receipts = [receipt(number, b"answer") for number in range(KEPT_RECEIPTS + 1)]
    kept = remembered(*receipts)
    assert (KEPT_RECEIPTS, KEPT_ANSWER_BYTES) == (8, 4096)
    assert recall(kept, receipts[0].key) is None
    assert [recall(kept, one.key) for one in receipts[1:]] == receipts[1:]


def test_the_birth_stays_whatever_comes() -> None:
    later = [receipt(number, bytes(KEPT_ANSWER_BYTES)) for number in range(50)]
    kept = remembered(BIRTH, *later)
    assert recall(kept, BIRTH.key) == BIRTH
    assert len(kept) < 2 * KEPT_ANSWER_BYTES, "what is kept is bounded"


def test_the_latest_answer_goes_first_where_room_is_scarce() -> None:
    first, second = receipt(1, bytes(2049)), receipt(2, bytes(2048))
    kept = remembered(first, second)
    assert recall(kept, first.key) == forgotten(first)
    assert recall(kept, second.key) == second
    fits = receipt(1, bytes(2048))
    assert recall(remembered(fits, second), fits.key) == fits


def test_an_answer_without_numbers_takes_no_room() -> None:
    put, large = receipt(1), receipt(2, bytes(KEPT_ANSWER_BYTES))
    assert recall(remembered(put, large, receipt(3, b"x")), put.key) == put


def test_a_state_from_before_is_kept_until_the_next_keyed_request() -> None:
    """However wide it is, it drives no answers out."""
    small, wide = receipt(1, bytes(4000)), receipt(2, bytes(100_000), Kind.BEFORE)
    kept = remembered(small, wide)
    assert (recall(kept, small.key), recall(kept, wide.key)) == (small, wide)
    assert recall(remember(kept, receipt(3)), wide.key) == forgotten(wide)


@pytest.mark.parametrize(
    "other", [Key.of(b"1", b"steps", b"another body"), Key.of(b"1", b"rollout", b"body 1")]
)
@pytest.mark.parametrize("kind", [Kind.ANSWER, Kind.FORGOTTEN, Kind.BIRTH])
def test_a_key_with_another_body_or_route(other: Key, kind: Kind) -> None:
    kept = remembered(receipt(1, kind=kind), receipt(2))
    with pytest.raises(KeyReused):
        recall(kept, other)


def test_a_key_that_an_answer_happens_to_contain() -> None:
    key = receipt(1).key
    assert recall(remembered(receipt(2, key.key + key.request)), key) is None


def test_keys_are_digests_of_a_fixed_length() -> None:
    keys = [Key.of(key, b"steps", body) for key in (b"", b"k" * 255) for body in (b"", b"b" * 9999)]
    assert {(len(one.key), len(one.request)) for one in keys} == {(16, 8)}
    assert len({(one.key, one.request) for one in keys}) == len(keys)


def test_no_receipts() -> None:
    assert recall(b"", BIRTH.key) is None


def damaged_receipts() -> list[bytes]:
    kept = remembered(receipt(1, b"answer"), receipt(2, bytes(8), Kind.BEFORE))
    length = len(kept)
    kind_of_second = length - len(b"answer") - 5
    return [
        *(kept[:cut] for cut in (1, 24, 48, length - 1)),
        kept + b"x",
        kept[:kind_of_second] + b"\x04" + kept[kind_of_second + 1 :],
        kept[:kind_of_second] + b"\xff" * 5 + kept[kind_of_second + 5 :],
        kept[:-6],
    ]


@pytest.mark.parametrize("kept", damaged_receipts())
def test_damaged_receipts_name_the_session(kept: bytes) -> None:
    """Also where the key in question is none of theirs: a new one has to join them."""
    words = "session 's' is damaged in its store: its receipts"
    with pytest.raises(StoreError, match=words):
        remember(kept, receipt(3))
    last = receipt(9).key
    with pytest.raises(StoreError, match=words):
        recall(kept + last.key, last)
