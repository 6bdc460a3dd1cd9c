"""What operators ask of versions, as the file and as the models of a process show it."""

import shutil
from pathlib import Path

import pytest

from service.bundle.desired import DESIRED_FILE, Wish, read_desired
from service.engine.provider import Provider
from service.errors import (
    ModelNotFound,
    NoDefaultVersion,
    VersionMissing,
    VersionNotFound,
    VersionRefused,
    VersionUnavailable,
    VersionWithdrawn,
)
from service.repository.desired import choose_default, restore, withdraw
from service.repository.models import Models
from service.repository.watch import Watch


@pytest.fixture
def copy(repository: Path, tmp_path: Path) -> Path:
    """Versions 1, 2 and 10 of one model."""
    for version in (1, 2, 10):
        place = tmp_path / "weather" / str(version)
        shutil.copytree(repository / "weather" / "1", place)
        manifest = place / "manifest.json"
        text = manifest.read_text("utf-8")
        manifest.write_text(text.replace('"version": 1', f'"version": {version}'), "utf-8")
    return tmp_path


@pytest.fixture
def watch(copy: Path, models: Models) -> Watch:
    assert models
    served = Models(repository=copy)
    watch = Watch(served, copy, Provider(), 0)
    watch.begin()
    return watch


@pytest.fixture
def served(watch: Watch) -> Models:
    return watch._models


def default(models: Models) -> int:
    return models.default("weather").manifest.version


def states(models: Models) -> dict[int, str]:
    return {one.version: one.state for one in models.of("weather").states}


def test_the_newest_until_somebody_chooses(copy: Path, watch: Watch, served: Models) -> None:
    assert default(served) == 10
    choose_default(copy, "weather", 2)
    assert default(served) == 10
    watch.search()
    assert default(served) == 2
    watch.steering.choose_default("weather", 1)
    assert default(served) == 1, "at once"
    choose_default(copy, "weather", "newest")
    watch.search()
    assert default(served) == 10


def test_a_pin_ends_with_its_version(copy: Path) -> None:
    choose_default(copy, "weather", 2)
    assert withdraw(copy, "weather", 2).default == "newest"
    assert restore(copy, "weather", 2).default == "newest"
    choose_default(copy, "weather", 2)
    assert withdraw(copy, "weather", 1).default == 2


def test_a_candidate_stays_one_until_it_is_chosen(copy: Path) -> None:
    (copy / "weather" / DESIRED_FILE).write_text('{"versions": {"10": {"candidate": true}}}')
    assert withdraw(copy, "weather", 10, drop=True).of(10) == Wish(
        candidate=True, withdrawn=True, loaded=False
    )
    with pytest.raises(VersionWithdrawn, match="restore it first"):
        choose_default(copy, "weather", 10)
    assert restore(copy, "weather", 10).of(10) == Wish(candidate=True)
    assert choose_default(copy, "weather", 10).of(10) == Wish()


def test_dropping_is_not_undone_by_withdrawing(copy: Path) -> None:
    withdraw(copy, "weather", 1, drop=True)
    assert not withdraw(copy, "weather", 1).of(1).loaded


@pytest.mark.parametrize("name", ["..", ".", "", "none", "weather/1", "../weather", ".hidden"])
def test_names_that_are_no_models(copy: Path, name: str) -> None:
    (copy / ".hidden").mkdir()
    with pytest.raises(ModelNotFound):
        withdraw(copy, name, 1)
    assert not list(copy.parent.glob(f"{DESIRED_FILE}*"))


def test_versions_that_nobody_has_published(copy: Path) -> None:
    for order in (withdraw, restore, choose_default):
        with pytest.raises(VersionNotFound, match="in the repository: 1, 2, 10"):
            order(copy, "weather", 3)
    assert not (copy / "weather" / DESIRED_FILE).exists()


