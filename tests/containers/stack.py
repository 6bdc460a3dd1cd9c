"""docker-compose.yml as a project of its own."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.containers.docker import DockerError, docker, inspect, program
from tests.faults.replica import quiet_port
from tests.waiting import is_ready, wait_until

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 90.0
IMAGES = {
    "GATEWISE_IMAGE": "gatewise-test",
    "GATEWISE_TRAIN_IMAGE": "gatewise-test-train",
    "GATEWISE_BALANCER_IMAGE": "gatewise-test-balancer",
}
"""The stack's settings that name images, and the names that the tests give them."""


@dataclass(frozen=True)
class Stack:
    """A compose project; `url` is where it serves once it is up."""

    project: str
    port: int = field(default_factory=quiet_port)
    folder: Path = ROOT

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """This process' environment, and what tells this project from any other."""
        plain = {name: value for name, value in os.environ.items() if name != "COMPOSE_PROFILES"}
        return (
            plain
            | IMAGES
            | wheels()
            | {
                "COMPOSE_PROJECT_NAME": self.project,
                "GATEWISE_PUBLISH": f"127.0.0.1:{self.port}",
            }
        )

    def compose(self, *words: str, profile: str | None = None) -> str:
        """What `docker compose` prints. Raises DockerError."""
        chosen = ["--profile", profile] if profile else []
        return docker("compose", *chosen, *words, folder=self.folder, environment=self.environment)

    def run(self, *words: str) -> str:
        """What a program prints that calls Docker for this project. Raises DockerError."""
        return program(*words, folder=self.folder, environment=self.environment)

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers, stopped ones too."""
        return self.compose("ps", "--all", "--quiet", service, profile="*").split()

    def take_models(self, models: Path) -> None:
        """Put models into the volume, so that none is trained."""
        self.compose(
            *("run", "--rm", "--no-deps", "--volume", f"{models}:/from:ro"),
            *("--entrypoint", "cp", "train", "-r", "/from/.", "/models"),
        )

    def wait_until_ready(self) -> None:
        wait_until(
            lambda: is_ready(self.url), lambda: f"not ready:\n{self.logs()}", PATIENCE_SECONDS
        )

    def logs(self) -> str:
        return self.compose("logs", "--tail", "30", profile="*")

    def down(self) -> None:
        """Everything goes, volumes too."""
        self.compose("down", "--volumes", "--timeout", "1", profile="*")


@contextmanager
def stack(project: str, folder: Path = ROOT) -> Iterator[Stack]:
    """A project that is gone, with its volumes, when the block ends."""
    made = Stack(f"gatewise-test-{project}-{os.getpid()}", folder=folder)
    try:
        yield made
    finally:
        made.down()


def wheels() -> dict[str, str]:
    """The folder of wheels that pip is set up with on this machine, if there is one."""
    found = subprocess.run(
        ["pip", "config", "get", "global.find-links"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    return {"WHEELS": found[0]} if found and Path(found[0]).is_dir() else {}


def is_healthy(container: str) -> bool:
    """Whether it runs, and its health check passes. False where it has gone."""
    try:
        state = inspect(container)["State"]
    except DockerError:
        return False
    return bool(state["Running"] and state["Health"]["Status"] == "healthy")
