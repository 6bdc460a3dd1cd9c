"""Receipts that 700e510 left, whose digests of requests cannot be compared any more."""

import struct
from collections.abc import Callable, Coroutine
from hashlib import blake2b

import numpy as np
import pytest

from service.errors import AnswerNotKept
from service.operations.conditions import Conditions
from service.operations.inputs import JsonRows
from service.operations.keys import Key
from service.operations.requests import Create, Fork, Migrate, NewSession, PutState
from service.operations.rollout import Rollout
from service.repository.models import Models
from service.sessions.admission import tag
from service.sessions.creation import chosen_id
from service.sessions.receipts import (
    KEPT_ANSWER_BYTES,
    KEPT_RECEIPTS,
    Kind,
    Receipt,
    recall,
    remember,
)
from service.sessions.sessions import Sessions
from service.stores.store import Session
from tests.contract.sessions import found_in, same
from tests.unit.sessions.serving import serving
from tests.unit.sessions.steps import ROW, answered, holding, request, stepper, weather

_HEAD = struct.Struct("<16s8sIQQBI")
STATE = np.zeros(6, np.float32)


def left_by_700e510(key: bytes, kind: Kind = Kind.ANSWER, content: bytes = b"") -> bytes:
    """Its bytes for a request that was applied as step 7 of version 1."""
    key_digest = blake2b(key, digest_size=16).digest()
    request_digest = blake2b(b'{"inputs":[[1]]}', digest_size=8, person=b"steps").digest()
    head = _HEAD.pack(key_digest, request_digest, 1, 7, 2**47 + 7, kind, len(content))
    return head + content


def holder_of(key: bytes, kind: Kind = Kind.ANSWER, **fields: object) -> Session:
    return weather("a", receipts=left_by_700e510(key, kind), **fields)


def test_bytes_that_700e510_wrote() -> None:
    written = bytes.fromhex(
        "6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b727272727272727201000000070000000000000007000000008000000103"
        "000000616263"
    )
    found = recall(weather("a", receipts=written), Key(b"k" * 16))
    assert found == Receipt(b"k" * 16, b"r" * 8, 1, 7, 2**47 + 7, Kind.ANSWER, b"abc", scheme=0)


@pytest.mark.parametrize("kind", list(Kind))
def test_it_is_found_by_its_key(kind: Kind) -> None:
    found = recall(holder_of(b"some key", kind), Key.of(b"some key"))
    assert found is not None
    assert (found.version, found.step, found.revision) == (1, 7, 2**47 + 7)
    assert (found.kind, found.scheme) == (kind, 0)
    assert recall(holder_of(b"some key", kind), Key.of(b"another key")) is None


@pytest.mark.parametrize("number", [0, 7, 2**64 - 1])
def test_the_id_of_a_binary_frame_is_found_by_its_text(number: int) -> None:
    session = holder_of(struct.pack("<Q", number))
    found = recall(session, Key.of(b"%d" % number))
    assert found is not None
    assert found.scheme == 0


def test_a_later_receipt_is_not_found_by_a_binary_key() -> None:
    """Whoever sends these eight bytes as a key today means another request."""
    later = Receipt(Key.of(struct.pack("<Q", 7)).digest, b"meaning.", 1, 7, 8, Kind.ANSWER)
    session = weather("a", receipts=remember(weather("a"), later))
    assert recall(session, Key.of(struct.pack("<Q", 7))) == later
    assert recall(session, Key.of(b"7")) is None


def test_a_key_of_today_is_found_before_a_binary_one() -> None:
    old = weather("a", receipts=left_by_700e510(struct.pack("<Q", 7)))
    later = Receipt(Key.of(b"7").digest, b"meaning.", 1, 8, 9, Kind.ANSWER)
    assert recall(weather("a", receipts=remember(old, later)), Key.of(b"7")) == later


