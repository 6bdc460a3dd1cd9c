"""A store that was filled for a measurement is one that the service could have filled."""

from pathlib import Path

from benchmarks.tools.filled_store import bytes_on_disk, fill, given
from service.stores.sqlite.store import SqliteStore
from service.stores.store import Session
from tests.contract.listing_contract import listed
from tests.contract.sessions import identities, whole


def test_sessions_are_added_to_those_that_are_there(tmp_path: Path) -> None:
    file = tmp_path / "filled.db"
    fill(file, 0, 3, 4)
    fill(file, 3, 5, 4)
    store = SqliteStore(file)
    found = store.read(identities(*(f"s{number}" for number in range(6))))
    store.close()
    assert [isinstance(one, Session) for one in found] == [True] * 5 + [False]
    states = [one.state for one in found if isinstance(one, Session)]
    assert {state.shape for state in states} == {(4,)}


def test_bytes_on_disk_are_those_of_all_files(tmp_path: Path) -> None:
    file = tmp_path / "filled.db"
    fill(file, 0, 100, 64)
    assert bytes_on_disk(file) >= 100 * 4 * 64
    assert bytes_on_disk(file) == sum(part.stat().st_size for part in tmp_path.iterdir())


def test_ids_are_given_as_the_service_gives_them(tmp_path: Path) -> None:
    file = tmp_path / "filled.db"
    fill(file, 0, 2, 4, given)
    store = SqliteStore(file)
    found = [whole(one) for one in listed(store, "bench")]
    store.close()
    assert [len(session.session_id) for session in found] == [32, 32]
    assert found[0].revision != found[1].revision