def test_what_is_withdrawn_is_served_to_whoever_has_it(watch: Watch, served: Models) -> None:
    watch.steering.withdraw("weather", 10)
    assert default(served) == 2
    assert served.version("weather", 10)
    with pytest.raises(VersionWithdrawn, match="models restore weather 10"):
        served.opened("weather", 10)
    watch.steering.withdraw("weather", 10, drop=True)
    with pytest.raises(VersionMissing, match="withdrawn and dropped; its sessions are intact"):
        served.version("weather", 10)
    assert ("weather", 10) not in served
    assert served.manifest("weather", 10).version == 10
    watch.search()
    assert ("weather", 10) not in served, "it is not loaded again"
    watch.steering.restore("weather", 10)
    with pytest.raises(VersionUnavailable):
        served.opened("weather", 10)
    watch.search()
    assert default(served) == 10


def test_what_was_dropped_is_not_loaded_at_the_start(copy: Path) -> None:
    for version in (1, 2, 10):
        withdraw(copy, "weather", version, drop=True)
    models = Models(repository=copy)
    Watch(models, copy, Provider(), 0).begin(strict=True)
    assert list(models) == []
    assert states(models) == dict.fromkeys((1, 2, 10), "withdrawn")
    with pytest.raises(NoDefaultVersion, match="version 1 is withdrawn; version 2 is withdrawn"):
        models.default("weather")


def test_a_version_that_was_dropped_while_it_was_loaded(watch: Watch, served: Models) -> None:
    engine = served.version("weather", 2)
    watch.steering.withdraw("weather", 2, drop=True)
    served.add(engine)
    assert ("weather", 2) not in served


def test_what_vanishes_and_comes_back(copy: Path, watch: Watch, served: Models) -> None:
    away = (copy / "weather" / "10").rename(copy / ".away")
    watch.search()
    assert default(served) == 2
    assert states(served) == {1: "serving", 2: "serving", 10: "vanished"}
    assert served.version("weather", 10)
    with pytest.raises(VersionNotFound):
        served.opened("weather", 10)
    away.rename(copy / "weather" / "10")
    assert served.opened("weather", 10)
    watch.search()
    assert default(served) == 10


def test_what_vanishes_from_a_pin(copy: Path, watch: Watch, served: Models) -> None:
    watch.steering.choose_default("weather", 1)
    (copy / "weather" / "1").rename(copy / ".away")
    watch.search()
    assert default(served) == 10
    watch.steering.withdraw("weather", 1, drop=True)
    with pytest.raises(VersionMissing):
        served.version("weather", 1)


def test_a_version_that_is_refused(copy: Path, watch: Watch, served: Models) -> None:
    broken = shutil.copytree(copy / "weather" / "2", copy / "weather" / "11")
    watch.search()
    assert default(served) == 10
    assert states(served)[11] == "refused"
    for ask in (served.version, served.wanted, served.opened):
        with pytest.raises(VersionRefused, match="its manifest says weather/2"):
            ask("weather", 11)
    away = broken.rename(copy / ".away")
    watch.search()
    assert 11 not in states(served)
    away.rename(broken)
    watch.search()
    assert states(served)[11] == "refused", "also where its files are the very same"


def test_what_is_wanted_is_read_after_the_folders(
    copy: Path, watch: Watch, served: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A candidate that is published in the middle of a search, which says so first."""
    publish = served.publish

    def between(name: str, published: set[int]) -> object:
        vanished = publish(name, published)
        (copy / name / DESIRED_FILE).write_text('{"versions": {"11": {"candidate": true}}}')
        return vanished

    new = shutil.copytree(copy / "weather" / "2", copy / "weather" / "11")
    manifest = new / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"version": 2', '"version": 11'))
    monkeypatch.setattr(served, "publish", between)
    watch.search()
    assert states(served)[11] == "candidate"
    assert default(served) == 10


def test_the_last_state_that_could_be_read_stays(copy: Path, watch: Watch, served: Models) -> None:
    watch.steering.choose_default("weather", 2)
    file = copy / "weather" / DESIRED_FILE
    file.write_text("nonsense")
    watch.search()
    assert default(served) == 2
    assert str(file) in (served.of("weather").problem or "")
    file.write_text('{"default": 1}')
    watch.search()
    assert default(served) == 1
    assert served.of("weather").problem is None
    assert read_desired(copy / "weather").default == 1
