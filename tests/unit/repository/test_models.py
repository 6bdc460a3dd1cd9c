"""Models that become more while they are read."""

import shutil
from pathlib import Path
from threading import Event, Thread

import pytest

from service.bundle.bundle import read_bundle
from service.engine.engine import Engine
from service.engine.provider import Provider
from service.errors import ModelNotFound, VersionNotFound, VersionUnavailable
from service.repository.models import Models


@pytest.fixture
def engines(repository: Path, tmp_path: Path) -> list[Engine]:
    """Versions 1, 2 and 10 of one model."""
    return [engine_of(repository, tmp_path, version) for version in (1, 2, 10)]


def engine_of(repository: Path, folder: Path, version: int) -> Engine:
    place = folder / str(version)
    shutil.copytree(repository / "weather" / "1", place)
    manifest = place / "manifest.json"
    text = manifest.read_text("utf-8")
    manifest.write_text(text.replace('"version": 1', f'"version": {version}'), "utf-8")
    return Engine(read_bundle(place), Provider())


def test_a_version_that_is_added_is_the_latest_if_it_is_higher(engines: list[Engine]) -> None:
    first, second, tenth = engines
    models = Models([second])
    models.add(first)
    assert models.default("weather") is second
    models.add(tenth)
    assert models.default("weather") is tenth
    assert [models.version("weather", number) for number in (1, 2, 10)] == engines
    assert models.versions("weather") == [1, 2, 10]
    assert models.names() == ["weather"]
    assert set(models) == set(engines)
    assert ("weather", 10) in models
    assert ("weather", 3) not in models
    assert ("wind", 1) not in models


def test_a_version_that_is_missed_is_asked_for(engines: list[Engine]) -> None:
    models = Models(engines)
    assert not models.missed.is_set()
    with pytest.raises(VersionUnavailable, match=r"version 3 of model .weather. .* are intact"):
        models.version("weather", 3)
    assert models.missed.is_set()


@pytest.mark.parametrize("version", [3, 11])
def test_a_version_that_nobody_has_published_is_not_found(
    engines: list[Engine], tmp_path: Path, version: int
) -> None:
    expected = f"no version {version} of model 'weather'; served here: 1, 2, 10"
    for models in (Models(engines), Models(engines, tmp_path), Models(engines, tmp_path / "gone")):
        assert models.wanted("weather", 10) is engines[-1]
        with pytest.raises(VersionNotFound, match=expected):
            models.wanted("weather", version)
        assert not models.missed.is_set()


@pytest.mark.parametrize("version", [3, 11])
def test_a_version_that_is_published_and_not_loaded_is_asked_for(
    engines: list[Engine], tmp_path: Path, version: int
) -> None:
    models = Models(engines, tmp_path)
    (tmp_path / "weather" / str(version)).mkdir(parents=True)
    with pytest.raises(VersionUnavailable):
        models.wanted("weather", version)
    assert models.missed.is_set()


def test_a_version_that_may_be_in_a_repository_that_cannot_be_read(engines: list[Engine]) -> None:
    """A name that is too long stands for whatever keeps a folder from being looked into."""
    models = Models(engines, Path("x" * 5000))
    with pytest.raises(VersionUnavailable):
        models.wanted("weather", 3)


def test_a_model_that_is_missed_is_asked_for(engines: list[Engine]) -> None:
    models = Models(engines)
    with pytest.raises(ModelNotFound, match="there is no model 'wind'; served here: weather"):
        models.default("wind")
    assert models.missed.is_set()


def test_readers_go_on_over_what_they_began_with(engines: list[Engine]) -> None:
    models = Models(engines[:1])
    read = iter(models)
    next(read)
    for engine in engines[1:]:
        models.add(engine)
    assert list(read) == []
    assert len(list(models)) == 3


def test_reading_while_another_thread_adds(engines: list[Engine]) -> None:
    """A table that grew under its readers would raise "changed size during iteration"."""
    models = Models(engines[:1])
    over = Event()

    def read() -> None:
        while not over.is_set():
            assert models.default("weather").manifest.version in (1, 2, 10)
            assert models.versions("weather")[0] == 1
            seen.append(len(list(models)))

    seen: list[int] = []
    reader = Thread(target=read)
    reader.start()
    for engine in engines[1:] * 2000:
        models.add(engine)
    over.set()
    reader.join()
    assert seen
    assert set(seen) <= {1, 2, 3}
