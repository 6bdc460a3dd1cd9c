"""A rolling upgrade: a process of the older release beside stores of this one, on one Redis."""

import struct
from contextlib import closing

import pytest

from service.errors import StoreError
from service.stores.redis.partitions import LISTINGS, SCHEMAS, home_of
from service.stores.redis.store import RedisStore
from tests.contract.listing_contract import ids_of, listed
from tests.contract.redis.old_process import OldRelease, opened
from tests.contract.sessions import finished, found_in, moved, read, replaced, session, step
from tests.redis_server import RedisServer

WRITERS = struct.pack("<8sQ8sQ", b"writer a", 2**64 - 1, b"writer b", 7)


def test_an_empty_database_begins_at_the_new_schema(server: RedisServer) -> None:
    server.ask("FLUSHALL")
    with closing(opened(server)) as store:
        assert store.counts_changes
        store.create(session(tenant="north"))
    assert {server.ask("GET", key) for key in SCHEMAS} == {b"2"}


def test_a_node_that_lost_all_takes_the_schema_of_the_others(
    server: RedisServer, old: OldRelease
) -> None:
    server.ask("DEL", *SCHEMAS[:20])
    with closing(opened(server)) as store:
        assert not store.counts_changes
    assert {server.ask("GET", key) for key in SCHEMAS} == {b"1"}
    assert old.ask("step", "theirs", steps=1)["step"] == 1


def test_both_releases_read_and_write_each_other_s_sessions(
    old: OldRelease, beside: RedisStore
) -> None:
    before = found_in(beside, "theirs")
    assert (before.step, before.changes, before.writers) == (0, 0, b"")
    after = step(beside, before, revision=2**62 + 1, writers=WRITERS)
    theirs = old.ask("step", "theirs", steps=1)
    assert theirs["revision"] == 2**62 + 2
    assert theirs["step"] == 2
    found = found_in(beside, "theirs")
    assert found.revision == 2**62 + 2
    assert found.writers == WRITERS
    assert found.receipts.startswith(b"old %12d" % 0)
    assert found.receipts.endswith(before.receipts)
    assert replaced(beside, (after, moved(after))) == [False]
    ours = session("ours", receipts=before.receipts, writers=WRITERS, metadata=b'{"a": 1}')
    beside.create(ours)
    assert old.ask("read", "ours")["metadata"] == ours.metadata.hex()
    assert old.ask("step", "ours", steps=1)["revision"] == ours.revision + 1
    assert found_in(beside, "ours").metadata == ours.metadata
    assert ids_of(listed(beside)) == ["ours", "theirs"]
    assert beside.count(session().created_at) == 2


def test_writers_outlive_any_number_of_writes(old: OldRelease, beside: RedisStore) -> None:
    beside.create(session(receipts=b"", writers=WRITERS))
    old.ask("step", "s", steps=20)
    found = found_in(beside)
    assert found.step == session().step + 20
    assert found.writers == WRITERS
    after = step(beside, found, writers=WRITERS[16:])
    old.ask("step", "s", steps=20)
    assert found_in(beside).writers == WRITERS[16:]
    assert found_in(beside).step == after.step + 20


def test_nothing_is_lost_where_both_step_one_session(old: OldRelease, beside: RedisStore) -> None:
    beside.create(session(step=0, writers=WRITERS))
    old.begin("step", "s", steps=300)
    ours = 0
    while ours < 300:
        before = found_in(beside)
        ours += replaced(beside, (before, moved(before))) == [True]
    old.answer()
    found = found_in(beside)
    assert found.step == 600
    assert found.writers == WRITERS


def test_what_the_older_release_cannot_keep_is_refused(beside: RedisStore) -> None:
    whole = session()
    beside.create(whole)
    for fields, words in (
        ({"tenant": "north"}, "has a tenant"),
        ({"constants": b"1234"}, "has constant inputs"),
    ):
        with pytest.raises(StoreError, match=f"{words}.*finish-upgrade"):
            beside.create(session("new", **fields))
    back = moved(whole, fell_back_from=3)
    first, second = replaced(beside, (whole, back), (whole, moved(whole)))
    assert isinstance(first, StoreError)
    assert "has fallen back" in str(first)
    assert second is True
    assert found_in(beside).changes == 0, "nobody counts"
    assert read(beside, tenant="north") is None
    assert listed(beside, tenant="north") == []


def test_a_finished_session_is_removed(
    server: RedisServer, old: OldRelease, beside: RedisStore
) -> None:
    one, other = session(), session("other")
    beside.create(one)
    beside.create(other)
    outcomes = replaced(beside, (other, finished(one)), (other, moved(other)), (one, finished(one)))
    assert outcomes == [False, True, True]
    assert read(beside) is None
    assert old.ask("read", "s") is None
    assert server.ask("ZSCORE", LISTINGS[home_of("", "s").partition], "weather\0s") is None
    assert old.ask("create", "s")


def test_nothing_expires_in_redis_that_this_release_wrote(
    server: RedisServer, beside: RedisStore
) -> None:
    key = home_of("", "theirs").key
    assert server.ask("PTTL", key) > 0, "as the older release has it"
    step(beside, found_in(beside, "theirs"))
    assert server.ask("PTTL", key) == -1
