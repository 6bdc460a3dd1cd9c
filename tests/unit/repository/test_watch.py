"""The watch goes on, whatever it finds."""

import os
from pathlib import Path

import pytest

from service.engine.provider import Provider
from service.errors import RepositoryError
from service.metrics.catalogue import REGISTRY
from service.repository.models import Models
from service.repository.watch import Watch
from tests.waiting import wait_until


def failures() -> float:
    return REGISTRY.get_sample_value("gatewise_thread_failures_total", {"thread": "watch"}) or 0.0


async def test_a_mistake_does_not_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    searches = 0

    def search() -> None:
        nonlocal searches
        searches += 1
        if searches == 1:
            raise ValueError("a mistake")

    watch, before = Watch(Models(), tmp_path, Provider(), 0.01), failures()
    monkeypatch.setattr(watch, "search", search)
    watch.start()
    wait_until(lambda: searches >= 3, lambda: searches)
    await watch.close()
    assert failures() == before + 1


def test_a_name_that_is_no_text_is_refused_like_any_other(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/weather-\xff/1")).mkdir(parents=True)
    models = Models()
    Watch(models, tmp_path, Provider(), 1).search()
    assert [version for _, version, _ in models.refused()] == [1]


def test_a_repository_that_cannot_be_read_stops_the_start() -> None:
    """A name that is too long stands for whatever keeps a folder from being looked into."""
    repository = Path("x" * 5000)
    watch = Watch(Models(repository=repository), repository, Provider(), 1)
    with pytest.raises(RepositoryError, match=r"cannot be read: .*File name too long"):
        watch.begin()
