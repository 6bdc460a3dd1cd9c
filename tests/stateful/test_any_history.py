"""Sessions, whatever is done to them and in which order, against a dict and the oracle.

Hypothesis makes up the histories out of the rules in this folder. A plain dict (`world.py`) says
which sessions there should be and what every request must be told; the float64 oracle says what
states and outputs are. After every rule every session is looked at.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import seed, settings
from hypothesis.stateful import run_state_machine_as_test

from model_export.package import publish_trained
from service.bundle.folders import read_repository
from service.engine.engine import Engine
from service.engine.provider import Provider
from service.repository.models import load_models
from tests.bundles import plain_report, tokens_model, values_model
from tests.oracle import Oracle
from tests.redis_server import RedisCluster, RedisServer, running
from tests.stateful.creation import Births
from tests.stateful.places import Memory, OneRedis, Place, RedisOfThree, Sqlite
from tests.stateful.races import Races
from tests.stateful.retries import Retries
from tests.stateful.setbacks import Setbacks

TRAINED = {
    ("weather", 1): values_model("weather"),
    ("weather", 2): values_model("weather", seed=5),
    ("weather", 3): values_model("weather", hidden_sizes=(5,), seed=6),
    ("letters-deep", 1): tokens_model("letters-deep", hidden_sizes=(6, 4, 5)),
}
"""What is published, by name and version."""


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Engine]:
    repository = tmp_path_factory.mktemp("versions")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model_export.publish.write_report", plain_report)
        for trained in TRAINED.values():
            publish_trained(trained, repository)
    return tuple(load_models(read_repository(repository), Provider()))


@pytest.fixture(scope="module")
def one_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneRedis]:
    server = RedisServer(tmp_path_factory.mktemp("redis"), append_only=True)
    with running(server):
        yield OneRedis(server)


@pytest.fixture(scope="module")
def redis_of_three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisOfThree]:
    cluster = RedisCluster(tmp_path_factory.mktemp("cluster"), append_only=True)
    with running(cluster):
        yield RedisOfThree(cluster)


# Hundreds of histories, on a machine that may be busy with other work.
pytestmark = pytest.mark.timeout(400)


class AnyHistory(Births, Races, Retries, Setbacks):
    """All rules."""


OCCURS = {
    *("Create: told", "Create: told again", "Create: SessionExists"),
    *("Step: told", "Step: told again", "Step: WriterUnknown"),
    *("Step: PreconditionFailed", "Step: StepConflict"),
    *("Step: SessionExpired", "Step: SessionFinished", "Step: SessionNotFound"),
    *("Rollout: told", "Rollout: told again", "PutState: told", "PutState: told again"),
    *("Migrate: told", "Fork: told", "Fork: told again"),
}
"""What no place's histories may lack: without it they would prove little."""

OCCURS_SOMEWHERE = {
    *("Create: KeyReused", "Create: SessionFinished", "Step: KeyReused"),
    *("Step: told again, computed", "Step: AnswerNotKept", "Step: SessionFellBack"),
}
"""What is rarer, and must be where histories cost least."""


MOST_ROUNDS = 8


def check(
    place: Place,
    engines: Sequence[Engine],
    examples: int,
    wanted: set[str] = OCCURS,
    capacity: int = 1000,
) -> None:
    """Run histories in a place, in rounds, until every kind of outcome that is wanted occurred."""

    class There(AnyHistory):
        pass

    There.place, There.engines, There.max_sessions = place, engines, capacity
    There.networks = {version: Oracle(trained.network) for version, trained in TRAINED.items()}
    There.seen = set()
    histories = settings(max_examples=examples, stateful_step_count=40, database=None)
    for number in range(MOST_ROUNDS):
        run_state_machine_as_test(seed(number)(There), settings=histories)
        if There.seen >= wanted:
            return
    raise AssertionError(f"make more histories: {wanted - There.seen} never occurred")


def test_in_memory(engines: Sequence[Engine]) -> None:
    check(Memory(), engines, 90, OCCURS | OCCURS_SOMEWHERE)


def test_in_sqlite(engines: Sequence[Engine], tmp_path: Path) -> None:
    check(Sqlite(tmp_path, replicas=2), engines, 50)


def test_with_room_for_few(engines: Sequence[Engine], tmp_path: Path) -> None:
    wanted = OCCURS | {"Create: TooManySessions", "Fork: TooManySessions"}
    check(Sqlite(tmp_path, replicas=1), engines, 40, wanted, capacity=3)


def test_in_redis(engines: Sequence[Engine], one_redis: OneRedis) -> None:
    check(one_redis, engines, 45)


def test_in_a_redis_cluster(engines: Sequence[Engine], redis_of_three: RedisOfThree) -> None:
    check(redis_of_three, engines, 35)
