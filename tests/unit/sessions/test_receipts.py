"""What keyed requests leave in their session: the window, the room, the creation."""

from dataclasses import dataclass, replace

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from service.errors import KeyReused, SessionDamaged
from service.operations.keys import Key
from service.sessions import receipts as module
from service.sessions.receipts import KEPT_ANSWER_BYTES, KEPT_RECEIPTS, Kind, Receipt
from tests.contract.sessions import session

CREATION = Receipt(Key.of(b"creation").digest, b"creation", 1, 0, 2**63 - 1, Kind.CREATION)


def recall(kept: bytes, key: bytes) -> Receipt | None:
    return module.recall(session(receipts=kept), Key(key))


def remember(kept: bytes, newest: Receipt) -> bytes:
    return module.remember(session(receipts=kept), newest)


def receipt(number: int, content: bytes = b"", kind: Kind = Kind.ANSWER) -> Receipt:
    key, meaning = Key.of(b"key %d" % number).digest, b"%8d" % number
    return Receipt(key, meaning, 1 + number, number * 2**40, 2**62 + number, kind, content)


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


@given(created=st.booleans(), requests=st.lists(contents, max_size=30))
@settings(max_examples=200, derandomize=True, database=None)
def test_any_requests(created: bool, requests: list[tuple[Kind, int]]) -> None:
    kept = remember(b"", CREATION) if created else b""
    expected = Expected([])
    for number, (kind, size) in enumerate(requests):
        one = receipt(number, bytes([number]) * (size or 4 * (kind is Kind.BEFORE)), kind)
        kept = remember(kept, one)
        expected.add(one)
        latest = {known.key: known for known in expected.latest}
        for earlier in range(number + 1):
            key = receipt(earlier).key
            assert recall(kept, key) == latest.get(key)
        assert recall(kept, CREATION.key) == (CREATION if created else None)


def test_the_window_is_as_documented() -> None:
    receipts = [receipt(number, b"answer") for number in range(KEPT_RECEIPTS + 1)]
    kept = remembered(*receipts)
    assert (KEPT_RECEIPTS, KEPT_ANSWER_BYTES) == (8, 4096)
    assert recall(kept, receipts[0].key) is None
    assert [recall(kept, one.key) for one in receipts[1:]] == receipts[1:]


def test_the_receipt_of_the_creation_stays_whatever_comes() -> None:
    later = [receipt(number, bytes(KEPT_ANSWER_BYTES)) for number in range(50)]
    kept = remembered(CREATION, *later)
    assert recall(kept, CREATION.key) == CREATION
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


@pytest.mark.parametrize("kind", [Kind.ANSWER, Kind.FORGOTTEN, Kind.CREATION])
def test_a_key_with_another_request(kind: Kind) -> None:
    kept = remembered(receipt(1, kind=kind), receipt(2))
    found = recall(kept, receipt(1).key)
    assert found is not None
    found.check(receipt(1).request)
    with pytest.raises(KeyReused):
        found.check(receipt(2).request)


def test_a_key_that_an_answer_happens_to_contain() -> None:
    key = receipt(1).key
    assert recall(remembered(receipt(2, key + bytes(33))), key) is None


def test_no_receipts() -> None:
    assert recall(b"", CREATION.key) is None


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
    words = "session 's' is damaged in the store: its receipts"
    with pytest.raises(SessionDamaged, match=words):
        remember(kept, receipt(3))
    last = receipt(9).key
    with pytest.raises(SessionDamaged, match=words):
        recall(kept + last, last)
