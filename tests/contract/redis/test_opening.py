"""Which Redis is taken for a store, and which is refused and left as it was."""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from service.errors import SessionDamaged, StoreError
from service.stores.redis.partitions import CLOCK, EXPIRIES, LISTINGS, SCHEMAS, home_of
from service.stores.redis.store import RedisStore
from tests.contract.listing_contract import listed
from tests.contract.redis.stores import TIMEOUT_SECONDS, damage_record, everything, opened
from tests.contract.sessions import read, same, session, step
from tests.redis_server import RedisServer, running
from tests.service_process import free_port

PASSWORD = "secret:/@%word"
ENCODED = "secret%3A%2F%40%25word"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    with running(server):
        yield server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("guarded"), password=PASSWORD)
    with running(server):
        server.ask("ACL", "SETUSER", "gru", "on", f">{PASSWORD}", "~gatewise:*", "+@all")
        yield server


def refused(server: RedisServer, words: str, url: str | None = None) -> None:
    before = everything(server)
    with pytest.raises(StoreError, match=words) as raised:
        opened(url or server.url)
    assert "\n" not in str(raised.value)
    assert f"127.0.0.1:{server.port}" in str(raised.value)
    assert everything(server) == before


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("SET", SCHEMAS[0], "3"), "have schema version 3, this release knows 1 and 2"),
        (("SET", SCHEMAS[63], ""), "have schema version , this release"),
        (("RPUSH", SCHEMAS[5], "1"), "of another application"),
        (("SET", LISTINGS[63], "1"), "of another application"),
        (("ZADD", EXPIRIES[7], 0, "x"), "of another application"),
        (("SET", CLOCK, "x"), "of another application"),
    ],
)
def test_data_of_others(server: RedisServer, command: tuple[str | bytes, ...], words: str) -> None:
    server.ask("FLUSHALL")
    server.ask(*command)
    refused(server, words)


def test_one_partition_of_another_version(server: RedisServer) -> None:
    server.ask("FLUSHALL")
    with closing(opened(server.url)) as store:
        store.create(session())
        server.ask("SET", SCHEMAS[30], "3")
        refused(server, "schema version 3")
        with pytest.raises(StoreError, match=r"SCHEMA 3.*newer release"):
            for number in range(1000):
                store.create(session(str(number)))


def test_keys_beside_ours_are_left_alone(server: RedisServer) -> None:
    server.ask("FLUSHALL")
    server.ask("SET", "other", "1")
    before = everything(server)
    with closing(opened(server.url)) as store:
        store.create(session())
        store.remove(session().identity)
        assert store.purge(1e12, 10) == 0
    after = everything(server)
    assert {key: after[key] for key in before} == before


def test_a_redis_that_would_drop_sessions(server: RedisServer) -> None:
    server.ask("CONFIG", "SET", "maxmemory", "1gb", "maxmemory-policy", "volatile-lru")
    try:
        refused(server, "maxmemory-policy noeviction")
    finally:
        server.ask("CONFIG", "SET", "maxmemory", "0")
    opened(server.url).close()
    server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")


def test_a_cluster_url_for_a_single_redis(server: RedisServer) -> None:
    refused(server, "use redis://", f"redis-cluster://127.0.0.1:{server.port}")


@pytest.mark.parametrize("scheme", ["redis", "redis-cluster"])
def test_nobody_there(scheme: str) -> None:
    port = free_port()
    with pytest.raises(StoreError, match=r"cannot be reached.*refused") as raised:
        opened(f"{scheme}://:hidden@127.0.0.1:{port}")
    assert f":***@127.0.0.1:{port}" in str(raised.value)
    assert "hidden" not in str(raised.value)


def test_a_redis_that_does_not_answer(server: RedisServer) -> None:
    started = time.monotonic()
    with server.frozen(), pytest.raises(StoreError, match="did not answer"):
        opened(server.url)
    assert time.monotonic() - started < 4 * TIMEOUT_SECONDS


@pytest.mark.parametrize("credentials", [f":{ENCODED}", f"default:{ENCODED}", f"gru:{ENCODED}"])
def test_the_right_password(guarded: RedisServer, credentials: str) -> None:
    with closing(opened(f"redis://{credentials}@127.0.0.1:{guarded.port}/0")) as store:
        store.remove(session().identity)
        store.create(session())
        assert same(read(store), session())


def test_the_rights_in_the_documentation_are_enough(guarded: RedisServer) -> None:
    page = (Path(__file__).parents[3] / "docs" / "sessions.md").read_text("utf-8")
    (rights,) = re.findall(r"ACL SETUSER gatewise on >PASSWORD (.*)", page)
    guarded.ask("FLUSHALL")
    guarded.ask("ACL", "SETUSER", "few", "reset", "on", f">{PASSWORD}", *rights.split())
    for key in SCHEMAS:
        guarded.ask("SET", key, "1")
    url = f"redis://few:{ENCODED}@127.0.0.1:{guarded.port}/0"
    with closing(opened(url)) as store:
        store.create(session())
        step(store, session())
        assert isinstance(store, RedisStore)
        store.finish_upgrade()
        store.refresh_clock()
        store.accept_clock()
        damage_record(guarded, home_of("", "s").key, "cut off")
        (damaged,) = listed(store)
        assert isinstance(damaged, SessionDamaged)
        assert store.remove(session().identity)
        assert store.purge(1e12, limit=10) == store.count(0.0) == 0
    assert guarded.ask("ACL", "LOG") == []
    guarded.ask("ACL", "SETUSER", "few", "-time")
    refused(guarded, "NOPERM.*'time'.*let this Redis user run INFO, PING, TIME", url)


@pytest.mark.parametrize(
    ("credentials", "words"),
    [
        ("", "NOAUTH.*put it into the URL"),
        (":wrong-word@", "WRONGPASS.*check the URL"),
        ("gru:wrong-word@", "WRONGPASS"),
        ("nobody:wrong-word@", "WRONGPASS"),
    ],
)
def test_the_wrong_password_is_not_told(guarded: RedisServer, credentials: str, words: str) -> None:
    refused_url = f"redis://{credentials}127.0.0.1:{guarded.port}/0"
    refused(guarded, words, refused_url)
    with pytest.raises(StoreError) as raised:
        opened(refused_url)
    assert "wrong-word" not in str(raised.value)
    assert PASSWORD not in str(raised.value)


def test_databases_are_apart(server: RedisServer) -> None:
    server.ask("FLUSHALL")
    first, second = (f"redis://127.0.0.1:{server.port}/{number}" for number in (0, 3))
    with closing(opened(first)) as here, closing(opened(second)) as there:
        here.create(session())
        assert read(there) is None
        server.restart()
        assert read(here) is None
        assert read(there) is None
        there.create(session())
        assert read(here) is None, "a new connection takes the same database"


def test_over_tls(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    tls_port = free_port()
    files = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key))
    options = ("--tls-port", str(tls_port), *files, "--tls-auth-clients", "no")
    server = RedisServer(tmp_path / "redis", options=options)
    with running(server):
        url = f"rediss://127.0.0.1:{tls_port}/0"
        with pytest.raises(StoreError, match="certificate"):
            opened(url)
        with closing(opened(f"{url}?ssl_ca_certs={certificate}")) as store:
            store.create(session())
            assert same(read(store), session())
