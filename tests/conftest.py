"""Fixtures that several layers of tests share."""

from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree

import pytest
from hypothesis import settings

from model_export.demos import DEMOS
from model_export.package import publish_trained
from service.bundle.folders import read_repository
from service.engine.provider import Provider
from service.repository.models import Models, load_models
from tests.bundles import served_models
from tests.faults.figures import Figures
from tests.new_kinds import make_new_kinds
from tests.system_programs import left_out

# A busy machine makes no test fail. The rest is Hypothesis's own profile, of CI or not.
settings.register_profile("gatewise", settings.default, deadline=None)
settings.load_profile("gatewise")


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small models with random weights: both tasks, both reset variants, one and three layers.

    Shared by all tests: whoever wants to damage it works on a copy.
    """
    folder = tmp_path_factory.mktemp("models")
    for trained in served_models():
        publish_trained(trained, folder)
    return folder


@pytest.fixture(scope="session")
def models(repository: Path) -> Models:
    """The repository as the service loads it."""
    return load_models(read_repository(repository), Provider())


@pytest.fixture(scope="session")
def new_kinds(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a model for each kind of signature that those of `repository` lack."""
    return make_new_kinds(repository, tmp_path_factory.mktemp("kinds"))


@pytest.fixture(scope="session")
def demo_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained demo models, and none of the others that stand beside them.

    `make test` and `make check` train them first.
    """
    folder = tmp_path_factory.mktemp("demos")
    folder.chmod(0o755)  # the user of a container reads it as well
    for name in DEMOS:
        trained = Path(__file__).parent.parent / "models" / name
        assert trained.is_dir(), "run: make models"
        copytree(trained, folder / name)
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what tests measured, and at the very end what a missing program left out, and how to add
    it."""
    reports = [one for found in terminalreporter.stats.values() for one in found]
    said = [text for one in reports for name, text in getattr(one, "user_properties", ())]
    for text in dict.fromkeys(said):
        terminalreporter.write_line(f"\n{text}")
    for line in left_out(terminalreporter.stats.get("skipped", [])):
        terminalreporter.write_line(line, yellow=True)


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Shows what a test measures, at the end of all tests: they may run in other processes."""

    def write(text: str) -> None:
        request.node.user_properties.append(("said", text))

    return write


@pytest.fixture
def figures(request: pytest.FixtureRequest, say: Callable[[str], None]) -> Iterator[Figures]:
    """What a run counts; shown under the first line of the test's docstring."""
    counted = Figures()
    yield counted
    title = request.function.__doc__.splitlines()[0]
    say(f"{title}\n\n{counted.table()}")
