"""The end of a rolling upgrade: everything is written as this release does."""

from contextlib import closing

import pytest

from service.errors import StoreError
from service.stores.redis.partitions import SCHEMAS, home_of
from service.stores.redis.store import RedisStore
from service.stores.store import Identity, Session
from tests.contract.listing_contract import ids_of, listed
from tests.contract.redis.old_process import OldRelease, opened
from tests.contract.redis.stores import created, damage_record
from tests.contract.sessions import finished, found_in, moved, read, replaced, same, session, step
from tests.redis_server import RedisServer


def test_finishing_rewrites_everything(
    server: RedisServer, old: OldRelease, beside: RedisStore
) -> None:
    for number in range(300):
        assert old.ask("create", f"s{number}")
    old.ask("step", "s5", steps=3)
    beside.create(session(writers=b"writer a" + bytes(8)))
    damage_record(server, home_of("", "s7").key, "cut off")
    server.ask("PEXPIRE", home_of("", "s7").key, 1_000_000)
    server.ask("DEL", home_of("", "s8").key)
    before = {one.session_id: one for one in listed(beside, limit=1000)}
    assert beside.finish_upgrade() == 300, "301 and ours, without one that is gone, one damaged"
    assert beside.counts_changes
    assert {server.ask("GET", key) for key in SCHEMAS} == {b"2"}
    for one in listed(beside, limit=1000):
        key = home_of("", one.session_id).key
        assert server.ask("PTTL", key) == -1
        if isinstance(one, Session):
            assert server.ask("GETRANGE", key, 0, 0) == b"\x02"
            was = before[one.session_id]
            assert isinstance(was, Session)
            assert same(one, was), "with its revision"
    assert beside.finish_upgrade() == 0


def test_partitions_of_more_than_one_question(server: RedisServer, beside: RedisStore) -> None:
    partition = home_of("", "theirs").partition
    ids = [one for one in map(str, range(20_000)) if home_of("", one).partition == partition][:150]
    created(beside, *ids)
    assert beside.finish_upgrade() == 151
    assert {server.ask("GETRANGE", home_of("", one).key, 0, 0) for one in ids} == {b"\x02"}


def test_an_older_process_fails_cleanly_when_the_upgrade_is_finished(
    server: RedisServer, old: OldRelease, beside: RedisStore
) -> None:
    old.ask("step", "theirs", steps=2)
    with closing(opened(server)) as finishing:
        finishing.finish_upgrade()
    kept = found_in(beside, "theirs")
    for call, words in (
        (("step", "theirs"), "has format 2"),
        (("read", "theirs"), "has format 2"),
        (("create", "new"), "SCHEMA 2"),
        (("create", "theirs"), "SCHEMA 2"),
        (("delete", "theirs"), "FORMAT 2"),
    ):
        with pytest.raises(StoreError, match=words):
            old.ask(*call, steps=1)
    assert same(found_in(beside, "theirs"), kept)
    step(beside, kept)


def test_an_older_process_that_is_stepping_meanwhile(
    server: RedisServer, old: OldRelease, beside: RedisStore
) -> None:
    """It was at work when the operator thought that it had gone. What it was answered stays."""
    old.begin("step", "theirs", steps=1_000_000)
    before = found_in(beside, "theirs")
    while found_in(beside, "theirs").step < before.step + 20:
        pass
    assert beside.finish_upgrade() == 1
    kept = found_in(beside, "theirs")
    with pytest.raises(StoreError, match="has format 2"):
        old.answer()
    assert same(found_in(beside, "theirs"), kept)
    assert server.ask("PTTL", home_of("", "theirs").key) == -1
    step(beside, kept)


def finished_elsewhere(server: RedisServer) -> None:
    with closing(opened(server)) as other:
        other.finish_upgrade()


def test_others_notice_at_the_next_look_at_the_clock(
    server: RedisServer, beside: RedisStore
) -> None:
    clone = beside.clone_for_thread()
    beside.refresh_clock()
    assert not beside.counts_changes
    server.ask("SET", SCHEMAS[-1], "2")
    beside.refresh_clock()
    assert beside.counts_changes
    assert clone.counts_changes
    clone.close()


def test_others_notice_by_reading(server: RedisServer, beside: RedisStore) -> None:
    finished_elsewhere(server)
    found_in(beside, "theirs")
    assert beside.counts_changes


def test_others_notice_by_creating(server: RedisServer, beside: RedisStore) -> None:
    finished_elsewhere(server)
    beside.create(session())
    assert beside.counts_changes
    assert same(read(beside), session())


def test_others_notice_by_replacing(server: RedisServer, beside: RedisStore) -> None:
    """What they hold in memory is put over what was written anew, in the new format."""
    one, other = session(), session("other")
    beside.create(one)
    beside.create(other)
    finished_elsewhere(server)
    outcomes = replaced(beside, (one, moved(one)), (other, moved(one)), (other, finished(other)))
    assert outcomes == [True, False, True]
    assert beside.counts_changes
    assert same(read(beside), moved(one))
    assert same(read(beside, "other"), finished(other))


def test_one_that_expired_is_not_created_in_the_old_format_over_the_new(
    server: RedisServer, beside: RedisStore
) -> None:
    first = session(created_at=1000.0, expires_at=1001.0)
    beside.create(first)
    finished_elsewhere(server)
    for key in SCHEMAS:
        server.ask("SET", key, "1")
    beside.create(session(model="other"))
    assert beside.counts_changes
    assert same(read(beside), session(model="other"))
    assert ids_of(listed(beside, "other")) == ["s"]


def test_an_upgrade_that_broke_off_is_gone_on_with(server: RedisServer, beside: RedisStore) -> None:
    server.ask("SET", SCHEMAS[9], "2")
    with closing(opened(server)) as next_one:
        assert next_one.counts_changes
        next_one.create(session(tenant="north"))
        assert same(read(next_one, tenant="north"), session(tenant="north"))
        assert next_one.finish_upgrade() == 1
    assert {server.ask("GET", key) for key in SCHEMAS} == {b"2"}
    assert beside.remove(Identity("", "theirs"))


def test_an_unreachable_redis_is_not_upgraded(server: RedisServer, beside: RedisStore) -> None:
    server.kill()
    try:
        with pytest.raises(StoreError, match="cannot be reached"):
            beside.finish_upgrade()
    finally:
        server.start()
    assert server.ask("GET", SCHEMAS[0]) == b"1"
    assert beside.finish_upgrade() == 1


def test_a_database_of_a_later_release_is_not_upgraded(
    server: RedisServer, beside: RedisStore
) -> None:
    server.ask("SET", SCHEMAS[5], "3")
    with pytest.raises(StoreError, match="schema version 3"):
        beside.finish_upgrade()
    assert server.ask("GET", SCHEMAS[0]) == b"1"
