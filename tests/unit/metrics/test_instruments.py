"""Counters, gauges and histograms: exact from many threads, wherever their numbers are."""

import math
import sys
import threading
from collections.abc import Iterator

import pytest

from service.metrics.instruments import Counter, Gauge, Histogram
from service.metrics.memory import VALUES, Memory, Page


def numbers_in(page: Page, *key: str) -> list[float]:
    return dict(page.read())[key]


@pytest.fixture
def hurried_threads() -> Iterator[None]:
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hurried_threads")
def test_nothing_that_several_threads_count_is_lost() -> None:
    page = Memory().page(0)
    counter, histogram = Counter("c_total", ""), Histogram("h", "", bounds=(1.0,))
    counter.move(page)
    histogram.move(page)

    def count() -> None:
        for _ in range(20_000):
            counter.labels().inc()
            histogram.labels().observe(2.0)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers_in(page, "c_total") == [80_000]
    assert numbers_in(page, "h") == [0, 80_000, 160_000]


def test_an_observation_is_counted_at_the_first_bound_that_it_does_not_exceed() -> None:
    page = Memory().page(0)
    histogram = Histogram("h", "", ("kind",), bounds=(1.0, 2.0))
    histogram.move(page)
    child = histogram.labels("a")
    for value in (0.5, 1.0, 1.5, 2.0, 2.5):
        child.observe(value)
    child.observe_alone(math.pi)
    numbers = numbers_in(page, "h", "a")
    assert numbers == [2, 2, 2, pytest.approx(7.5 + math.pi)]
    assert histogram.cumulative(numbers) == [2, 4, 6]


def test_time_is_observed_where_work_fails_too() -> None:
    page = Memory().page(0)
    histogram = Histogram("h", "", bounds=(60.0,))
    histogram.move(page)
    assert histogram.labels().time(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        histogram.labels().time(divmod, 7, 0)
    assert numbers_in(page, "h")[:2] == [2, 0]


def test_who_takes_the_place_of_another_goes_on_counting_and_opens_anew() -> None:
    memory = Memory(2)
    page = memory.page(1)
    counter, gauge = Counter("c_total", "", ("kind",)), Gauge("g", "", ("kind",))
    counter.move(page)
    gauge.move(page)
    counter.labels("a").inc(3)
    gauge.labels("a").inc(3)
    gauge.labels("b").set(5)

    page = memory.page(1)
    counter, gauge = Counter("c_total", "", ("kind",)), Gauge("g", "", ("kind",))
    counter.labels("a").inc(2)  # before it knows its place
    gauge.labels("a").inc(2)
    counter.move(page)
    gauge.move(page)
    counter.labels("a").inc()
    counter.labels("b").inc()
    assert numbers_in(page, "c_total", "a") == [6]
    assert numbers_in(page, "c_total", "b") == [1]
    assert numbers_in(page, "g", "a")[0] == 2
    assert numbers_in(page, "g", "b")[0] == 0
    assert not list(memory.page(0).read())


def test_what_finds_no_room_is_counted_for_nobody() -> None:
    page = Memory().page(0)
    first, last = Counter("first_total", ""), Counter("last_total", "")
    first.move(page)
    first.labels().inc()
    wide = Histogram("wide", "", bounds=range(VALUES - 8))
    wide.move(page)
    wide.labels()
    narrow = Histogram("narrow", "", bounds=range(8))
    narrow.move(page)
    narrow.labels().observe(3)
    last.move(page)
    last.labels().inc()
    first.labels().inc()
    assert numbers_in(page, "first_total") == [2]
    assert numbers_in(page, "last_total") == [1]
    assert "narrow" not in [key[0] for key, _ in page.read()]
    assert sum(numbers_in(page, "wide")) == 0