Ask = Callable[[Sessions, Conditions], Coroutine[object, object, object]]
REQUESTS: dict[str, Ask] = {
    "step": lambda sessions, given: sessions.step(request("a", key=given.key, at=given.at)),
    "put": lambda sessions, given: sessions.put_state(PutState("a", 3, STATE, conditions=given)),
    "migrate": lambda sessions, given: sessions.migrate(Migrate("a", 1, given)),
    "rollout": lambda sessions, given: sessions.rollout(
        Rollout("a", JsonRows([ROW]), 2, conditions=given)
    ),
}


@pytest.mark.parametrize("ask", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("key", [b"some key", struct.pack("<Q", 7)])
@pytest.mark.parametrize("at", [None, 7, 1])
async def test_nothing_is_applied_with_such_a_key(
    models: Models, ask: Ask, key: bytes, at: int | None
) -> None:
    """Whether it is the same request cannot be told: neither its answer nor a second change."""
    before = holder_of(key, step=9)
    store = holding(before)
    given = Conditions(Key.of(b"some key" if key == b"some key" else b"7"), at)
    async with serving(models, store) as sessions:
        with pytest.raises(AnswerNotKept, match="an earlier release applied") as raised:
            await ask(sessions, given)
        assert same(found_in(store, "a"), before)
    error = raised.value
    assert (error.applied_step, error.step, error.tag) == (7, 9, tag(before))


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("fork", [True, False])
async def test_a_creation_with_such_a_key(models: Models, *, named: bool, fork: bool) -> None:
    key = Key.of(b"some key")
    scope = "fork/source" if fork else "create"
    session_id = chosen_id("mine" if named else None, key, scope)
    receipts = left_by_700e510(b"some key", Kind.CREATION)
    made = weather(session_id, receipts=receipts, step=9)
    store = holding(made, weather("source"))
    new = NewSession("mine" if named else None)
    async with serving(models, store) as sessions:

        async def ask() -> None:
            if fork:
                await sessions.fork(Fork("source", new, Conditions(key)))
            else:
                await sessions.create(Create("weather", new, key=key))

        with pytest.raises(AnswerNotKept) as raised:
            await ask()
        assert (raised.value.session_id, raised.value.applied_step) == (session_id, 7)
        assert same(found_in(store, session_id), made)
        assert store.count(store.now()) == 2


def test_ids_made_from_keys_are_those_of_700e510() -> None:
    """Else a retry would make a second session."""
    key = Key.of(b"some key")
    assert chosen_id(None, key, "create") == "447e97e82b825b7687b05588434f1b58"
    assert chosen_id(None, key, "fork/a") == "40b7c2321df2555080ffc3ffbc922aaa"


def test_other_keys_go_on_and_leave_it_what_it_is(models: Models) -> None:
    store = holding(holder_of(b"some key"))
    run = stepper(models, store).run
    for number in range(KEPT_RECEIPTS - 1):
        answered(run([request("a", key=Key.of(b"new %d" % number))])[0])
        assert isinstance(run([request("a", key=Key.of(b"some key"))])[0], AnswerNotKept)
    answered(run([request("a", key=Key.of(b"one more"))])[0])
    assert recall(found_in(store, "a"), Key.of(b"some key")) is None, "the window is the same"


@pytest.mark.parametrize(
    ("kind", "content"), [(Kind.ANSWER, bytes(KEPT_ANSWER_BYTES)), (Kind.BEFORE, bytes(24))]
)
def test_its_scheme_stays_when_its_answer_goes(kind: Kind, content: bytes) -> None:
    before = weather("a", receipts=left_by_700e510(b"some key", kind, content))
    newest = Receipt(Key.of(b"new").digest, b"meaning.", 1, 8, 9, Kind.ANSWER, b"answer")
    after = weather("a", receipts=remember(before, newest))
    found = recall(after, Key.of(b"some key"))
    assert found is not None
    assert (found.kind, found.content, found.scheme) == (Kind.FORGOTTEN, b"", 0)
    own = recall(after, Key.of(b"new"))
    assert own == newest
    assert own.scheme == 1
    forgotten = remember(after, Receipt(b"k" * 16, b"m" * 8, 1, 9, 9, kind, content))
    once_more = recall(weather("a", receipts=forgotten), Key.of(b"new"))
    assert once_more is not None
    assert once_more.scheme == 1
