"""What several processes have counted, as one answer."""

import os
import subprocess
from collections.abc import Iterator
from multiprocessing import get_context

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.metrics.exposition import Metrics, ModelInfo
from service.metrics.instruments import Counter, Family, Gauge, Histogram, Numbers
from service.metrics.memory import Memory


class Worker:
    """What one process of several has: its own families, in its own page."""

    def __init__(self, memory: Memory, place: int) -> None:
        self.counter = Counter("test_steps_total", "", ("model",))
        self.level = Gauge("test_open", "")
        self.known = Gauge("test_sessions", "", latest=True)
        self.seconds = Histogram("test_seconds", "", bounds=(0.5, 1.0))
        self.families: tuple[Family[Numbers], ...] = (
            self.counter,
            self.level,
            self.known,
            self.seconds,
        )
        self.metrics = Metrics(self.families)
        self.metrics.share(memory, place)

    def count(self, steps: int, opened: int, sessions: int, seconds: float) -> None:
        self.counter.labels("m").inc(steps)
        self.level.labels().inc(opened)
        self.known.labels().note(sessions)
        self.seconds.labels().observe(seconds)

    def shown(self) -> dict[str, float]:
        text = self.metrics.render("", [])[0].decode()
        return {
            sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


def count_elsewhere(memory: Memory, place: int) -> None:
    """In a process of its own."""
    Worker(memory, place).count(3, 1, 7, 0.75)


@pytest.fixture
def ended_pid() -> Iterator[int]:
    """Of a process that is no more."""
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    yield ended.pid


def test_each_process_answers_for_all() -> None:
    memory = Memory(2)
    first, second = Worker(memory, 0), Worker(memory, 1)
    first.count(3, 1, 5, 0.25)
    second.count(4, 2, 9, 1.0)
    second.seconds.labels().observe(7.0)
    for one in (first, second):
        shown = one.shown()
        assert shown["test_steps_total m"] == 7
        assert shown["test_open"] == 3
        assert shown["test_sessions"] == 9
        assert [shown[f"test_seconds_bucket {le}"] for le in ("0.5", "1.0", "+Inf")] == [1, 2, 3]
        assert (shown["test_seconds_count"], shown["test_seconds_sum"]) == (3, 8.25)
        assert {"process_open_fds 0", "process_open_fds 1"} <= set(shown)
    first.known.labels().note(8)
    assert second.shown()["test_sessions"] == 8


def test_of_a_process_that_has_ended_only_what_it_counted_is_left(ended_pid: int) -> None:
    memory = Memory(2)
    first, second = Worker(memory, 0), Worker(memory, 1)
    first.count(3, 1, 5, 0.25)
    second.count(4, 2, 9, 1.0)
    assert memory.page(1).pid == os.getpid()
    memory.page(1).values[0] = ended_pid
    shown = first.shown()
    assert shown["test_steps_total m"] == 7
    assert shown["test_seconds_count"] == 2
    assert shown["test_open"] == 1
    assert shown["test_sessions"] == 5
    assert "process_open_fds 1" not in shown


def test_memory_goes_with_a_spawned_process() -> None:
    memory = Memory(2)
    here = Worker(memory, 0)
    spawned = get_context("spawn").Process(target=count_elsewhere, args=(memory, 1))
    spawned.start()
    spawned.join(timeout=60)
    assert spawned.exitcode == 0
    shown = here.shown()
    assert shown["test_steps_total m"] == 3
    assert shown["test_seconds_bucket 1.0"] == 1
    assert "test_sessions" not in shown  # the only one that knew has ended


def test_what_nobody_has_noted_is_not_shown() -> None:
    worker = Worker(Memory(1), 0)
    worker.known.labels()
    assert "test_sessions" not in worker.shown()
    assert "process_open_fds" in worker.shown()


def test_models_are_shown() -> None:
    text = Worker(Memory(1), 0).metrics.render("", [ModelInfo("a", 2, "P")])[0].decode()
    assert 'gatewise_model_info{model="a",provider="P",version="2"} 1.0' in text
