"""Copies that three threads share."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from random import Random

import numpy as np
import pytest

from service.sessions.recent import OVERHEAD_BYTES, Recent
from service.stores.columns import Columns
from tests.contract.sessions import same, session

THREADS = 3
SECONDS = 2.0
ROOM = 40
"""So many of the larger sessions are kept."""

SMALL = [session(str(number), state=np.zeros(1, np.float32)) for number in range(50)]
LARGE = [session(str(number), state=np.zeros(64, np.float32)) for number in range(50, 100)]
ALL = SMALL + LARGE
IDENTITIES = [one.identity for one in ALL]


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """They take turns a thousand times as often as they do otherwise."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hasty_threads")
def test_nothing_breaks_and_the_bytes_add_up() -> None:
    size = OVERHEAD_BYTES + LARGE[0].state.nbytes + len(LARGE[0].metadata)
    recent = Recent(ROOM * size)
    errors: list[BaseException] = []
    end = time.monotonic() + SECONDS

    def use(seed: int) -> None:
        random = Random(seed)
        try:
            while time.monotonic() < end:
                use_once(recent, random.randrange(len(ALL)), random)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    # With nothing in it there is as much room as at the beginning.
    for identity in IDENTITIES:
        recent.take(identity)
    for one in LARGE:
        recent.keep(one)
    _, unknown = recent.find([one.identity for one in LARGE])
    assert unknown == list(range(len(LARGE) - ROOM))


def use_once(recent: Recent, chosen: int, random: Random) -> None:
    one, identity = ALL[chosen], IDENTITIES[chosen]
    uses: list[Callable[[], object]] = [
        lambda: recent.keep(one),
        lambda: recent.keep(one, doubted=True),
        lambda: recent.keep_moved(Columns.of([one])),
        lambda: recent.doubt(identity),
        lambda: recent.take(identity),
        lambda: look(recent, chosen),
    ]
    random.choice(uses)()


def look(recent: Recent, first: int) -> None:
    """What is found is what was kept under its id."""
    for indexes, copies in recent.find(IDENTITIES[first : first + 5])[0]:
        for place, index in enumerate(indexes):
            assert same(copies.session(place), ALL[first + index])
