"""docs/deploy.md and the README's curl lines, as somebody with nothing but Docker types them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.docker import docker, program
from tests.containers.stack import PATIENCE_SECONDS, ROOT, Stack, stack
from tests.docs.console import as_json, check, examples_of, run
from tests.docs.test_readme import WORKED
from tests.waiting import wait_until

DOCUMENT = ROOT / "docs" / "deploy.md"
DEADLINE_SECONDS = 600.0
OFFLINE = "gatewise:offline"
STEP = "curl -sf localhost:8000/v1/sessions/{}/steps -d '{{\"inputs\": [[371.2]]}}'"


class Reader:
    """Types the page's commands into a checkout, section by section."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def type(self, command: str) -> str:
        """What it prints."""
        return run(
            command,
            self.stack.url,
            folder=self.stack.folder,
            environment=self.stack.environment,
            seconds=DEADLINE_SECONDS,
        )

    def follow(self, section: str, *, then: str = "", after: str = "") -> None:
        """Type all commands below a heading; what they print is what is shown.

        Type `then` as well, after the one command that contains `after`.
        """
        examples = examples_of(DOCUMENT, section)
        assert examples
        assert not then or sum(after in example.command for example in examples) == 1
        for example in examples:
            check(example, self.type(example.command), tolerance=0)
            if then and after in example.command:
                self.type(then)

    def begin(self, session_id: str) -> None:
        """A session with one step."""
        begun = f'{{"model": "neuron", "session_id": "{session_id}"}}'
        self.type(f"curl -sf localhost:8000/v1/sessions -d '{begun}'")
        self.type(STEP.format(session_id))

    def serves(self, models: list[str]) -> bool:
        known = self.type("curl -sf localhost:8000/v1/models")
        return all(f'"{name}"' in known for name in models)

    def count(self, session_id: str) -> int:
        """How many steps a session has."""
        found = as_json(self.type(f"curl -sf localhost:8000/v1/sessions/{session_id}"))
        assert isinstance(found, dict)
        return int(found["step"])


@pytest.fixture(scope="module")
def reader(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """In a clean checkout, whose images are built already; nothing is trained."""
    assert images
    checkout = tmp_path_factory.mktemp("checkout")
    listed = program(
        *("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"), folder=ROOT
    )
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, checkout / name)
    with stack("deploy", checkout) as made:
        yield Reader(made)
    docker("rmi", "--force", OFFLINE)


@pytest.mark.timeout(600)
def test_one_command_in_a_clean_checkout_answers_the_readme(reader: Reader) -> None:
    """It trains, serves, and answers what the README shows."""
    reader.follow("## One command")
    assert "localhost:8000/v1/sessions" in WORKED[0].command
    for example in WORKED:
        check(example, reader.type(example.command))
    assert "Gatewise" in reader.type("curl -s http://localhost:8000/")


@pytest.mark.timeout(300)
def test_models_of_ones_own(reader: Reader, repository: Path) -> None:
    shutil.copytree(repository, reader.stack.folder / "models")
    reader.follow("### Models of your own")
    served = [path.name for path in repository.iterdir()]
    wait_until(lambda: reader.serves(served), lambda: f"{served} are not found", PATIENCE_SECONDS)


@pytest.mark.timeout(600)
def test_sessions_outlive_an_upgrade(reader: Reader) -> None:
    reader.begin("in-sqlite")
    reader.follow("## Three replicas")
    reader.begin("in-redis")
    reader.follow(
        "## Upgrade without losing sessions",
        after="docker compose up --detach --wait",
        then=STEP.format("in-sqlite"),
    )
    assert reader.count("in-redis") == 1


@pytest.mark.timeout(300)
def test_redis_comes_back_from_a_backup(reader: Reader) -> None:
    reader.follow("### Redis", after="redis rm ", then=STEP.format("in-redis"))
    assert reader.count("in-redis") == 1, "as it was when the copy was made"
    reader.type(STEP.format("in-redis"))


@pytest.mark.timeout(300)
def test_sqlite_comes_back_from_a_backup(reader: Reader) -> None:
    reader.follow("### SQLite", after="compose cp", then=STEP.format("in-sqlite"))
    assert reader.count("in-sqlite") == 2, "as it was when the copy was made"
    reader.type(STEP.format("in-sqlite"))


@pytest.mark.timeout(600)
def test_builds_without_an_index(reader: Reader) -> None:
    reader.follow("## Without a package index")
    printed = docker("run", "--rm", "--network", "none", OFFLINE, "--help")
    assert "--repository" in printed
